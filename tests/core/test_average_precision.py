import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from kc_jax.core import average_precision as ap
from tests.reference import average_precision as reference


def examples(ties, num_examples=40, num_classes=6, seed=0):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(num_examples, num_classes)).astype(np.float32)
    if ties:
        scores = np.round(scores)
    labels = [
        rng.permutation(num_classes)[: rng.integers(1, 4)].tolist() for _ in range(num_examples)
    ]
    return scores, labels


@pytest.mark.parametrize("levels", [2, 5, 10_000])
@pytest.mark.parametrize("num_examples", [1, 2, 17, 300])
def test_equals_scikit_learn(levels, num_examples):
    rng = np.random.default_rng(num_examples)
    for _ in range(10):
        scores = rng.integers(levels, size=num_examples).astype(np.float32)
        positives = rng.permutation(num_examples)[: rng.integers(1, num_examples + 1)]
        truth = np.isin(np.arange(num_examples), positives)
        np.testing.assert_allclose(
            ap.average_precision(scores, positives),
            average_precision_score(truth, scores),
            rtol=1e-12,
        )


@pytest.mark.parametrize("ties", [False, True])
def test_every_class_equals_the_walk_over_thresholds(ties):
    scores, labels = examples(ties)
    np.testing.assert_allclose(
        ap.class_average_precision(scores, labels),
        reference.class_average_precision(scores, labels),
        rtol=1e-12,
    )


@pytest.mark.parametrize("ties", [False, True])
def test_vertical_means_by_columns_and_relative_labels(ties):
    scores, labels = examples(ties)
    means = []
    for start, stop in ((0, 4), (4, 6)):
        relative = [[c - start for c in ids] for ids in labels]
        means.append(np.nanmean(ap.class_average_precision(scores[:, start:stop], relative)))
    np.testing.assert_allclose(
        means, reference.vertical_average_precision(scores, labels, (4, 2)), rtol=1e-12
    )


def test_classes_without_positives_are_nan():
    values = ap.class_average_precision(np.zeros((3, 2), np.float32), [[1], [1, 1], [1, -1, 7]])
    np.testing.assert_array_equal(values, [np.nan, 1.0])


def test_perfect_worst_and_constant_scores():
    scores = np.array([3, 2, 1, 0], np.float32)
    assert ap.average_precision(scores, np.array([0, 1])) == 1.0
    assert ap.average_precision(scores, np.array([3])) == 0.25
    assert ap.average_precision(np.zeros(4, np.float32), np.array([2])) == 0.25


SCORES = np.array([[0.9, 0.8, 0.7, 0.1], [0.1, 0.2, 0.3, 0.4]], np.float32)
LABELS = [[0, 2], [1]]


@pytest.mark.parametrize(
    "k, expected",
    [
        (1, (1 / 1 + 0) / 2),
        (2, (1 / 2 + 0) / 2),
        (3, ((1 + 2 / 3) / 2 + 1 / 3) / 2),
        (99, ((1 + 2 / 3) / 2 + 1 / 3) / 2),
    ],
)
def test_average_precision_at_k_by_hand(k, expected):
    np.testing.assert_allclose(ap.average_precision_at_k(SCORES, LABELS, k), expected, rtol=1e-12)


@pytest.mark.parametrize("k", [1, 3, 6])
@pytest.mark.parametrize("ties", [False, True])
def test_average_precision_at_k_equals_the_reference(ties, k):
    scores, labels = examples(ties)
    np.testing.assert_allclose(
        ap.average_precision_at_k(scores, labels, k),
        reference.average_precision_at_k(scores, labels, k),
        rtol=1e-12,
    )


@pytest.mark.parametrize("k, expected", [(1, 0.5), (2, 0.5), (3, 1.0), (99, 1.0)])
def test_top_k_accuracy_by_hand(k, expected):
    assert ap.top_k_accuracy(SCORES, LABELS, k) == expected


@pytest.mark.parametrize("k", [1, 5, 30])
def test_best_classes_break_ties_by_class_id(k):
    scores = np.random.default_rng(0).integers(3, size=(20, 30)).astype(np.float32)
    expected = np.argsort(-scores, axis=-1, kind="stable")[:, :k]
    np.testing.assert_array_equal(ap.best_classes(scores, k), expected)
