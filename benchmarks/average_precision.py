"""Average precision of every class of a large vertical, against scikit-learn called class by class.

python -m benchmarks.average_precision --classes=5000 --images=250000   # the defaults
python -m benchmarks.average_precision --json

Costs minutes of one core, and 4 bytes a class and image of the temporary folder (4.7 GiB).

Scores are random and go through the spill that evaluation uses. First a few classes, ours and
scikit-learn's turn by turn in one process; then all classes, in a process of their own, for the
total time and the peak of resident memory.
"""

import concurrent.futures
import itertools
import multiprocessing
import pathlib
import tempfile

import numpy as np
from absl import app, flags

from benchmarks import measure
from kc_jax import disk_space
from kc_jax.core import average_precision as ap
from kc_jax.data import score_spill

_CLASSES = flags.DEFINE_integer("classes", 5000, "Classes of the vertical.", 1)
_IMAGES = flags.DEFINE_integer("images", 250_000, "Images of the vertical.", 1)
_POSITIVES = flags.DEFINE_integer("positives", 50, "Images that have a class.", 1)
flags.set_default(measure.ROUNDS, 15)

COMPARED_CLASSES = 32
BATCH_SIZE = 256


def fill(
    spill: score_spill.ScoreSpill, rng: np.random.Generator, num_images: int, num_classes: int
) -> float:
    """Spills random scores batch by batch; gives the seconds it took without drawing them."""
    seconds = 0.0
    for start in range(0, num_images, BATCH_SIZE):
        shape = (min(BATCH_SIZE, num_images - start), num_classes)
        scores = rng.standard_normal(shape, np.float32)
        seconds += measure.timed(lambda scores=scores: spill.append(scores))[0]
    return seconds


def judge(spill: score_spill.ScoreSpill, positives: np.ndarray) -> np.ndarray:
    """Gives the average precision of every class, as `stages.judging` does: f64[C]."""
    return np.concatenate([
        ap.class_average_precision(scores, positives[classes.start : classes.stop])
        for classes, scores in spill.blocks()
    ])


def draw_positives(
    rng: np.random.Generator, num_images: int, num_classes: int, num_positives: int
) -> np.ndarray:
    """Draws the images of every class: i64[C, P], different within a class."""
    return np.stack([
        rng.choice(num_images, num_positives, replace=False) for _ in range(num_classes)
    ])


def compare(num_images: int, num_positives: int, rounds: int) -> dict[str, float]:
    """Times ours and scikit-learn in turn on the same scores, and compares what they find."""
    from sklearn.metrics import average_precision_score

    rng = np.random.default_rng(0)
    positives = draw_positives(rng, num_images, COMPARED_CLASSES, num_positives)
    turns, found, differences = itertools.cycle(range(COMPARED_CLASSES)), {}, []

    def ours() -> float:
        seconds, found["values"] = measure.timed(lambda: judge(spill, positives))
        return seconds / COMPARED_CLASSES

    def peer() -> float:
        class_id = next(turns)
        truth = np.zeros(num_images, np.bool_)
        truth[positives[class_id]] = True
        seconds, value = measure.timed(lambda: average_precision_score(truth, rows[class_id]))
        differences.append(abs(value - found["values"][class_id]) / value)
        return seconds

    with tempfile.TemporaryDirectory() as directory, score_spill.ScoreSpill(
        pathlib.Path(directory), num_images, COMPARED_CLASSES
    ) as spill:
        fill(spill, rng, num_images, COMPARED_CLASSES)
        rows = np.concatenate([scores.copy() for _, scores in spill.blocks()])
        medians = measure.interleaved_medians({"ours": ours, "sklearn": peer}, rounds)
    return {
        "ours_ms_per_class": round(1e3 * medians["ours"], 3),
        "sklearn_ms_per_class": round(1e3 * medians["sklearn"], 3),
        "ratio": round(medians["sklearn"] / medians["ours"], 1),
        "largest_relative_difference": float(f"{max(differences):.1e}"),
    }


def judge_all(num_images: int, num_classes: int, num_positives: int) -> dict[str, float]:
    """Spills and judges all classes; gives the seconds and the process's peak of memory."""
    rng = np.random.default_rng(0)
    positives = draw_positives(rng, num_images, num_classes, num_positives)
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        disk_space.check_space(directory, 4 * num_images * num_classes, "the scores")
        with score_spill.ScoreSpill(directory, num_images, num_classes) as spill:
            spill_seconds = fill(spill, rng, num_images, num_classes)
            judge_seconds, values = measure.timed(lambda: judge(spill, positives))
    assert np.all(values > 0)
    return {
        "spill_seconds": round(spill_seconds, 1),
        "judge_seconds": round(judge_seconds, 1),
        "total_seconds": round(spill_seconds + judge_seconds, 1),
        "scores_gib": round(4 * num_images * num_classes / 2**30, 2),
        "peak_rss_gib": round(measure.peak_resident_bytes() / 2**30, 3),
    }


def main(argv) -> None:
    del argv
    shape = {"classes": _CLASSES.value, "images": _IMAGES.value, "positives": _POSITIVES.value}
    compared = compare(_IMAGES.value, _POSITIVES.value, measure.ROUNDS.value)
    with concurrent.futures.ProcessPoolExecutor(
        1, mp_context=multiprocessing.get_context("spawn")
    ) as pool:
        whole = pool.submit(judge_all, _IMAGES.value, _CLASSES.value, _POSITIVES.value).result()
    measure.report(__file__, [shape | compared | whole])


if __name__ == "__main__":
    app.run(main)
