import numpy as np
import pytest

from kc_jax.core.soft_targets import top_k
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
    ids, probs = top_k(logits(kind), k)
    expected_ids, expected_probs = reference.top_k(logits(kind), k)
    assert (ids.dtype, probs.dtype) == (np.int32, np.float32)
    np.testing.assert_array_equal(ids, expected_ids)
    np.testing.assert_allclose(probs, expected_probs, rtol=1e-6)


def test_probabilities_are_sigmoids_and_not_renormalised():
    ids, probs = top_k(np.array([[0.0, 2.0, -1.0]], np.float32), 2)
    np.testing.assert_array_equal(ids, [[1, 0]])
    np.testing.assert_allclose(probs, [[1 / (1 + np.exp(-2)), 0.5]], rtol=1e-6)


def test_small_verticals_keep_what_they_have():
    ids, probs = top_k(np.zeros((3, 2), np.float32), 10)
    assert ids.shape == probs.shape == (3, 2)


@pytest.mark.parametrize("k", [0, -1])
def test_k_below_one(k):
    with pytest.raises(ValueError, match=f"top_k is {k}; expected at least 1"):
        top_k(logits("distinct"), k)
