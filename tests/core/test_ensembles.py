import numpy as np
import pytest

from kc_jax.core import ensembles

SCORES = np.random.default_rng(0).dirichlet(np.ones(5), (3, 40)).astype(np.float32)


def test_softmax():
    logits = np.float32([[1000.0, 0.0], [0.0, np.log(3.0)]])
    np.testing.assert_allclose(ensembles.softmax(logits), [[1, 0], [0.25, 0.75]], rtol=1e-6)


def test_running_means():
    means = list(ensembles.running_means(SCORES))
    assert len(means) == 3
    for count, mean in enumerate(means, start=1):
        expected = sum(SCORES[i].astype(np.float64) for i in range(count)) / count
        np.testing.assert_allclose(mean, expected, rtol=1e-12)


def test_sorted_scores():
    expected = [np.mean([sorted(row)[-1 - place] for row in SCORES[0]]) for place in range(3)]
    np.testing.assert_allclose(ensembles.sorted_scores(SCORES[0], 3), expected, rtol=1e-6)
    assert len(ensembles.sorted_scores(SCORES[0], 9)) == 5


def test_secondary_classes():
    """Counts in plain loops."""
    labels = np.argmax(SCORES[0], -1)
    labels[::4] = (labels[::4] + 1) % 5  # A quarter is named wrongly.
    counts, totals, sums = {}, {}, {}
    for row, label in zip(SCORES[0], labels.tolist(), strict=True):
        first, second = sorted(range(5), key=lambda c: -row[c])[:2]
        if first == label:
            totals[label] = totals.get(label, 0) + 1
            counts[label, second] = counts.get((label, second), 0) + 1
            sums[label, second] = sums.get((label, second), 0.0) + float(row[second])
    found = ensembles.secondary_classes(SCORES[0], labels, 100)
    assert len(found) == len(counts)
    given = [pair["share"] * pair["score"] for pair in found]
    assert given == sorted(given, reverse=True)
    for pair in found:
        key = pair["class_id"], pair["secondary_id"]
        assert pair["share"] == pytest.approx(counts[key] / totals[key[0]])
        assert pair["score"] == pytest.approx(sums[key] / counts[key])
    assert ensembles.secondary_classes(SCORES[0], labels, 2) == found[:2]
