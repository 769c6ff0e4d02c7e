import numpy as np
import pytest

from kc_jax.core import log_odds
from tests.reference import log_odds as reference


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_probabilities_equal_the_reference(dtype):
    rng = np.random.default_rng(0)
    probs = np.concatenate([[0, 1, 0.5, 1e-30, 1e-7, 1 - 1e-6], rng.uniform(size=50)]).astype(dtype)
    found = log_odds.of_probabilities(probs)
    assert found.dtype == np.float32
    wanted = [reference.of_probability(float(p)) for p in probs]
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("scale", [0.0, 1.0, 10.0, 30.0])
def test_softmax_equals_the_reference(scale):
    logits = np.random.default_rng(0).normal(0, scale, (20, 7)).astype(np.float32)
    found = log_odds.of_softmax(logits)
    assert found.dtype == np.float32
    wanted = np.array([reference.of_softmax([float(x) for x in row]) for row in logits])
    # Beyond 16 a store tells nothing apart, and 1 − p has no digits left in f64 beyond 36.
    within = np.abs(wanted) < 30
    np.testing.assert_allclose(found[within], wanted[within], rtol=1e-5, atol=1e-6)
    assert np.all(np.abs(found[~within]) > 29) and within.any()


def test_softmax_of_two_is_the_sigmoid_of_their_difference():
    found = log_odds.of_softmax(np.array([[3.0, 1.0]], np.float32))
    np.testing.assert_allclose(found, [[2.0, -2.0]], rtol=1e-6)


def test_logits_stay_as_they_are_up_to_the_limit():
    found = log_odds.of_logits(np.array([-1e9, -79.0, 0.0, 3.5, 1e9]))
    np.testing.assert_array_equal(found, np.array([-80, -79, 0, 3.5, 80], np.float32))


def test_large_logits_have_a_softmax():
    found = log_odds.of_softmax(np.array([[1e4, -1e4, 0.0]], np.float32))
    np.testing.assert_array_equal(found, [[80, -80, -80]])


@pytest.mark.parametrize("kind, values, good", [
    ("probabilities", [0.0, 1.0, 1 + 1e-7, -1e-7], True),
    ("probabilities", [-1e-3, 1.001, np.nan, np.inf], False),
    ("logits", [-1e9, 0.0, 7.0], True),
    ("softmax", [np.nan, np.inf, -np.inf], False),
])
def test_what_can_be_a_value(kind, values, good):
    np.testing.assert_array_equal(log_odds.is_valid(np.array(values), kind), good)
