"""The mesh of devices and what lies where on it: the only place that makes a mesh."""

import functools
from collections.abc import Callable

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AbstractMesh, AxisType, Mesh, NamedSharding, PartitionSpec

from kc_jax import hosts
from kc_jax.errors import UserError

DATA_AXIS = "data"
MODEL_AXIS = "model"


class MeshError(UserError, ValueError):
    """Says what does not fit onto the devices."""


def make_mesh(data: int = -1, model: int = 1) -> Mesh:
    """Lays the devices of the processes that work together out as ``data`` × ``model``.

    Args:
      data: devices that share a batch; -1 takes all that ``model`` leaves, as a process that works
        apart always does.
      model: devices that share the parameters.

    Raises:
      MeshError: the devices do not fill the mesh.
    """
    devices = hosts.devices()
    num_devices = len(devices)
    if (data == -1 or hosts.is_apart()) and model > 0:
        data = max(num_devices // model, 1)
    if data < 1 or model < 1 or data * model != num_devices:
        raise MeshError(
            f"mesh.data × mesh.model is {data} × {model} but there are {num_devices} devices; "
            "choose numbers whose product is the number of devices, or mesh.data=-1"
        )
    return jax.make_mesh(
        (data, model), (DATA_AXIS, MODEL_AXIS), axis_types=(AxisType.Auto,) * 2, devices=devices
    )


def make_abstract_mesh(data: int, model: int) -> AbstractMesh:
    """Describes a mesh of devices that need not be there, for counting."""
    return AbstractMesh((data, model), (DATA_AXIS, MODEL_AXIS), axis_types=(AxisType.Auto,) * 2)


def replicated(mesh: Mesh) -> NamedSharding:
    """Puts a whole array on every device."""
    return NamedSharding(mesh, PartitionSpec())


def batch_sharded(mesh: Mesh) -> NamedSharding:
    """Splits an array's first axis over the ``data`` devices."""
    return NamedSharding(mesh, PartitionSpec(DATA_AXIS))


def head_shardings(mesh: Mesh, tree):
    """Says where the leaves of a network's variables, or of its training state, lie.

    Tiles, slots and verticals are split over ``model`` by the first axis that splits evenly, shared
    layers of the head by their units; all else lies on every device.

    Args:
      mesh: of the devices.
      tree: whose paths name the network's parts.
    """
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: NamedSharding(mesh, _spec(mesh, path, leaf.shape)), tree
    )


def _spec(mesh: Mesh, path, shape: tuple[int, ...]) -> PartitionSpec:
    names = jax.tree_util.keystr(path, simple=True, separator="/").split("/")
    if "shared" in names and ("trunk" in names or "bottleneck" in names):
        axes = [len(shape) - 1]
    elif "individual" in names or "logits" in names or ("pace" in names and len(shape) == 2):
        axes = range(len(shape))
    else:
        axes = []
    for axis in axes:
        if shape[axis] % mesh.shape[MODEL_AXIS] == 0:
            return PartitionSpec(*[None] * axis, MODEL_AXIS)
    return PartitionSpec()


def map_shards(mesh: Mesh, function: Callable, in_specs, out_specs) -> Callable:
    """Makes a function that every device runs on its own part.

    Args:
      mesh: of the devices.
      function: of (…, axis), the name of the ``model`` axis; of one device it is None, and no
        collective operation stands in the way of XLA's fusions.
      in_specs: a `PartitionSpec` of each argument.
      out_specs: of the results.
    """
    if mesh.size == 1:
        return functools.partial(function, axis=None)
    local = functools.partial(function, axis=MODEL_AXIS)
    return jax.shard_map(local, mesh=mesh, in_specs=in_specs, out_specs=out_specs)


def constrain_activations(mesh: Mesh, values: jax.Array) -> jax.Array:
    """Puts f32[B, D] on every ``model`` device, f32[B, slots, D] on those of the slots."""
    spec = PartitionSpec(DATA_AXIS, MODEL_AXIS) if values.ndim == 3 else PartitionSpec(DATA_AXIS)
    return jax.lax.with_sharding_constraint(values, NamedSharding(mesh, spec))


def check_batch_size(mesh: Mesh, batch_size: int, name: str, microbatches: int = 1) -> None:
    """Checks that a batch splits evenly over the mesh.

    Raises:
      MeshError: names the option and the devices.
    """
    data = mesh.shape[DATA_AXIS]
    if batch_size % (data * microbatches):
        parts = f" in {microbatches} microbatches" if microbatches > 1 else ""
        raise MeshError(
            f"{name} is {batch_size}, which {data} devices cannot share evenly{parts}; "
            f"choose a multiple of {data * microbatches}"
        )


def put_batch(mesh: Mesh, batch):
    """Puts this process's rows of a batch of host arrays, see `own_rows`, onto the devices."""
    sharding, num_places = batch_sharded(mesh), len(_own_places(mesh))

    def put(rows):
        batch_size = len(rows) * mesh.shape[DATA_AXIS] // num_places
        shape = (batch_size, *rows.shape[1:])
        return jax.make_array_from_process_local_data(sharding, rows, shape)

    return jax.tree.map(put, batch)


def own_rows(mesh: Mesh, batch_size: int) -> np.ndarray:
    """Says which rows of a batch this process puts onto its devices: i64[n], sorted.

    They need not lie together: `jax.make_mesh` follows the wires between the chips of a TPU.
    """
    return np.arange(batch_size).reshape(mesh.shape[DATA_AXIS], -1)[_own_places(mesh)].ravel()


@functools.lru_cache(maxsize=16)  # Every step asks.
def _own_places(mesh: Mesh) -> list[int]:
    """Lists where on the ``data`` axis there are devices of this process."""
    here = jax.process_index()
    return [
        place for place, devices in enumerate(mesh.devices)
        if any(device.process_index == here for device in devices.flat)
    ]


def gathered(tree):
    """Brings a tree of arrays to this host, also those spread over the devices of others."""
    if all(leaf.is_fully_addressable or leaf.is_fully_replicated for leaf in jax.tree.leaves(tree)):
        return tree
    return multihost_utils.process_allgather(tree, tiled=True)
