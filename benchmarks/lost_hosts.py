"""Loses one of two processes at random moments in every stage: how does the other end?

python -m benchmarks.lost_hosts
python -m benchmarks.lost_hosts --loss=hang --lost=1 --stages=evaluate --json   # a quick look

A round is one working directory: in every stage of the main job one process is killed, or stopped,
or its main thread alone hangs (Linux), and the other is left to end by itself; the same command
goes on, and one is lost in the next stage. Then all that they made is compared with what two
processes made that nobody disturbed, bit by bit. A round is ten losses and takes 4 minutes of two
cores; 10 where a thread hangs, for that is waited for longer.
"""

import contextlib
import ctypes
import dataclasses
import os
import pathlib
import random
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence

from absl import app, flags

from benchmarks import measure, outcome
from benchmarks.jobs import JOBS, Running
from kc_jax import hosts, preemption
from launch import local_multiprocess

LOSSES = {
    "kill": lambda process: process.send(signal.SIGKILL),
    "stop": lambda process: process.send(signal.SIGSTOP),
    "hang": lambda process: stop_main_thread(process.pid),
}
_LOSS = flags.DEFINE_multi_enum("loss", list(LOSSES), list(LOSSES), "How one is lost.")
_LOST = flags.DEFINE_multi_integer("lost", [0, 1], "Number of the process that is lost.")
_STAGES = flags.DEFINE_list("stages", [], "Those to lose a process in; by default all.")
_PATIENCE = flags.DEFINE_float(
    "patience", 10.0, "Seconds, as of the command.", lower_bound=hosts.PATIENCE[0]
)
_SEED = flags.DEFINE_integer("seed", 0, "Of the moments.")
flags.set_default(measure.ROUNDS, 1)

JOB = JOBS["main"]
SEIZE, INTERRUPT, WALL = 0x4206, 0x4207, 0x40000000  # Of ptrace(2) and waitpid(2).
LONGEST = 2.0  # Seconds in a stage until a process is lost.


@dataclasses.dataclass(frozen=True)
class Loss:
    """Says how a process ended whose companion was lost.

    Attributes:
      stage: that both were in.
      status: with which it ended.
      is_named: whether its last lines name who is lost.
      seconds: from the loss to its end.
    """

    stage: str
    status: int
    is_named: bool
    seconds: float


def pair(root: pathlib.Path, cache: pathlib.Path) -> list[Running]:
    """Begins the job in two processes of one device each."""
    together = (
        f"--coordinator=localhost:{local_multiprocess.free_port()}", "--num_processes=2",
        f"--patience={_PATIENCE.value}",
    )
    return [Running(JOB, root, cache, *together, f"--process_id={i}") for i in range(2)]


def lose(
    stage: str, how: str, lost: int, root: pathlib.Path, cache: pathlib.Path, delay: float
) -> Loss | None:
    """Begins the job and loses one process in a stage; None where both ended before.

    Args:
      stage: to lose it in.
      how: of `LOSSES`.
      lost: number of the process.
      root: the working directory.
      cache: folder for compiled programs, if the environment names none.
      delay: seconds in the stage until then.
    """
    processes = pair(root, cache)
    processes[0].wait_for(stage, delay)
    at, start = processes[0].stage, time.monotonic()
    if not processes[lost].is_running() and processes[lost].end():
        raise SystemExit(f"process {lost} ended by itself:\n{''.join(processes[lost].lines)}")
    with contextlib.suppress(ProcessLookupError):  # It may have ended well just now.
        LOSSES[how](processes[lost])
    status = processes[1 - lost].end()
    seconds = time.monotonic() - start
    processes[lost].end(signal.SIGKILL)
    if status == 0:
        return None
    words = "".join(processes[1 - lost].lines)
    is_named = f"process {lost} on " in words or (lost == 0 and "leader" in words)
    if status != preemption.EXIT_CODE:
        print(words[-3_000:], flush=True)
    return Loss(at or JOB.stages[-1], status, is_named, seconds)


def stop_main_thread(pid: int) -> None:
    """Stops a child's main thread, as if it read from a disk that does not answer; others go on."""
    trace = ctypes.CDLL(None, use_errno=True).ptrace
    trace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    for request in (SEIZE, INTERRUPT):
        if trace(request, pid, None, None):
            raise OSError(ctypes.get_errno(), f"ptrace of process {pid}: "
                          f"{os.strerror(ctypes.get_errno())}; it may be forbidden here")
    os.waitpid(pid, WALL)  # That it stopped, which is not for who waits for its end.


def round_of(
    how: str, lost: int, root: pathlib.Path, cache: pathlib.Path, rng: random.Random
) -> tuple[list[Loss], list[str]]:
    """Loses a process in every stage, then lets the job end; gives the losses, and what differs."""
    losses = []
    for stage in _STAGES.value or JOB.stages:
        if loss := lose(stage, how, lost, root, cache, rng.uniform(0, LONGEST)):
            losses.append(loss)
            print(loss, flush=True)
    return losses, whole(root, cache)


def whole(root: pathlib.Path, cache: pathlib.Path) -> list[str]:
    """Lets the job end; gives what of it does not end well."""
    processes = pair(root, cache)
    statuses = [process.end() for process in processes]
    if statuses != [0, 0]:
        print(*processes[0].lines, *processes[1].lines, flush=True)
    return [f"process {i} ended with {status}" for i, status in enumerate(statuses) if status]


def compare() -> Iterator[dict]:
    """Loses each process in each way; yields a row for both."""
    rng = random.Random(_SEED.value)
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cache = folder / "xla"
        if failed := whole(folder / "undisturbed", cache):
            raise SystemExit("; ".join(failed))
        expected = outcome.contents(folder / "undisturbed")
        for how in _LOSS.value:
            for lost in _LOST.value:
                losses, is_well = [], True
                for number in range(measure.ROUNDS.value):
                    root = folder / f"{how}_{lost}_{number}"
                    found, wrong = round_of(how, lost, root, cache, rng)
                    wrong += outcome.differences(outcome.contents(root), expected)
                    print(how, lost, "ended", wrong or "as if nobody had been lost", flush=True)
                    losses += found
                    is_well &= not wrong
                yield {"loss": how, "lost": lost, **summary(losses), "all recovered": is_well}


def summary(losses: Sequence[Loss]) -> dict:
    """Sums up losses."""
    return {
        "stages": " ".join(sorted({loss.stage for loss in losses}, key=JOB.stages.index)),
        "tried": len(losses),
        "statuses": " ".join(map(str, sorted({loss.status for loss in losses}))),
        "named": sum(loss.is_named for loss in losses),
        "seconds to end, most": round(max((loss.seconds for loss in losses), default=0.0), 1),
    }


def main(argv) -> None:
    del argv
    measure.report(__file__, compare())


if __name__ == "__main__":
    app.run(main)
