import numpy as np
import pytest

from kc_jax.core import confusion
from tests.reference import structure

CLASSES = 12


def answers(num_images, seed=0, k=4):
    rng = np.random.default_rng(seed)
    best = np.argsort(rng.random((num_images, CLASSES)), axis=1)[:, :k].astype(np.int32)
    labels = [rng.integers(CLASSES, size=rng.integers(4)).tolist() for _ in range(num_images)]
    return best, labels


def in_parts(best, labels, size):
    return [
        (best[start : start + size], labels[start : start + size])
        for start in range(0, len(best), size)
    ]


@pytest.mark.parametrize("size", [1, 7, 50])
def test_confusions(size):
    best, labels = answers(50)
    found = confusion.count_confusions(in_parts(best, labels, size), CLASSES)
    np.testing.assert_array_equal(
        found.toarray(), structure.confusions(best, labels, CLASSES)
    )


@pytest.mark.parametrize("size", [1, 7, 50])
def test_co_detections(size):
    best, labels = answers(50)
    parts = (part for part, _ in in_parts(best, labels, size))
    found = confusion.count_co_detections(parts, CLASSES).toarray()
    np.testing.assert_array_equal(found, structure.co_detections(best, CLASSES))
    np.testing.assert_array_equal(found, found.T)


def test_counts_of_hosts_add_up():
    best, labels = answers(50)
    parts = in_parts(best, labels, 25)
    one, other = (confusion.count_confusions([part], CLASSES) for part in parts)
    whole = confusion.count_confusions(parts, CLASSES)
    np.testing.assert_array_equal((one + other).toarray(), whole.toarray())


def test_a_label_given_twice_counts_once():
    found = confusion.count_confusions([(np.array([[1, 2]]), [[0, 0]])], 3)
    np.testing.assert_array_equal(found.toarray(), [[0, 0, 0], [1, 0, 0], [1, 0, 0]])


def test_nothing_was_seen():
    found = confusion.count_confusions([], CLASSES)
    assert found.shape == (CLASSES, CLASSES) and found.nnz == 0
