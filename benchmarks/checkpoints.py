"""What the checksums of a checkpoint cost, as a share of saving and of loading it.

python -m benchmarks.checkpoints
python -m benchmarks.checkpoints --megabytes=4 --rounds=1 --json   # a quick look

Costs two minutes. The state is of random numbers, which no file system compresses; it is saved and
loaded as in a training, on one device, with checksums and without, in turn.
"""

import contextlib
import pathlib
import shutil
import tempfile
from collections.abc import Iterator
from unittest import mock

import jax
import jax.numpy as jnp
from absl import app, flags

from benchmarks import measure
from kc_jax import sharding
from kc_jax.train import checkpoint
from kc_jax.train.state import TrainState

_MEGABYTES = flags.DEFINE_integer("megabytes", 500, "Of the state, 10^6 bytes.", lower_bound=1)
_FOLDER = flags.DEFINE_string("folder", "", "On the disk to measure; else the temporary one.")
flags.set_default(measure.ROUNDS, 5)

LEAVES = 20


def make_state(num_bytes: int) -> TrainState:
    """Makes a state: half of it parameters, half what an optimiser holds of them."""
    shape = (num_bytes // (8 * LEAVES),)
    keys = jax.random.split(jax.random.key(0), 2 * LEAVES)
    leaves = [jax.random.normal(key, shape, jnp.float32) for key in keys]
    names = [f"layer_{number}" for number in range(LEAVES)]
    params, moments = dict(zip(names, leaves, strict=False)), dict(zip(names, leaves[LEAVES:],
                                                                       strict=True))
    state = TrainState(jnp.int32(0), params, {}, moments)
    return jax.device_put(state, sharding.replicated(sharding.make_mesh()))


def without_checksums() -> contextlib.ExitStack:
    """Makes the context in which none are written, and none compared."""
    stack = contextlib.ExitStack()
    for name, answer in {"_write_checksums": None, "_damage": ""}.items():
        stack.enter_context(mock.patch.object(checkpoint, name, return_value=answer))
    return stack


def measures(folder: pathlib.Path) -> dict:
    """Makes the measures of saving a state and of going on from it."""
    state = make_state(1_000_000 * _MEGABYTES.value)

    def save(name: str) -> float:
        shutil.rmtree(folder / name, ignore_errors=True)
        with checkpoint.Checkpoints(folder / name) as checkpoints:
            return measure.timed(lambda: checkpoints.save(1, state))[0]

    def load(name: str) -> float:
        def restore():
            with checkpoint.Checkpoints(folder / name) as checkpoints:
                jax.block_until_ready(checkpoints.restore(state))

        return measure.timed(restore)[0]

    def bare(call, name):
        with without_checksums():
            return call(name)

    return {
        "save_s": lambda: bare(save, "bare"),
        "save_with_checksums_s": lambda: save("checked"),
        "load_s": lambda: bare(load, "bare"),
        "load_with_checksums_s": lambda: load("checked"),
    }


def compare() -> Iterator[dict]:
    """Measures all in turn."""
    with tempfile.TemporaryDirectory(dir=_FOLDER.value or None) as folder:
        found = measure.interleaved_medians(
            measures(pathlib.Path(folder)), measure.ROUNDS.value
        )
    yield {
        "megabytes": _MEGABYTES.value,
        **{name: round(seconds, 3) for name, seconds in found.items()},
        "save_share": round(found["save_with_checksums_s"] / found["save_s"] - 1, 3),
        "load_share": round(found["load_with_checksums_s"] / found["load_s"] - 1, 3),
    }


def main(argv) -> None:
    del argv
    measure.report(__file__, compare())


if __name__ == "__main__":
    app.run(main)
