"""The mesh of devices and what lies where on it: the only place that makes a mesh."""

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from kc_jax.errors import UserError

DATA_AXIS = "data"
MODEL_AXIS = "model"


class MeshError(UserError, ValueError):
    """Says what does not fit onto the devices."""


def make_mesh(data: int = -1, model: int = 1) -> Mesh:
    """Lays the devices out as ``data`` × ``model``.

    Args:
      data: devices that share a batch; -1 takes all that ``model`` leaves.
      model: devices that share the parameters.

    Raises:
      MeshError: the devices do not fill the mesh.
    """
    num_devices = jax.device_count()
    if data == -1 and model > 0:
        data = max(num_devices // model, 1)
    if data < 1 or model < 1 or data * model != num_devices:
        raise MeshError(
            f"mesh.data × mesh.model is {data} × {model} but there are {num_devices} devices; "
            "choose numbers whose product is the number of devices, or mesh.data=-1"
        )
    return jax.make_mesh((data, model), (DATA_AXIS, MODEL_AXIS), axis_types=(AxisType.Auto,) * 2)


def replicated(mesh: Mesh) -> NamedSharding:
    """Puts a whole array on every device."""
    return NamedSharding(mesh, PartitionSpec())


def batch_sharded(mesh: Mesh) -> NamedSharding:
    """Splits an array's first axis over the ``data`` devices."""
    return NamedSharding(mesh, PartitionSpec(DATA_AXIS))


def check_batch_size(mesh: Mesh, batch_size: int, name: str) -> None:
    """Checks that a batch splits evenly over the mesh.

    Raises:
      MeshError: names the option and the devices.
    """
    data = mesh.shape[DATA_AXIS]
    if batch_size % data:
        raise MeshError(
            f"{name} is {batch_size}, which {data} devices cannot share evenly; "
            f"choose a multiple of {data}"
        )


def put_batch(mesh: Mesh, batch):
    """Puts this process's part of a batch of host arrays onto the devices."""
    sharding = batch_sharded(mesh)
    return jax.tree.map(lambda x: jax.make_array_from_process_local_data(sharding, x), batch)
