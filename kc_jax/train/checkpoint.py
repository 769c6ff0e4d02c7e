"""Saving and restoring training states: the only module that knows Orbax."""

import logging
import pathlib

import jax
import numpy as np
from orbax.checkpoint import v1 as ocp
from orbax.checkpoint._src.futures import synchronization

from kc_jax import disk_space, hosts
from kc_jax.errors import UserError
from kc_jax.train import shapes
from kc_jax.train.state import TrainState

logging.getLogger("absl").addFilter(  # Orbax logs some 77 INFO lines a save, and what it raises.
    lambda record: "orbax" not in record.pathname
    or (record.levelno > logging.INFO and not record.exc_info)
)
OVERHEAD_BYTES = 1 << 20  # Of a checkpoint, besides its arrays.


class CheckpointError(UserError, RuntimeError):
    """Says which checkpoint does not fit, in what, and what to do."""


class Checkpoints:
    """Keeps the latest training states of one directory.

    Args:
      directory: where they lie; made where missing.
      keep: how many to keep.
    """

    def __init__(self, directory: pathlib.Path, keep: int = 2):
        self._directory = directory.resolve()
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
        if self.latest_step == step:
            return
        num_bytes = OVERHEAD_BYTES + sum(array.nbytes for array in jax.tree.leaves(state))
        disk_space.check_space(self._directory, num_bytes, "a checkpoint's files")
        with disk_space.watched(self._directory):  # Others may have taken the room by now.
            self._checkpointer.save(step, state, force=True)

    def restore(self, like: TrainState) -> TrainState:
        """Restores the newest state.

        Args:
          like: a state of the shapes, types and shardings wanted.

        Raises:
          CheckpointError: there is none, or its shapes differ.
        """
        step = self._newest()
        _check_shapes(self._directory, self._checkpointer.metadata(step).metadata, like)
        return self._checkpointer.load(step, jax.tree.map(_abstract, like))

    def _newest(self) -> int:
        if self.latest_step is None:
            raise _missing(self._directory)
        return self.latest_step


def load_variables(directory: pathlib.Path) -> dict:
    """Loads the model's variables of a directory's newest state as host arrays.

    Every process reads them for itself.

    Args:
      directory: of `Checkpoints`.

    Raises:
      CheckpointError: there is no state.
    """
    directory = directory.resolve()
    steps = [found.step for found in ocp.path.step.standard_name_format().find_all(directory)]
    if not steps:
        raise _missing(directory)
    path = directory / str(max(steps))
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
    number = hosts.number()
    context.multiprocessing.primary_host = number
    context.multiprocessing.active_processes = {number}
    context.multiprocessing.barrier_sync_key_prefix = f"process_{number}"
    return context


def _missing(directory: pathlib.Path) -> CheckpointError:
    return CheckpointError(f"{directory} holds no checkpoint; train the network first")


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
