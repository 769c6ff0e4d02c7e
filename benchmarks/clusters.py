"""Seconds and memory of counting confusions and of clustering the classes of a large network.

python -m benchmarks.clusters --classes=100000 --clusters=20   # the defaults
python -m benchmarks.clusters --json

Costs minutes of all cores. Answers are made up: of the first K classes of an image four fifths are
of its label's own planted block, whose sizes differ as 1 to 5. `rand_index` tells how well the
clusters agree with the blocks, 1 being entirely.
"""

import numpy as np
from absl import app, flags
from sklearn.metrics import adjusted_rand_score

from benchmarks import measure
from kc_jax.core import confusion, spectral

_CLASSES = flags.DEFINE_integer("classes", 100_000, "In all clusters.", lower_bound=10)
_CLUSTERS = flags.DEFINE_integer("clusters", 20, "To be found.", lower_bound=2)
_TOP_K = flags.DEFINE_integer("top_k", 100, "Names that count of an image.", lower_bound=1)
_IMAGES = flags.DEFINE_integer("images", 100_000, "That are answered for.", lower_bound=1)
_LARGEST = flags.DEFINE_float("largest", 0.0, "See config.structure.largest.")
PART = 1000  # Images at once.


def planted(num_classes: int, num_clusters: int) -> np.ndarray:
    """Divides classes, in order, into blocks of sizes that differ as 1 to 5: i64[C]."""
    shares = np.linspace(1, 5, num_clusters)
    return np.searchsorted(np.cumsum(shares) / shares.sum(), np.arange(num_classes) / num_classes,
                           side="right")


def answers(truth: np.ndarray, rng: np.random.Generator):
    """Yields the made-up best classes of successive images, and their labels."""
    num_classes, near = len(truth), _TOP_K.value * 4 // 5
    starts = np.searchsorted(truth, np.arange(truth.max() + 2))
    for start in range(0, _IMAGES.value, PART):
        labels = np.arange(start, min(start + PART, _IMAGES.value)) % num_classes
        first, last = starts[truth[labels]], starts[truth[labels] + 1]
        shape = (len(labels), near)
        own = first[:, None] + (rng.random(shape) * (last - first)[:, None]).astype(np.int64)
        others = rng.integers(num_classes, size=(len(labels), _TOP_K.value - near))
        yield np.concatenate([own, others], axis=1), labels[:, None].tolist()


def compare() -> dict:
    """Counts and clusters once; gives the figures."""
    truth = planted(_CLASSES.value, _CLUSTERS.value)
    rng = np.random.default_rng(0)
    measure.forget_peak()
    count_s, counts = measure.timed(
        lambda: confusion.count_confusions(answers(truth, rng), _CLASSES.value)
    )
    cluster_s, found = measure.timed(
        lambda: spectral.cluster(counts, _CLUSTERS.value, seed=0, largest=_LARGEST.value)
    )
    return {
        "classes": _CLASSES.value, "clusters": _CLUSTERS.value, "top_k": _TOP_K.value,
        "images": _IMAGES.value, "largest": _LARGEST.value, "non_zeros": counts.nnz,
        "count_s": round(count_s, 3), "cluster_s": round(cluster_s, 3),
        "peak_rss_gib": round(measure.peak_resident_bytes() / 2**30, 2),
        "rand_index": round(float(adjusted_rand_score(truth, found.members)), 4),
    }


def main(argv) -> None:
    del argv
    measure.report(__file__, (compare() for _ in range(1)))


if __name__ == "__main__":
    app.run(main)
