import numpy as np
import pytest

from kc_jax.core import quantisation
from kc_jax.core.soft_targets import disagreement, kept_mass, label_rank, secondary_mass, top_k
from tests.reference import soft_targets as reference


def logits(kind, size=50):
    rng = np.random.default_rng(0)
    return {
        "distinct": rng.normal(0, 4, (8, size)),
        "ties": rng.integers(-2, 3, (8, size)),
        "all equal": np.full((8, size), -3.0),
        "extreme": rng.choice([-1e4, 1e4, 0.0], (8, size)),
    }[kind].astype(np.float32)


@pytest.mark.parametrize("k", [1, 7, 49, 50, 51])
@pytest.mark.parametrize("kind", ["distinct", "ties", "all equal", "extreme"])
def test_equals_the_reference(kind, k):
    ids, kept = top_k(logits(kind), k)
    expected_ids, expected_logits = reference.top_k(logits(kind), k)
    assert (ids.dtype, kept.dtype) == (np.int32, np.float32)
    np.testing.assert_array_equal(ids, expected_ids)
    np.testing.assert_array_equal(kept, expected_logits)


def test_small_verticals_keep_what_they_have():
    ids, kept = top_k(np.zeros((3, 2), np.float32), 10)
    assert ids.shape == kept.shape == (3, 2)


@pytest.mark.parametrize("k", [0, -1])
def test_k_below_one(k):
    with pytest.raises(ValueError, match=f"top_k is {k}; expected at least 1"):
        top_k(logits("distinct"), k)


@pytest.mark.parametrize("k", [1, 7, 50])
@pytest.mark.parametrize("kind", ["distinct", "ties", "all equal", "extreme"])
def test_kept_mass_equals_the_reference(kind, k):
    rows = logits(kind)
    rows[:, 0] = 1.0  # Some probability to be kept.
    _, kept = top_k(rows, k)
    mass = kept_mass(rows, kept)
    assert mass.dtype == np.float32
    np.testing.assert_allclose(mass, reference.kept_mass(rows, k), rtol=1e-5)


def test_label_rank_is_the_place_of_the_first_label():
    ids = np.array([[4, 2, 7], [4, 2, 7], [4, 2, 7], [4, 2, 7]], np.int32)
    rank = label_rank(ids, [{4}, {7, 2}, {1, 3}, set()])
    np.testing.assert_array_equal(rank, [0, 1, 3, 3])
    assert rank.dtype == np.int64


@pytest.mark.parametrize("num_similar", [2, 5, 60])
@pytest.mark.parametrize("kind", ["distinct", "ties", "all equal", "extreme"])
def test_secondary_mass_equals_the_reference(kind, num_similar):
    rows = logits(kind)
    right = [[], [0], [49, 3], list(range(50)), [7], [8, 9, 10], [1], [2]]
    before = rows.copy()
    found = secondary_mass(rows, right, num_similar)
    for mass, expected in zip(
        found, reference.secondary_mass(rows, right, num_similar), strict=True
    ):
        assert mass.dtype == np.float32
        np.testing.assert_allclose(mass, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(rows, before)


def as_stored(rows, k):
    ids, kept = top_k(rows, k)
    return ids, quantisation.quantise(kept)


@pytest.mark.parametrize("k", [1, 7, 50])
@pytest.mark.parametrize("kind", ["distinct", "ties", "all equal", "extreme"])
def test_what_was_stored_agrees(kind, k):
    rows = logits(kind)
    np.testing.assert_array_equal(disagreement(rows, *as_stored(rows, k)) < 1e-12, True)


@pytest.mark.parametrize("k", [1, 7, 50])
@pytest.mark.parametrize("spread", [1e-4, 1e-2, 0.5])
def test_moved_logits_disagree_by_no_more_than_they_moved(k, spread):
    rng = np.random.default_rng(0)
    rows = rng.normal(-6, 6, (400, 50)).astype(np.float32)
    # Some at the very knots, where the steps change their width.
    rows[:, ::5] = rng.choice(quantisation.KNOT_LOG_ODDS, (400, 10))
    noise = rng.uniform(-spread, spread, rows.shape).astype(np.float32)
    assert np.all(disagreement(rows + noise, *as_stored(rows, k)) <= spread + 1e-5)


@pytest.mark.parametrize("class_id, moved, least", [
    (0, 0.5, 0.49), (0, -0.5, 0.49),  # A kept class has another probability.
    (4, 6.5, 1.24),  # A class that was not kept is 2.5 above the least of the kept.
    (1, -7.0, 6.9),  # A kept class is no longer among them.
])
def test_other_logits_disagree(class_id, moved, least):
    rows = np.array([[3.0, 1.0, -1.0, -2.0, -5.0]], np.float32)
    stored = as_stored(rows, 3)
    rows[0, class_id] += moved
    found = disagreement(rows, *stored)
    assert found.dtype == np.float64 and least < found[0] <= abs(moved)


def test_swaps_near_the_last_place_are_no_disagreement():
    rows = np.array([[3.0, 1.0, -1.0, -1.0 - 1e-5]], np.float32)
    stored = as_stored(rows, 3)
    assert disagreement(rows[:, [0, 1, 3, 2]], *stored)[0] < 1e-5
