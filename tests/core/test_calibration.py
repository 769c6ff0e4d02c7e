import numpy as np
import pytest

from kc_jax.core import calibration
from tests.reference import calibration as reference


def drawn(num, temperature, bias, seed=0):
    """Draws logits, and names that are right as often as these parameters say."""
    rng = np.random.default_rng(seed)
    logits = temperature * (rng.normal(size=num) * 2 - bias)
    chances = calibration.probability(logits, temperature, bias)
    return logits, rng.random(num) < chances


@pytest.mark.parametrize("temperature, bias", [(1.0, 0.0), (0.4, 1.5), (3.0, -2.0)])
def test_fit_is_where_a_search_finds_the_least_loss(temperature, bias):
    logits, is_right = drawn(30, temperature, bias)
    found = calibration.fit(logits, is_right)
    wanted = reference.fit(logits.tolist(), is_right.tolist())
    assert found == pytest.approx(wanted, rel=1e-5, abs=1e-5)


def test_fit_finds_what_the_names_were_drawn_with():
    logits, is_right = drawn(200_000, 3.0, -2.0)
    assert calibration.fit(logits, is_right) == pytest.approx((3.0, -2.0), rel=0.03)


@pytest.mark.parametrize("scale, shift", [(1e-3, 0.0), (250.0, -9e3), (1.0, 40.0)])
def test_fit_follows_logits_of_any_scale_and_shift(scale, shift):
    logits, is_right = drawn(300, 2.0, 1.0)
    temperature, bias = calibration.fit(logits, is_right)
    moved = calibration.fit(scale * logits + shift, is_right)
    wanted = (scale * temperature, bias - shift / (scale * temperature))
    assert moved == pytest.approx(wanted, rel=1e-5)


def test_at_the_best_bias_probabilities_add_up_to_the_targets():
    logits, is_right = drawn(5_000, 0.7, -1.0)
    p = calibration.probability(logits, *calibration.fit(logits, is_right))
    num_right = is_right.sum()
    targets = np.where(is_right, (num_right + 1) / (num_right + 2), 1 / (5_002 - num_right))
    assert p.sum() == pytest.approx(targets.sum(), rel=1e-8)
    assert (p * logits).sum() == pytest.approx((targets * logits).sum(), rel=1e-6)


@pytest.mark.parametrize("is_right, share", [
    ([False] * 8, 0.1), ([True] * 8, 0.9), ([False, True] * 4, 0.5),
])
def test_logits_that_tell_nothing_keep_the_order_and_give_the_share(is_right, share):
    logits = np.repeat(np.array([-1.0, -1.0, 3.0, 3.0]), 2)
    temperature, bias = calibration.fit(logits, np.array(is_right))
    low, high = calibration.probability(np.array([-1.0, 3.0]), temperature, bias)
    assert low < high and low == pytest.approx(share, abs=2e-3) == pytest.approx(high, abs=2e-3)


def test_logits_that_mislead_keep_their_order():
    temperature, bias = calibration.fit(np.arange(6.0), np.arange(6) < 3)
    assert np.isfinite([temperature, bias]).all() and temperature > 100


def test_nothing_to_learn_from_leaves_logits_as_they_are():
    assert calibration.fit(np.zeros(0), np.zeros(0, np.bool_)) == (1.0, 0.0)


def test_logits_that_tell_all_or_are_all_equal_have_a_finite_fit():
    logits = np.arange(80.0)
    p = calibration.probability(logits, *calibration.fit(logits, logits >= 40))
    assert p[0] < 0.01 and p[39] < 0.5 < p[40] and 0.99 < p[-1] < 1
    equal = calibration.fit(np.zeros(4), np.array([True, True, True, False]))
    assert calibration.probability(np.zeros(1), *equal) == pytest.approx((3 * 0.8 + 1 / 3) / 4)


def test_probabilities_are_those_of_the_formula_at_both_ends():
    logits = np.array([-1e4, -30.0, -1.0, 0.0, 2.0, 30.0, 1e4])
    found = calibration.probability(logits, 2.0, 0.5)
    wanted = [reference.probability(x, 2.0, 0.5) for x in logits[1:].tolist()]
    np.testing.assert_allclose(found[1:], wanted, atol=1e-15)
    assert found[0] == 0.0 and found[-1] == 1.0


@pytest.mark.parametrize("num", [1, 7, 500])
def test_the_error_equals_the_formula(num):
    rng = np.random.default_rng(num)
    confidence = np.append(rng.random(num), [0.0, 1.0, 0.2, 0.4])
    is_right = rng.random(len(confidence)) < confidence**2
    wanted = reference.expected_calibration_error(confidence, is_right, calibration.NUM_BINS)
    found = calibration.expected_calibration_error(confidence, is_right)
    assert found == pytest.approx(wanted, rel=1e-12)


def test_the_error_of_what_is_known_by_hand():
    confidence = np.array([0.9, 0.9, 0.9, 0.9, 0.1])
    is_right = np.array([True, True, True, False, False])
    found = calibration.expected_calibration_error(confidence, is_right)
    assert found == pytest.approx((4 * 0.15 + 0.1) / 5)
    assert calibration.expected_calibration_error(confidence[:0], is_right[:0]) is None


@pytest.mark.parametrize("wanted_precision", [0.0, 0.5, 0.75, 0.9, 1.0])
@pytest.mark.parametrize("levels", [3, 10_000])
def test_the_threshold_is_the_lowest_that_a_search_finds(levels, wanted_precision):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        confidence = rng.integers(levels, size=25) / levels
        is_right = rng.random(25) < 0.3 + 0.7 * confidence
        found = calibration.threshold_at(confidence, is_right, wanted_precision)
        assert found == reference.threshold_at(confidence, is_right, wanted_precision)


def test_a_precision_that_is_never_reached_has_no_threshold():
    confidence, is_right = np.array([0.9, 0.8, 0.7]), np.array([False, True, True])
    assert calibration.threshold_at(confidence, is_right, 0.9) is None
    assert calibration.threshold_at(confidence, is_right, 0.6) == 0.7
    assert calibration.threshold_at(confidence[:0], is_right[:0], 0.5) is None


def test_a_precision_that_is_just_reached_has_one():
    confidence, is_right = np.linspace(1, 0.01, 100), np.arange(100) % 20 < 11
    assert calibration.threshold_at(confidence, is_right, 0.55) == confidence[-1]
