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


def class_average_precision(scores, labels, classes):
    return ap.class_average_precision(scores[:, classes].T, ap.positives_of(labels, classes))


@pytest.mark.parametrize("levels", [2, 5, 10_000])
@pytest.mark.parametrize("num_examples", [1, 2, 17, 300])
def test_equals_scikit_learn(levels, num_examples):
    rng = np.random.default_rng(num_examples)
    scores = rng.integers(levels, size=(10, num_examples)).astype(np.float32)
    positives = [
        rng.permutation(num_examples)[: rng.integers(1, num_examples + 1)] for _ in scores
    ]
    truth = [np.isin(np.arange(num_examples), examples) for examples in positives]
    np.testing.assert_allclose(
        ap.class_average_precision(scores, positives),
        [average_precision_score(t, s) for t, s in zip(truth, scores, strict=True)],
        rtol=1e-12,
    )


@pytest.mark.parametrize("ties", [False, True])
def test_every_class_equals_the_walk_over_thresholds(ties):
    scores, labels = examples(ties)
    np.testing.assert_allclose(
        class_average_precision(scores, labels, range(6)),
        reference.class_average_precision(scores, labels),
        rtol=1e-12,
    )


@pytest.mark.parametrize("ties", [False, True])
def test_vertical_means(ties):
    scores, labels = examples(ties)
    means = [
        np.nanmean(class_average_precision(scores, labels, classes))
        for classes in (range(4), range(4, 6))
    ]
    np.testing.assert_allclose(
        means, reference.vertical_average_precision(scores, labels, (4, 2)), rtol=1e-12
    )


@pytest.mark.parametrize("levels", [3, 10_000])
def test_hosts_that_share_the_examples_find_the_same_to_the_bit(levels):
    rng = np.random.default_rng(0)
    scores = rng.integers(levels, size=(20, 3000)).astype(np.float32)
    is_positive = rng.random(scores.shape) < 0.03
    whole = ap.class_average_precision(scores, [np.flatnonzero(row) for row in is_positive])
    hosts = np.array_split(rng.permutation(3000), [700, 705])
    for row, positive, value in zip(scores, is_positive, whole, strict=True):
        thresholds = np.concatenate([row[host][positive[host]] for host in hosts])
        at_least = sum(ap.count_at_least(row[host], thresholds) for host in hosts)
        assert ap.average_precision(thresholds, at_least) == value


def test_classes_without_positives_are_nan():
    positives = ap.positives_of([[4], [4, 4], [4, 2, 9]], range(3, 5))
    assert [ids.tolist() for ids in positives] == [[], [0, 1, 2]]
    values = ap.class_average_precision(np.zeros((2, 3), np.float32), positives)
    np.testing.assert_array_equal(values, [np.nan, 1.0])


def test_perfect_worst_and_constant_scores():
    scores = np.array([[3, 2, 1, 0], [3, 2, 1, 0], [0, 0, 0, 0]], np.float32)
    positives = [np.array([0, 1]), np.array([3]), np.array([2])]
    assert ap.class_average_precision(scores, positives).tolist() == [1.0, 0.25, 0.25]


SCORES = np.array([[0.9, 0.8, 0.7, 0.1], [0.1, 0.2, 0.3, 0.4]], np.float32)
LABELS = [[0, 2], [1]]


def hits_of(scores, labels, k):
    names = ap.best_classes(scores, min(k, scores.shape[1]))
    return ap.are_labels(names, labels)


def average_precision_at_k(scores, labels, k):
    num_labels = np.array([len(set(ids)) for ids in labels])
    return np.mean(ap.average_precision_at_k(hits_of(scores, labels, k), num_labels, k))


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
    np.testing.assert_allclose(average_precision_at_k(SCORES, LABELS, k), expected, rtol=1e-12)


@pytest.mark.parametrize("k", [1, 3, 6])
@pytest.mark.parametrize("ties", [False, True])
def test_average_precision_at_k_equals_the_reference(ties, k):
    scores, labels = examples(ties)
    np.testing.assert_allclose(
        average_precision_at_k(scores, labels, k),
        reference.average_precision_at_k(scores, labels, k),
        rtol=1e-12,
    )


def test_average_precision_at_k_looks_at_the_first_names_only():
    hits = np.array([[False, True, True]])
    assert ap.average_precision_at_k(hits, np.array([2]), 2).tolist() == [1 / 4]


@pytest.mark.parametrize("k, expected", [
    (1, [[True], [False]]),
    (3, [[True, False, True], [False, False, True]]),
])
def test_names_that_are_labels(k, expected):
    assert hits_of(SCORES, LABELS, k).tolist() == expected


def test_no_examples_have_no_hits():
    none = np.zeros((0, 7), np.float32)
    assert hits_of(none, [], 3).shape == (0, 3)


@pytest.mark.parametrize("k", [1, 5, 30])
def test_best_classes_break_ties_by_class_id(k):
    scores = np.random.default_rng(0).integers(3, size=(20, 30)).astype(np.float32)
    scores[::2, 2:] = -np.inf
    expected = np.argsort(-scores, axis=-1, kind="stable")[:, :k]
    np.testing.assert_array_equal(ap.best_classes(scores, k), expected)
