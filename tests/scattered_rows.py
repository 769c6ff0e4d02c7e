"""Asserts that batches arrive whole where the rows of a process do not lie together."""

import argparse

import jax
import numpy as np
from jax.sharding import AxisType, Mesh

from kc_jax import hosts, sharding

ORDERS = [[[0], [1], [2], [3]], [[0], [2], [1], [3]], [[2], [0], [1], [3]], [[0, 2], [1, 3]]]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--coordinator")
    parser.add_argument("--num_processes", type=int)
    parser.add_argument("--process_id", type=int)
    hosts.join(**vars(parser.parse_args()), timeout=60.0)
    batch = {"image": np.arange(8 * 3).reshape(8, 3), "mask": np.arange(8) % 3 == 0}
    for order in ORDERS:
        devices = np.array(jax.devices())[np.array(order)]
        axes = (sharding.DATA_AXIS, sharding.MODEL_AXIS)
        mesh = Mesh(devices, axes, axis_types=(AxisType.Auto,) * 2)
        rows = sharding.own_rows(mesh, 8)
        placed = sharding.put_batch(mesh, {name: array[rows] for name, array in batch.items()})
        gathered = jax.device_get(sharding.gathered(placed))
        for name, array in batch.items():
            np.testing.assert_array_equal(gathered[name], array)


if __name__ == "__main__":
    main()
