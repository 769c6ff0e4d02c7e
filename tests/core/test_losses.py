import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kc_jax.core.losses import sigmoid_cross_entropy
from tests.reference import losses as reference
from tests.reference.differences import central_differences

# Two verticals of sizes 4 and 3; the examples' targets are all in the first.
NUM_CLASSES = 7
OTHER_VERTICAL = slice(4, 7)


def batch(kind, seed=0, size=5):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 3, (size, NUM_CLASSES)).astype(np.float32)
    ids = np.stack([rng.permutation(4)[:3] for _ in range(size)]).astype(np.int32)
    probs = {
        "one label": np.tile([1.0, 0.0, 0.0], (size, 1)),
        "smeared": np.ones((size, 3)),
        "soft": rng.uniform(size=(size, 3)),
    }[kind].astype(np.float32)
    return logits, ids, probs


def gradient(logits, ids, probs):
    return jax.grad(lambda x: jnp.sum(sigmoid_cross_entropy(x, ids, probs)))(logits)


@pytest.mark.parametrize("kind", ["one label", "smeared", "soft"])
def test_equals_the_sum_over_all_classes(kind):
    logits, ids, probs = batch(kind)
    targets = reference.dense_targets(ids, probs, NUM_CLASSES)
    expected = reference.sigmoid_cross_entropy(logits, targets)
    loss = sigmoid_cross_entropy(logits, ids, probs)
    assert loss.shape == (5,) and loss.dtype == jnp.float32
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_one_class_by_hand():
    loss = sigmoid_cross_entropy(jnp.zeros((1, 1)), jnp.zeros((1, 1), jnp.int32), jnp.ones((1, 1)))
    np.testing.assert_allclose(loss, [np.log(2)], rtol=1e-6)


def test_padding_adds_nothing():
    logits, ids, probs = batch("soft")
    padding = np.zeros((5, 4), np.int32)
    padded = sigmoid_cross_entropy(
        logits, np.concatenate([ids, padding], 1), np.pad(probs, ((0, 0), (0, 4)))
    )
    np.testing.assert_array_equal(padded, sigmoid_cross_entropy(logits, ids, probs))


def test_targets_of_the_same_id_add_up():
    logits, ids, probs = batch("soft")
    halves = np.concatenate([0.25 * probs, 0.75 * probs], 1)
    split = sigmoid_cross_entropy(logits, np.concatenate([ids, ids], 1), halves)
    np.testing.assert_allclose(split, sigmoid_cross_entropy(logits, ids, probs), rtol=1e-5)


def test_extreme_logits():
    logits = np.array([[1e4, -1e4, 1e4, -1e4]], np.float32)
    ids = np.array([[0, 1]], np.int32)
    loss = sigmoid_cross_entropy(logits, ids, np.ones((1, 2), np.float32))
    np.testing.assert_allclose(loss, [2e4], rtol=1e-6)  # Classes 1 and 2 are 1e4 off each.
    slope = gradient(logits, ids, np.ones((1, 2), np.float32))
    np.testing.assert_array_equal(slope, [[0.0, -1.0, 1.0, 0.0]])


def test_unknown_class_gives_nan():
    logits, ids, probs = batch("soft")
    ids[2, 0] = NUM_CLASSES
    loss = sigmoid_cross_entropy(logits, ids, probs)
    np.testing.assert_array_equal(np.isnan(loss), [False, False, True, False, False])


@pytest.mark.parametrize("kind", ["one label", "smeared", "soft"])
def test_gradient_is_sigmoid_minus_target(kind):
    logits, ids, probs = batch(kind)
    targets = reference.dense_targets(ids, probs, NUM_CLASSES)
    expected = reference.sigmoid_cross_entropy_gradient(logits.astype(np.float64), targets)
    np.testing.assert_allclose(gradient(logits, ids, probs), expected, rtol=1e-5, atol=1e-6)


def test_gradient_of_classes_in_other_verticals_is_the_sigmoid():
    logits, ids, probs = batch("soft")
    np.testing.assert_allclose(
        gradient(logits, ids, probs)[:, OTHER_VERTICAL],
        jax.nn.sigmoid(logits[:, OTHER_VERTICAL]),
        rtol=1e-5,
    )


def test_gradients_equal_finite_differences():
    logits, ids, probs = batch("soft")
    with jax.enable_x64(True):
        logits, probs = logits.astype(np.float64), probs.astype(np.float64)

        def total(logits, probs):
            return jnp.sum(sigmoid_cross_entropy(logits, ids, probs))

        slopes = jax.grad(total, (0, 1))(jnp.asarray(logits), jnp.asarray(probs))
        expected = (
            central_differences(lambda x: total(jnp.asarray(x), jnp.asarray(probs)), logits),
            central_differences(lambda p: total(jnp.asarray(logits), jnp.asarray(p)), probs),
        )
    for slope, difference in zip(slopes, expected, strict=True):
        np.testing.assert_allclose(slope, difference, rtol=1e-6, atol=1e-8)


def test_no_dense_targets_are_built():
    shapes = [jax.ShapeDtypeStruct(*x) for x in (((4, 90), jnp.float32), ((4, 3), jnp.int32),
                                                 ((4, 3), jnp.float32))]
    jaxpr = jax.make_jaxpr(sigmoid_cross_entropy)(*shapes)
    assert "scatter" not in str(jaxpr)
    of_classes = [v.aval for eqn in jaxpr.eqns for v in eqn.outvars if v.aval.shape == (4, 90)]
    assert len(of_classes) == 1  # The softplus of the logits.
