import types

import jax
import numpy as np
import pytest
from jax.sharding import PartitionSpec

from kc_jax import hosts, sharding
from tests import processes_together

ONE_DEVICE = pytest.mark.skipif(jax.device_count() != 1, reason="counts on one device")


@ONE_DEVICE
@pytest.mark.parametrize("data, model", [(-1, 1), (1, 1)])
def test_one_device(data, model):
    assert dict(sharding.make_mesh(data, model).shape) == {"data": 1, "model": 1}


@ONE_DEVICE
@pytest.mark.parametrize("data, model", [(2, 1), (1, 2), (0, 1), (1, 0), (-1, 0), (-2, 1), (-1, 2)])
def test_meshes_that_the_devices_do_not_fill(data, model):
    with pytest.raises(ValueError, match=r"mesh\.data × mesh\.model is .* there are 1 devices"):
        sharding.make_mesh(data, model)


@pytest.mark.parametrize("data, model", [(3, 2), (8, 2), (-1, 3), (-1, 16), (-8, -1)])
def test_meshes_that_eight_devices_do_not_fill(monkeypatch, data, model):
    monkeypatch.setattr(hosts, "devices", lambda: [None] * 8)
    with pytest.raises(ValueError, match="there are 8 devices; choose numbers whose product"):
        sharding.make_mesh(data, model)


@pytest.mark.parametrize(
    "data, model, shape", [(-1, 1, (8, 1)), (-1, 4, (2, 4)), (4, 2, (4, 2)), (1, 8, (1, 8))]
)
def test_meshes_of_eight_devices(monkeypatch, data, model, shape):
    monkeypatch.setattr(hosts, "devices", lambda: [None] * 8)
    monkeypatch.setattr(jax, "make_mesh", lambda shape, names, **_: (shape, names))
    assert sharding.make_mesh(data, model) == (shape, ("data", "model"))


def test_shardings():
    mesh = sharding.make_mesh()
    assert sharding.replicated(mesh).spec == PartitionSpec()
    assert sharding.batch_sharded(mesh).spec == PartitionSpec("data")


@pytest.mark.parametrize("batch_size", [4, 12])
def test_batches_that_split_evenly(batch_size):
    mesh = types.SimpleNamespace(shape={"data": 4, "model": 8})
    assert sharding.check_batch_size(mesh, batch_size, "student.batch_size") is None


@pytest.mark.parametrize("batch_size", [1, 6])
def test_batches_that_do_not_split_evenly(batch_size):
    mesh = types.SimpleNamespace(shape={"data": 4, "model": 2})
    message = f"student.batch_size is {batch_size}, which 4 devices .* choose a multiple of 4"
    with pytest.raises(ValueError, match=message):
        sharding.check_batch_size(mesh, batch_size, "student.batch_size")


def test_put_batch():
    mesh = sharding.make_mesh()
    batch = {
        "image": np.arange(24).reshape(8, 3).astype(np.uint8),
        "mask": np.array([True, False] * 4),
    }
    placed = sharding.put_batch(mesh, batch)
    for name, array in batch.items():
        assert placed[name].sharding == sharding.batch_sharded(mesh)
        assert placed[name].dtype == array.dtype
        np.testing.assert_array_equal(placed[name], array)


def scattered(*processes):
    """Gives a mesh whose devices along ``data``, and along ``model``, are of these processes."""
    devices = np.vectorize(lambda n: types.SimpleNamespace(process_index=n))(processes)
    shape = dict(zip(("data", "model"), devices.shape, strict=True))
    return type("Mesh", (), {"devices": devices, "shape": shape})()  # Has a hash, as a mesh.


@pytest.mark.parametrize("processes, expected", [
    ([[0], [0], [1], [1]], [0, 1, 2, 3]), ([[0], [1], [1], [0]], [0, 1, 6, 7]),
    ([[1], [0], [1], [0]], [2, 3, 6, 7]), ([[0, 1], [1, 0]], range(8)),
    ([[1, 1], [0, 0]], range(4, 8)), ([[0]], range(8)),
])
def test_rows_of_a_batch_that_lie_here(processes, expected):
    np.testing.assert_array_equal(sharding.own_rows(scattered(*processes), 8), expected)


def test_rows_get_to_where_they_belong_however_the_processes_lie():
    ended = processes_together.end(processes_together.begin("tests.scattered_rows", devices=2))
    assert [status for status, _ in ended] == [0, 0], ended
