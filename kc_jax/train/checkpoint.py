"""Saving and restoring training states: the only module that knows Orbax."""

import logging
import pathlib
import sys
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from orbax.checkpoint import v1 as ocp
from orbax.checkpoint._src.futures import synchronization

from kc_jax import artifacts, checksums, disk_space, hosts, preemption
from kc_jax.errors import UserError
from kc_jax.train import shapes
from kc_jax.train.state import TrainState

logging.getLogger("absl").addFilter(  # Orbax logs some 77 INFO lines a save, and what it raises.
    lambda record: "orbax" not in record.pathname
    or (record.levelno > logging.INFO and not record.exc_info)
)

OVERHEAD_BYTES = 1 << 20  # Of a checkpoint, besides its arrays.
CHECKSUMS = "checksums.json"  # Beside the files of a state; earlier versions wrote none.
DAMAGED = ".damaged"  # Ends the name of a state that was set aside.


class CheckpointError(UserError, RuntimeError):
    """Says which checkpoint does not fit or is damaged, in what, and what to do."""


class Checkpoints:
    """Keeps the latest training states of one directory, with the checksums of their files.

    A newest state that is not as it was written is set aside, and the one before it is gone on
    from; the first process looks for all.

    Args:
      directory: where they lie; made where missing.
      keep: how many to keep.
      owner: what training they are of; states that say another are damaged.

    Raises:
      CheckpointError: all of them are damaged.
    """

    def __init__(self, directory: pathlib.Path, keep: int = 2, owner: str = ""):
        self._directory, self._owner = directory.resolve(), owner
        hosts.first_alone(lambda: _tidy(self._directory, keep, owner))
        _number_operations_alike()
        self._checkpointer = ocp.training.Checkpointer(
            self._directory,
            preservation_policy=ocp.training.preservation_policies.LatestN(keep),
            cleanup_tmp_directories=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with disk_space.watched(self._directory):
            self._checkpointer.close()

    @property
    def latest_step(self) -> int | None:
        """Gives the step of the newest state, or None where there is none."""
        latest = self._checkpointer.latest
        return None if latest is None else latest.step

    def save(self, step: int, state: TrainState) -> None:
        """Saves a state; returns when it is on disk.

        Raises:
          DiskSpaceError: there is no room for it.
        """
        path = self._directory / str(step)
        if self.latest_step == step:
            return self._note_checksums(path)
        num_bytes = OVERHEAD_BYTES + sum(array.nbytes for array in jax.tree.leaves(state))
        disk_space.check_space(self._directory, num_bytes, "a checkpoint's files")
        with disk_space.watched(self._directory):  # Others may have taken the room by now.
            self._checkpointer.save(step, state, force=True)
            self._note_checksums(path)

    def _note_checksums(self, path: pathlib.Path) -> None:
        """Writes the checksums of a state's files where there are none yet."""
        hosts.first_alone(
            lambda: (path / CHECKSUMS).exists() or _write_checksums(path, self._owner)
        )

    def restore(self, like: TrainState) -> TrainState:
        """Restores the newest state.

        Args:
          like: a state of the shapes, types and shardings wanted.

        Raises:
          CheckpointError: there is none, it cannot be read, or its shapes differ.
        """
        step = self.latest_step
        if step is None:
            raise _missing(self._directory)
        path = self._directory / str(step)
        stored = _read(path, lambda: self._checkpointer.metadata(step).metadata)
        _check_shapes(self._directory, stored, like)
        state = _read(path, lambda: self._checkpointer.load(step, jax.tree.map(_abstract, like)))
        self._note_checksums(path)
        return state


def newest_step(directory: pathlib.Path) -> int | None:
    """Gives the step of a directory's newest state, or None where there is none."""
    return max(_steps(directory), default=None)


def load_variables(directory: pathlib.Path, owner: str = "") -> dict:
    """Loads the model's variables of a directory's newest state as host arrays.

    Every process reads them for itself.

    Args:
      directory: of `Checkpoints`.
      owner: what training they are of.

    Raises:
      CheckpointError: there is no state, or the newest is damaged.
    """
    directory = directory.resolve()
    step = newest_step(directory)
    if step is None:
        raise _missing(directory)
    path = directory / str(step)
    damage = _damage(path, owner)
    if damage:
        raise CheckpointError(f"{damage}; {_remedy(path)}")
    return _read(path, lambda: _load_variables(path))


def _load_variables(path: pathlib.Path) -> dict:
    host = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    with _reading_alone():
        stored = dict(ocp.metadata(path).metadata)
        wanted = jax.tree.map(lambda _: ocp.PLACEHOLDER, stored)
        for name in ("params", "model_state"):
            wanted[name] = jax.tree.map(
                lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=host),
                stored[name],
            )
        loaded = ocp.load(path, wanted)
    return jax.tree.map(np.asarray, {"params": loaded["params"], **loaded["model_state"]})


def _number_operations_alike() -> None:
    """Lets all processes go on from the same number of Orbax's operations.

    Its barriers are named by it, and who worked apart has loaded more networks than others, or
    fewer: without this they would wait for each other for ever.
    """
    numbers = synchronization.OperationIdGenerator
    highest = hosts.highest(int(numbers.get_current_operation_id()))
    while int(numbers.get_current_operation_id()) < highest:
        numbers.next_operation_id()


def _reading_alone() -> ocp.Context:
    """Makes the context in which Orbax waits for no other process."""
    context = ocp.Context()
    number = hosts.process_index()
    context.multiprocessing.primary_host = number
    context.multiprocessing.active_processes = {number}
    context.multiprocessing.barrier_sync_key_prefix = f"process_{number}"
    return context


def _steps(directory: pathlib.Path) -> list[int]:
    """Lists the steps of the states in a directory, rising."""
    return sorted(int(path.name) for path in directory.glob("*") if path.name.isdecimal())


def _write_checksums(path: pathlib.Path, owner: str) -> None:
    files = sorted(
        file for file in path.rglob("*")
        if file.is_file() and file.suffix != artifacts.TEMPORARY
    )
    names = [file.relative_to(path).as_posix() for file in files]
    artifacts.write_sealed(path / CHECKSUMS, {
        "step": int(path.name), "owner": owner, "files": checksums.describe(path, names),
    })


def _damage(path: pathlib.Path, owner: str) -> str:
    """Says in what a state is not as it was written; nothing where it is, or nobody knows."""
    if not (path / CHECKSUMS).exists():
        return ""
    try:
        wanted = artifacts.read_json(path / CHECKSUMS, needs=("step", "owner", "files"))
    except checksums.DamagedFileError:
        return f"{path / CHECKSUMS} is damaged: it does not say what was written"
    if (wanted["step"], wanted["owner"]) != (int(path.name), owner or wanted["owner"]):
        return f"{path} is damaged: it is the state of another step or of another training"
    for name, facts in wanted["files"].items():
        what = checksums.difference(path / name, facts)
        if what:
            return f"{path / name} is damaged: {what}"
    return ""


def _tidy(directory: pathlib.Path, keep: int, owner: str) -> None:
    """Leaves the states that would lie in a directory if nobody had disturbed those who wrote."""
    _set_damaged_aside(directory, owner)
    for step in _steps(directory)[:-keep]:  # Who saved a newer one was killed before it removed it.
        artifacts.remove(directory / str(step))


def _set_damaged_aside(directory: pathlib.Path, owner: str) -> None:
    """Renames newest states that are damaged, if there is an older one to go on from.

    Before Orbax looks: it takes some of them for unfinished and removes them.
    """
    steps, damages = _steps(directory), {}
    while steps and (damage := _damage(directory / str(steps[-1]), owner)):
        damages[steps.pop()] = damage
    if damages and not steps:
        newest = max(damages)
        raise CheckpointError(f"{damages[newest]}; {_remedy(directory / str(newest))}")
    for step, damage in damages.items():
        path = directory / str(step)
        aside = path.with_name(path.name + DAMAGED)
        artifacts.remove(aside)
        path.rename(aside)
        print(
            f"{damage}; it is set aside as {aside}, and the training goes on from the state of "
            f"step {steps[-1]}", file=sys.stderr,
        )


def _remedy(path: pathlib.Path) -> str:
    """Says what to do about a damaged state: a training goes on from an older one."""
    for step in reversed([s for s in _steps(path.parent) if s < int(path.name)]):
        if not _damage(path.with_name(str(step)), ""):
            return (
                f"put a good copy back, or remove {path} and run the stage that trains it again: "
                f"it goes on from the state of step {step}"
            )
    return (
        f"put a good copy back, or remove {path.parent.parent} and run the stage that trains it "
        "again, from the start: there is no older state"
    )


def _read(path: pathlib.Path, read: Callable[[], Any]) -> Any:
    """Reads a state; what Orbax may say of files that nobody keeps checksums of is said shortly."""
    try:
        with preemption.deferred():
            return read()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        why = (str(error).splitlines() or [""])[0][:200]
        raise CheckpointError(
            f"{path} is damaged: {type(error).__name__}: {why}; {_remedy(path)}"
        ) from None


def _missing(directory: pathlib.Path) -> CheckpointError:
    return CheckpointError(
        f"{directory} holds no checkpoint; train the network first (where it was, remove "
        f"{directory.parent} before)"
    )


def _abstract(array) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(array.shape, array.dtype, sharding=array.sharding)


def _check_shapes(directory, stored, like) -> None:
    try:
        shapes.check(shapes.shapes_of(stored), shapes.shapes_of(like))
    except shapes.MisfitError as error:
        raise CheckpointError(
            f"the checkpoint in {directory} does not fit: {error}; restore it with the "
            "configuration that wrote it"
        ) from None
