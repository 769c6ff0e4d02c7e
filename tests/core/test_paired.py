import numpy as np
import pytest
from scipy import stats

from kc_jax.core import paired


def test_the_interval_is_that_of_a_paired_t_test():
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 5))
    test = stats.ttest_rel(one, other)
    for confidence in (0.9, 0.95):
        expected = test.confidence_interval(confidence)
        found = paired.interval(one - other, confidence)
        np.testing.assert_allclose(found, (np.mean(one - other), *expected), rtol=1e-9)


def test_it_covers_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(0)
    bounds = [paired.interval(rng.normal(0.3, 1.0, size=3)) for _ in range(2_000)]
    covered = np.mean([found.low <= 0.3 <= found.high for found in bounds])
    assert 0.935 < covered < 0.965


def test_one_pair_says_nothing():
    bounds = paired.interval([0.4])
    assert bounds == (0.4, -np.inf, np.inf)
    assert paired.verdict(bounds, 0.005) == paired.UNDECIDED


@pytest.mark.parametrize("differences, expected", [
    ((0.02, 0.021, 0.022), paired.HOLDS),
    ((0.001, 0.0011, 0.0012), paired.HOLDS),
    ((-0.02, -0.021, -0.022), paired.FAILS),
    ((0.001, 0.0, -0.001), paired.FAILS),
    ((0.02, 0.0, -0.02), paired.UNDECIDED),
    ((0.02, 0.0, 0.01), paired.UNDECIDED),
])
def test_verdicts(differences, expected):
    assert paired.verdict(paired.interval(differences), 0.005) == expected
