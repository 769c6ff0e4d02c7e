import itertools

import numpy as np
import pytest

from kc_jax.core import quantisation
from tests.reference import losses, soft_targets
from tests.reference import quantisation as reference

# What a student may say of a class: nothing, everything, and much between.
STUDENTS = np.concatenate([-np.logspace(2.5, -3, 60), [0.0], np.logspace(-3, 2.5, 60)])
NUM_CLASSES, TOP_K, ROWS = 5000, 100, 64


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def stored(log_odds):
    """Gives the probabilities as the store keeps them."""
    return quantisation.probabilities_of(quantisation.quantise(log_odds)).astype(np.float64)


def terms(logits, probs):
    """Gives each class's own term of the sigmoid cross-entropy."""
    return np.logaddexp(0, logits) - probs * logits


def test_levels_are_those_of_the_reference():
    values = reference.all_log_odds()
    np.testing.assert_allclose(
        quantisation.log_odds_of(np.arange(quantisation.MAX_LEVEL + 1)), values, atol=1e-12
    )
    rng = np.random.default_rng(0)
    for log_odds in [*rng.uniform(-17, 17, 40), *quantisation.KNOT_LOG_ODDS, -1e4, 1e4]:
        assert quantisation.quantise(log_odds) == reference.nearest_level(log_odds, values)


def test_probabilities_are_the_sigmoids_of_their_levels():
    levels = np.arange(0, quantisation.MAX_LEVEL + 1, 7)
    probs = quantisation.probabilities_of(levels)
    expected = [soft_targets.sigmoid(x) for x in quantisation.log_odds_of(levels)]
    assert probs.dtype == np.float32
    np.testing.assert_allclose(probs, expected, rtol=1e-7)


def test_rounding_moves_by_half_a_step_at_most():
    log_odds = np.linspace(-16, 16, 1_000_001)
    moved = np.abs(quantisation.log_odds_of(quantisation.quantise(log_odds)) - log_odds)
    bound = quantisation.half_step(log_odds)
    assert np.all(moved <= bound * (1 + 1e-9))
    for start, end in itertools.pairwise(quantisation.KNOT_LOG_ODDS):
        inside = (log_odds > start) & (log_odds < end)
        assert np.max(moved[inside] / bound[inside]) > 0.95  # As far as it says, too.


def test_higher_log_odds_never_have_a_lower_level():
    levels = quantisation.quantise(np.linspace(-20, 20, 100_001)).astype(np.int64)
    assert np.all(np.diff(levels) >= 0)


def test_every_class_of_likely_log_odds_changes_its_own_term_by_less_than_a_thousandth():
    log_odds = np.linspace(-9.7, 5, 40_001)[:, None]
    before, after = terms(STUDENTS, sigmoid(log_odds)), terms(STUDENTS, stored(log_odds))
    # f32 keeps probabilities near 1 to 3e-8.
    assert np.all(np.abs(after - before) <= 1e-3 * before + 3e-8 * np.abs(STUDENTS))


@pytest.mark.parametrize("low, high, slope", [
    (-16.0, -9.7, 2.4e-7), (5.0, 16.0, 2.3e-5), (-40.0, -16.0, 1.2e-7), (16.0, 40.0, 1.6e-7),
])
def test_every_other_class_changes_the_loss_by_next_to_nothing(low, high, slope):
    log_odds = np.linspace(low, high, 20_001)[:, None]
    change = np.abs(terms(STUDENTS, stored(log_odds)) - terms(STUDENTS, sigmoid(log_odds)))
    assert np.all(change <= slope * np.abs(STUDENTS))
    assert np.any(change > 0.3 * slope * np.abs(STUDENTS))


def teachers(kind):
    """Draws the log-odds of all classes, f64[rows, C_v], of teachers that differ in kind."""
    rng = np.random.default_rng(1)
    prior = -np.log(NUM_CLASSES)
    logits = {
        "heavy tails": prior + 1.5 * rng.standard_t(3, (ROWS, NUM_CLASSES)),
        "narrow": prior + 0.1 * rng.normal(size=(ROWS, NUM_CLASSES)),
        # No image names these classes: they stay where they started, and are rounded alike.
        "mostly at the prior": np.where(
            np.arange(NUM_CLASSES) < TOP_K, prior + rng.normal(size=(ROWS, 1)) / 4, -13.0
        ),
        "confident": -13 + 1.5 * rng.normal(size=(ROWS, NUM_CLASSES)),
    }[kind]
    named = {"narrow": 0, "confident": 3}.get(kind, 2)
    logits[:, :named] = rng.uniform(-2, 9, (ROWS, named))
    return logits


def students(kind, teacher):
    rng = np.random.default_rng(2)
    return {
        "agrees": teacher,
        "nearly agrees": teacher + rng.normal(size=teacher.shape),
        "has not begun": np.full(teacher.shape, -np.log(100_000)),
        "disagrees": rng.permuted(teacher, axis=-1),
        "says no to everything": np.full(teacher.shape, -20.0),
        "says yes to everything": np.full(teacher.shape, 5.0),
    }[kind]


@pytest.mark.parametrize("student", [
    "agrees", "nearly agrees", "has not begun", "disagrees", "says no to everything",
    "says yes to everything",
])
@pytest.mark.parametrize("teacher", ["heavy tails", "narrow", "mostly at the prior", "confident"])
def test_the_loss_changes_by_less_than_a_thousandth(teacher, student):
    log_odds = teachers(teacher)
    logits = students(student, log_odds)
    kept = np.argsort(-log_odds, axis=-1)[:, :TOP_K]
    x, z = (np.take_along_axis(rows, kept, axis=-1) for rows in (logits, log_odds))
    free = np.logaddexp(0, logits).sum(axis=-1)
    before, after = (free - (probs * x).sum(axis=-1) for probs in (sigmoid(z), stored(z)))
    assert np.max(np.abs(after - before) / before) < 1e-3


def test_the_terms_above_are_the_loss():
    rng = np.random.default_rng(0)
    logits, probs = rng.normal(0, 4, (3, 8)), rng.uniform(size=(3, 8))
    expected = losses.sigmoid_cross_entropy(logits, probs)
    np.testing.assert_allclose(terms(logits, probs).sum(axis=-1), expected)
