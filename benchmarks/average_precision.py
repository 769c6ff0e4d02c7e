"""Average precision of every class of a large vertical, against scikit-learn called class by class.

    python benchmarks/average_precision.py --classes=5000 --images=250000

Scores are random and go through the spill that evaluation uses. First a few classes, ours and
scikit-learn's turn by turn in one process; then all classes, in a process of their own, for the
total time and the peak of resident memory. A line is added to average_precision.csv.
"""

import concurrent.futures
import csv
import datetime
import importlib.metadata
import json
import multiprocessing
import os
import pathlib
import platform
import resource
import statistics
import tempfile
import time
from collections.abc import Callable

import numpy as np
from absl import app, flags

from kc_jax.core import average_precision as ap
from kc_jax.data import score_spill

CLASSES = flags.DEFINE_integer("classes", 5000, "Classes of the vertical.", 1)
IMAGES = flags.DEFINE_integer("images", 250_000, "Images of the vertical.", 1)
POSITIVES = flags.DEFINE_integer("positives", 50, "Images that have a class.", 1)
ROUNDS = flags.DEFINE_integer("rounds", 15, "Turns of the comparison.", 1)
JSON = flags.DEFINE_bool("json", False, "Print one line of JSON instead.")

RESULTS = pathlib.Path(__file__).with_suffix(".csv")
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
        seconds += timed(lambda scores=scores: spill.append(scores))[0]
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
    ours_seconds, peer_seconds, differences = [], [], []
    with tempfile.TemporaryDirectory() as directory, score_spill.ScoreSpill(
        pathlib.Path(directory), num_images, COMPARED_CLASSES
    ) as spill:
        fill(spill, rng, num_images, COMPARED_CLASSES)
        rows = np.concatenate([scores.copy() for _, scores in spill.blocks()])
        for turn in range(rounds):
            class_id = turn % COMPARED_CLASSES
            seconds, values = timed(lambda: judge(spill, positives))
            ours_seconds.append(seconds / COMPARED_CLASSES)
            truth = np.zeros(num_images, np.bool_)
            truth[positives[class_id]] = True
            row = rows[class_id]
            seconds, value = timed(lambda t=truth, r=row: average_precision_score(t, r))
            peer_seconds.append(seconds)
            differences.append(abs(value - values[class_id]) / value)
    ours, peer = statistics.median(ours_seconds), statistics.median(peer_seconds)
    return {
        "ours_ms_per_class": round(1e3 * ours, 3),
        "sklearn_ms_per_class": round(1e3 * peer, 3),
        "ratio": round(peer / ours, 1),
        "largest_relative_difference": float(f"{max(differences):.1e}"),
    }


def judge_all(num_images: int, num_classes: int, num_positives: int) -> dict[str, float]:
    """Spills and judges all classes; gives the seconds and the process's peak of memory."""
    rng = np.random.default_rng(0)
    positives = draw_positives(rng, num_images, num_classes, num_positives)
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        score_spill.check_space(directory, 4 * num_images * num_classes)
        with score_spill.ScoreSpill(directory, num_images, num_classes) as spill:
            spill_seconds = fill(spill, rng, num_images, num_classes)
            judge_seconds, values = timed(lambda: judge(spill, positives))
    assert np.all(values > 0)
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB on Linux.
    return {
        "spill_seconds": round(spill_seconds, 1),
        "judge_seconds": round(judge_seconds, 1),
        "total_seconds": round(spill_seconds + judge_seconds, 1),
        "scores_gib": round(4 * num_images * num_classes / 2**30, 2),
        "peak_rss_gib": round(peak_kib / 2**20, 3),
    }


def timed(call: Callable) -> tuple[float, object]:
    """Gives the seconds that a call took, and its result."""
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def surroundings() -> dict[str, str]:
    """Says where and with what the figures were measured."""
    models = [
        line.split(":", 1)[1].strip()
        for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        if line.startswith("model name")
    ]
    return {
        "date": datetime.date.today().isoformat(),
        "machine": f"{models[0] if models else platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "sklearn": importlib.metadata.version("scikit-learn"),
    }


def main(argv) -> None:
    del argv
    shape = {"classes": CLASSES.value, "images": IMAGES.value, "positives": POSITIVES.value}
    compared = compare(IMAGES.value, POSITIVES.value, ROUNDS.value)
    with concurrent.futures.ProcessPoolExecutor(
        1, mp_context=multiprocessing.get_context("spawn")
    ) as pool:
        whole = pool.submit(judge_all, IMAGES.value, CLASSES.value, POSITIVES.value).result()
    result = {**shape, **compared, **whole, **surroundings()}
    is_new = not RESULTS.exists()
    with RESULTS.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, result)
        if is_new:
            writer.writeheader()
        writer.writerow(result)
    print(json.dumps(result) if JSON.value else "\n".join(
        f"{name:<28} {value}" for name, value in result.items()
    ))


if __name__ == "__main__":
    app.run(main)
