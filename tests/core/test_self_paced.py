import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kc_jax.core.self_paced import initial_pace, pace_logits
from tests.reference import heads
from tests.reference import self_paced as reference
from tests.reference.differences import central_differences

LOGITS = np.random.default_rng(0).normal(-2, 3, (4, 6)).astype(np.float32)
PACES = {
    "vertical": np.float32(2.5),
    "class": np.array([2.5, 1.0, -0.5, 3.0, 10.0, 0.1], np.float32),
}
LEVELS = pytest.mark.parametrize("level", PACES)


@LEVELS
def test_equals_the_reference(level):
    paced = pace_logits(jnp.asarray(LOGITS), jnp.asarray(PACES[level]))
    assert paced.dtype == jnp.float32
    np.testing.assert_allclose(paced, reference.pace_logits(LOGITS, PACES[level]), rtol=1e-5)


@pytest.mark.parametrize("pace", [2.5, -2.5, 0.0])
@pytest.mark.parametrize("scale", [1e-2, 1.0, 1e4])
def test_norm_is_the_pace(pace, scale):
    paced = pace_logits(jnp.asarray(scale * LOGITS, jnp.float32), jnp.float32(pace))
    np.testing.assert_allclose(np.linalg.norm(paced, axis=-1), [abs(pace)] * 4, rtol=1e-5)


def test_examples_are_paced_apart():
    alone = pace_logits(jnp.asarray(LOGITS[1:2]), jnp.float32(3.0))
    together = pace_logits(jnp.asarray(LOGITS), jnp.float32(3.0))
    np.testing.assert_allclose(together[1:2], alone, rtol=1e-6)


@LEVELS
def test_gradients_equal_finite_differences(level):
    weights = np.random.default_rng(1).normal(size=LOGITS.shape)

    def total(logits, pace):
        return jnp.sum(pace_logits(jnp.asarray(logits), jnp.asarray(pace)) * weights)

    with jax.enable_x64(True):
        logits, pace = LOGITS.astype(np.float64), PACES[level].astype(np.float64)
        slopes = jax.grad(total, (0, 1))(jnp.asarray(logits), jnp.asarray(pace))
        expected = (
            central_differences(lambda x: total(x, pace), logits),
            central_differences(lambda g: total(logits, g), pace),
        )
    for slope, difference in zip(slopes, expected, strict=True):
        assert slope.shape == difference.shape
        np.testing.assert_allclose(slope, difference, rtol=1e-6, atol=1e-8)


def test_equation_5_is_the_diagonal_of_the_gradient():
    logits, pace = LOGITS[0].astype(np.float64), PACES["class"].astype(np.float64)
    with jax.enable_x64(True):
        exact = jax.jacobian(lambda x: pace_logits(x[None], jnp.asarray(pace))[0])(
            jnp.asarray(logits)
        )
    np.testing.assert_allclose(np.diag(exact), reference.equation_5(logits, pace), rtol=1e-9)
    np.testing.assert_allclose(exact, reference.jacobian(logits, pace), rtol=1e-9)
    others = np.asarray(exact)[~np.eye(6, dtype=bool)]
    assert np.all(np.abs(others) > 1e-5)


@LEVELS
def test_zero_logits_give_zeros_and_finite_gradients(level):
    def total(logits, pace):
        return jnp.sum(pace_logits(logits, pace))

    zeros, pace = jnp.zeros((2, 6)), jnp.asarray(PACES[level])
    np.testing.assert_array_equal(pace_logits(zeros, pace), zeros)
    for slope in jax.grad(total, (0, 1))(zeros, pace):
        assert np.all(np.isfinite(slope))


SIZES = (4, 100, 9)
# Figure 5 of Gao et al. (2017): level, start, scale, deviation, expected means.
VARIANTS = {
    "1, fixed": ("vertical", "sqrt_size", 1.0, 0.0, [2, 10, 3]),
    "2": ("vertical", "constant", 10.0, 1e-3, [10, 10, 10]),
    "3": ("class", "constant", 10.0, 1e-3, [10] * 113),
    "4": ("vertical", "sqrt_size", 1.0, 1e-3, [2, 10, 3]),
    "5": ("class", "sqrt_size", 1.0, 1e-3, [2] * 4 + [10] * 100 + [3] * 9),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_variants_of_figure_5(variant):
    level, initial, scale, deviation, means = VARIANTS[variant]
    draws = [
        initial_pace(SIZES, level=level, initial=initial, scale=scale, deviation=deviation,
                     rng=np.random.default_rng(seed))
        for seed in range(200)
    ]
    assert draws[0].dtype == np.float32
    np.testing.assert_allclose(np.mean(draws, axis=0), means, atol=0.35 * deviation, rtol=1e-6)
    np.testing.assert_allclose(np.std(draws - np.array(means)), deviation, rtol=0.1, atol=1e-9)


def test_draws_depend_on_the_generator_alone():
    def draw(seed):
        return initial_pace(SIZES, level="vertical", initial="constant", scale=1.0, deviation=1.0,
                            rng=np.random.default_rng(seed))

    np.testing.assert_array_equal(draw(3), draw(3))
    assert not np.any(draw(3) == draw(4))


def test_from_the_prior_pace_reproduces_logits_that_start_at_the_prior():
    num_classes = sum(SIZES)
    start = heads.prior_log_odds(1 / (num_classes + 1))  # −log C
    pace = initial_pace(SIZES, level="vertical", initial="prior", scale=1.0,
                        deviation=0.0, rng=np.random.default_rng(0))
    for size, gamma in zip(SIZES, pace, strict=True):
        logits = jnp.full((2, size), start, jnp.float32)
        np.testing.assert_allclose(pace_logits(logits, jnp.asarray(gamma)), logits, rtol=1e-5)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"level": "none"}, "self_paced.level is 'none'; expected one of vertical, class"),
        ({"initial": "ten"}, "self_paced.initial is 'ten'; expected one of sqrt_size, prior"),
    ],
)
def test_unknown_options(options, message):
    options = {"level": "vertical", "initial": "constant", **options}
    with pytest.raises(ValueError, match=message):
        initial_pace(SIZES, scale=1.0, deviation=0.0, rng=np.random.default_rng(0), **options)
