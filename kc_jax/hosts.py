"""Several processes that run the same stages together, each on the devices of its host.

All of them call the same functions in the same order. What only one may do, such as writing a file
that all read, the first does for all; what can be dealt out, each does apart on its own devices.
"""

import contextlib
import dataclasses
import faulthandler
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from kc_jax import preemption
from kc_jax.errors import UserError

AUTO = "auto"
AGREE_EVERY = 8  # Steps.
# Seconds: a few of the beats in which `host_watch` shows a process, and what JAX can count.
PATIENCE = (3.0, 1e6)


class HostsError(UserError, ValueError):
    """Says which option of several processes does not fit, and what to do."""


@dataclasses.dataclass
class _Group:
    process_count: int = 1
    process_index: int = 0
    patience: float = 0.0
    depth_apart: int = 0
    # What `host_watch` tells the others: calls in which all take part, and work between them.
    calls: int = 0
    work: int = 0
    doing: str = ""


_GROUP = _Group()


def join(coordinator: str, num_processes: int, process_id: int, timeout: float) -> None:
    """Joins the other processes; must come before anything is computed.

    Args:
      coordinator: HOST:PORT of process 0, or ``auto`` where JAX finds the others itself: under
        SLURM, on Cloud TPU, on GKE and under Open MPI.
      num_processes: of all hosts together; −1 where found.
      process_id: of this one, from 0; −1 where found.
      timeout: seconds to wait for the others to come, and for one that falls silent.

    Raises:
      HostsError: the options do not fit each other, or the others did not come.
    """
    _check(coordinator, num_processes, process_id, timeout)
    found = {} if coordinator == AUTO else {
        "coordinator_address": coordinator, "num_processes": num_processes,
        "process_id": process_id,
    }
    try:
        jax.distributed.initialize(
            **found, initialization_timeout=round(timeout),
            # JAX aborts without a word of who is missing: `host_watch` comes first. (Its
            # client takes a `missed_heartbeat_callback`, but throws std::bad_cast in 0.10.2.)
            heartbeat_timeout_seconds=round(2 * timeout), shutdown_timeout_seconds=round(timeout),
        )
    except (RuntimeError, ValueError) as error:
        raise HostsError(
            f"the processes did not come together: {str(error).splitlines()[0]}; with "
            "--coordinator=auto a cluster's scheduler must say who takes part, else name "
            "--coordinator=HOST:PORT, --num_processes and --process_id of each"
        ) from None
    faulthandler.disable()  # Where process 0 is lost JAX aborts, and says so; stacks would hide it.
    _GROUP.process_count, _GROUP.process_index = jax.process_count(), jax.process_index()
    _GROUP.patience = timeout
    preemption.listen()  # JAX has taken the signal for itself.


def _check(coordinator: str, num_processes: int, process_id: int, patience: float) -> None:
    shortest, longest = PATIENCE
    if not shortest <= patience <= longest:  # So is what is no number.
        raise HostsError(
            f"--patience is {patience:g}; expected {shortest:g} to {longest:.0f} seconds, as every "
            "process shows itself once a second; name such a number, or leave it out"
        )
    if coordinator == AUTO:
        if (num_processes, process_id) != (-1, -1):
            raise HostsError(
                f"--num_processes and --process_id are not taken beside --coordinator={AUTO}, "
                "where the scheduler gives both; leave them out, or name "
                "--coordinator=HOST:PORT of process 0"
            )
        return
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdigit():
        raise HostsError(
            f"--coordinator is {coordinator!r}; expected HOST:PORT of process 0, or {AUTO!r}"
        )
    if num_processes < 1 or not 0 <= process_id < num_processes:
        raise HostsError(
            f"--num_processes is {num_processes} and --process_id {process_id}; expected the "
            "number of all processes, and of each its own index, from 0 to that number less 1"
        )


def size() -> int:
    """Counts the processes that work together: one where this one works apart."""
    return 1 if _GROUP.depth_apart else _GROUP.process_count


def rank() -> int:
    """Gives this process's rank among those that work together, from 0."""
    return 0 if _GROUP.depth_apart else _GROUP.process_index


def is_first() -> bool:
    """Tells whether this process writes what all share."""
    return rank() == 0


def is_apart() -> bool:
    """Tells whether there are others that this process does not work with just now."""
    return _GROUP.depth_apart > 0 and _GROUP.process_count > 1


def process_index() -> int:
    """Gives this process's index among all, whether it works apart or not."""
    return _GROUP.process_index


def process_count() -> int:
    """Counts all processes, whether this one works apart or not."""
    return _GROUP.process_count


def patience() -> float:
    """Gives the seconds after which a process that falls silent is given up."""
    return _GROUP.patience


def devices() -> list[jax.Device]:
    """Lists the devices of the processes that work together."""
    return jax.local_devices() if is_apart() else jax.devices()


@contextlib.contextmanager
def apart() -> Iterator[None]:
    """Lets this process work by itself, as if there were no others, on its own devices."""
    _GROUP.depth_apart += 1
    try:
        yield
    finally:
        _GROUP.depth_apart -= 1


def first_alone(function: Callable[[], Any]) -> bool:
    """Calls a function in the first process while the others wait; all get its truth.

    An error ends the first process, and with it the others: see `host_watch.watched`.

    Args:
      function: of no arguments.
    """
    if size() == 1:
        return bool(function())
    answer = False
    if is_first():
        with apart():
            answer = bool(function())
    note_call()  # After it: the others are ahead of a first process that hangs in it.
    return bool(multihost_utils.broadcast_one_to_all(np.int32(answer)))


@contextlib.contextmanager
def by_first(make: Callable[[], contextlib.AbstractContextManager]) -> Iterator[None]:
    """Opens a context in the first process before any goes on.

    Args:
      make: makes the context.
    """
    with make() if is_first() else contextlib.nullcontext():
        wait_for_all("its start")
        yield


def highest(number: int) -> int:
    """Gives the highest of the numbers of all processes."""
    if size() == 1:
        return number
    note_call()
    return int(multihost_utils.process_allgather(np.int32(number)).max())


def dealt(items: Sequence) -> Sequence:
    """Gives this process's share of items: every n-th from its rank on."""
    return items[rank() :: size()]


def are_asked_to_end(step: int) -> bool:
    """Tells whether the machine asked this process, or one that it works with, to end.

    All are told at the same step: they ask each other at every `AGREE_EVERY`-th.

    Args:
      step: steps done.
    """
    if size() == 1:
        return preemption.came()
    return step % AGREE_EVERY == 0 and bool(highest(int(preemption.came())))


def wait_for_all(what: str) -> None:
    """Waits until all processes have come here.

    Args:
      what: they have done.
    """
    if size() > 1:
        note_call()
        multihost_utils.sync_global_devices(what)


def shared_number() -> int:
    """Draws a number that is the same in all processes and in no other run."""
    drawn = np.random.SeedSequence().generate_state(1).astype(np.int32)
    return int(multihost_utils.broadcast_one_to_all(drawn)[0])


def note_call() -> None:
    """Notes that this process is about to do what all that work together must do with it."""
    if size() > 1:
        _GROUP.calls += 1


def note_work(doing: str) -> None:
    """Notes that this process gets on.

    Args:
      doing: what, for those who wait for it.
    """
    _GROUP.work += 1
    _GROUP.doing = doing


def progress() -> dict[str, Any]:
    """Tells how far this process is: ``calls`` in which all take part, ``work``, ``doing``."""
    return {"calls": _GROUP.calls, "work": _GROUP.work, "doing": _GROUP.doing}
