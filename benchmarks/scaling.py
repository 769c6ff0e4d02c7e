"""Times the head step as classes grow to a million, and fits the exponent.

python -m benchmarks.scaling         # into scaling.csv; 12 GB and some minutes on two cores

FC512-SC512 over 20 verticals at a batch of 64. Each size runs by itself, the smaller first.
"""

import gc

import jax.numpy as jnp
import numpy as np
from absl import app, flags

from benchmarks import head_steps, measure

_HEAD = flags.DEFINE_string("head", "FC512-SC512", "Top layers in the papers' notation.")
_BATCH = flags.DEFINE_integer("batch", 64, "Examples a step.")
_CLASSES = flags.DEFINE_list(
    "classes", ["125000", "250000", "500000", "1000000"], "Sizes, the smallest first."
)
_VERTICALS = flags.DEFINE_integer("verticals", 20, "Verticals.")


def seconds_of(classes: int) -> tuple[float, int]:
    """Gives the median seconds of a step, and the head's parameters."""
    sizes = head_steps.vertical_sizes(classes, _VERTICALS.value)
    batch = head_steps.make_batch(_BATCH.value, sizes)
    run, facts = head_steps.ours(
        _HEAD.value, sizes, batch, paced=False, kind="per_vertical", dtype=jnp.float32
    )
    seconds = measure.median_seconds({"step": run}, measure.ROUNDS.value)["step"]
    del run
    gc.collect()
    return seconds, facts["params"]


def exponent(sizes: list[int], seconds: list[float]) -> float:
    """Fits seconds ∝ sizes^exponent."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def rows():
    """Yields a row for each size, with the exponent over the sizes so far."""
    sizes, taken = [], []
    for classes in map(int, _CLASSES.value):
        seconds, params = seconds_of(classes)
        sizes.append(classes)
        taken.append(seconds)
        fitted = round(exponent(sizes, taken), 3) if len(sizes) > 1 else None
        yield {
            "classes": classes, "head": _HEAD.value, "batch": _BATCH.value, "params": params,
            "seconds": round(seconds, 4), "exponent": fitted,
        }


def main(argv) -> None:
    del argv
    measure.report(__file__, rows())


if __name__ == "__main__":
    app.run(main)
