"""Measures the soft-target store: bytes, and rates of writing and reading on one core.

python -m benchmarks.soft_targets --classes=5000 --top_k=100 --records=20000   # the defaults
python -m benchmarks.soft_targets --json

Costs some seconds of one core and 15 MB of the temporary folder.

Rates are image-views a second, medians of rounds in which all take turns, files in the page cache.
`top_k`, which comes before writing, and plain u16 ids and f16 probabilities in batches of the same
records are measured beside it; ``first_reads`` are those that compare checksums too.
"""

import dataclasses
import pathlib
import tempfile
from collections.abc import Callable

import numpy as np
from absl import app, flags

from benchmarks import measure
from kc_jax import artifacts
from kc_jax.core import quantisation, soft_targets
from kc_jax.data.vertical_store import VerticalStore, store_inputs, write_vertical

_CLASSES = flags.DEFINE_integer("classes", 5000, "Classes of the vertical.", lower_bound=1)
_TOP_K = flags.DEFINE_integer("top_k", 100, "Probabilities kept of an image-view.", lower_bound=1)
_RECORDS = flags.DEFINE_integer("records", 20_000, "Image-views in the store.", lower_bound=256)

BATCH_SIZE = 256


@dataclasses.dataclass(frozen=True)
class Trial:
    """Holds what is written and read again.

    Attributes:
      directory: an empty one.
      logits: f32[BATCH_SIZE, C_v], written over and over.
      top_k: K.
      record_ids: i64[n], sorted.
      batches: of places in ``record_ids``, shuffled.
    """

    directory: pathlib.Path
    logits: np.ndarray
    top_k: int
    record_ids: np.ndarray
    batches: list[np.ndarray]

    @property
    def num_classes(self) -> int:
        return self.logits.shape[-1]

    def best(self) -> tuple[np.ndarray, np.ndarray]:
        return soft_targets.top_k(self.logits, self.top_k)

    def inputs(self) -> dict:
        return store_inputs(
            teacher="", data="", label_space="", views={}, top_k=self.top_k, num_views=1
        )


def make_trial(directory: pathlib.Path) -> Trial:
    """Draws logits with heavy tails around the prior of a class."""
    rng = np.random.default_rng(0)
    shape, count = (BATCH_SIZE, _CLASSES.value), _RECORDS.value // BATCH_SIZE * BATCH_SIZE
    logits = 1.5 * rng.standard_t(3, shape) - np.log(_CLASSES.value)
    record_ids = np.sort(rng.choice(20 * count, count, replace=False))
    batches = rng.permutation(count).reshape(-1, BATCH_SIZE)
    return Trial(directory, logits.astype(np.float32), _TOP_K.value, record_ids, list(batches))


def writer(trial: Trial) -> Callable[[], dict]:
    """Gives what writes a whole store, starting from the K best logits."""
    parts = [trial.best()] * len(trial.batches)
    return lambda: write_vertical(
        trial.directory, record_ids=trial.record_ids, num_classes=trial.num_classes, num_views=1,
        top_k=trial.top_k, parts=parts,
    )


def read(store: VerticalStore, batches: list[np.ndarray]) -> None:
    """Reads ids and probabilities of all records once."""
    for places in batches:
        _, levels = store(places, np.zeros(len(places), np.int64))
        quantisation.probabilities_of(levels)


def plain_reader(trial: Trial) -> Callable[[], None]:
    """Gives what reads the same from memory-mapped arrays that hold it as it is."""
    ids, log_odds = trial.best()
    probs = 1 / (1 + np.exp(-log_odds.astype(np.float64)))
    arrays = []
    for name, rows in {"ids": ids.astype(np.uint16), "probs": probs.astype(np.float16)}.items():
        path = trial.directory / f"plain_{name}.npy"
        np.save(path, np.tile(rows, (len(trial.batches), 1)))
        arrays.append(np.load(path, mmap_mode="r"))

    def run():
        for places in trial.batches:
            arrays[0][places].astype(np.int32)
            arrays[1][places].astype(np.float32)

    return run


def compare(trial: Trial, rounds: int) -> dict[str, float]:
    """Measures everything in turn; gives bytes and rates by name."""
    artifacts.is_complete(trial.directory, trial.inputs())
    write = writer(trial)
    facts = write()
    artifacts.complete(trial.directory, **facts)

    def opened():
        return VerticalStore(trial.directory, trial.num_classes, trial.inputs())

    checked = opened()
    checked.check()
    count = len(trial.record_ids)
    ways = {
        "top_k_per_s": (trial.best, BATCH_SIZE),
        "writes_per_s": (write, count),
        "first_reads_per_s": (lambda: read(opened(), trial.batches), count),
        "reads_per_s": (lambda: read(checked, trial.batches), count),
        "plain_reads_per_s": (plain_reader(trial), count),
    }
    seconds = measure.median_seconds({name: run for name, (run, _) in ways.items()}, rounds)
    rates = {name: round(ways[name][1] / taken) for name, taken in seconds.items()}
    plain_bytes = 4 * min(trial.top_k, trial.num_classes)
    return {
        "classes": trial.num_classes, "top_k": trial.top_k, "records": _RECORDS.value,
        "bytes_per_view": facts["bytes_per_view"], "plain_bytes_per_view": plain_bytes, **rates,
    }


def main(argv) -> None:
    del argv
    with tempfile.TemporaryDirectory() as directory:
        trial = make_trial(pathlib.Path(directory))
        measure.report(__file__, [compare(trial, measure.ROUNDS.value)])


if __name__ == "__main__":
    app.run(main)
