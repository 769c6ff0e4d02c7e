"""The losses of Yang et al. (2018)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from kc_jax.core import losses, tolerance
from tests.reference import losses as reference

LOGITS = np.random.default_rng(0).normal(0, 2, (6, 9)).astype(np.float32)
TEACHER = np.random.default_rng(1).normal(0, 2, (6, 9)).astype(np.float32)
LABELS = np.random.default_rng(2).integers(9, size=(6, 1)).astype(np.int32)
ONES = np.ones((6, 1), np.float32)


def test_cross_entropy():
    targets = reference.dense_targets(LABELS, ONES, 9)
    expected = reference.softmax_cross_entropy(LOGITS, targets)
    loss = losses.softmax_cross_entropy(LOGITS, LABELS, ONES)
    assert loss.dtype == jnp.float32
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_unknown_class_gives_nan():
    labels = LABELS.copy()
    labels[2] = 9
    loss = losses.softmax_cross_entropy(LOGITS, labels, ONES)
    assert np.isnan(loss).tolist() == [row == 2 for row in range(6)]


@pytest.mark.parametrize("num_similar", [2, 5, 9])
def test_score_difference(num_similar):
    scores = reference.softmax(LOGITS)
    expected = reference.score_difference(scores, num_similar)
    found = losses.score_difference(jnp.asarray(scores, jnp.float32), num_similar)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_score_difference_of_few_classes():
    scores = jnp.asarray([[0.7, 0.3]])
    np.testing.assert_allclose(losses.score_difference(scores, 5), [0.4], rtol=1e-6)
    np.testing.assert_array_equal(losses.score_difference(scores[:, :1], 5), [0.0])


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_divergence(temperature):
    expected = temperature**2 * reference.divergence(
        reference.softmax(TEACHER / temperature), reference.softmax(LOGITS / temperature)
    )
    np.testing.assert_allclose(
        losses.divergence(TEACHER, LOGITS, temperature), expected, rtol=1e-5
    )
    np.testing.assert_allclose(losses.divergence(LOGITS, LOGITS, temperature), 0, atol=1e-6)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
@pytest.mark.parametrize("num_listed", [1, 4, 9])
def test_divergence_of_listed(num_listed, temperature):
    ids = np.argsort(-TEACHER, axis=-1)[:, :num_listed].astype(np.int32)
    teacher = reference.softmax(TEACHER / temperature)
    probs = np.take_along_axis(teacher, ids, axis=-1)
    expected = temperature**2 * reference.divergence_of_listed(
        ids, probs, reference.softmax(LOGITS / temperature)
    )
    found = losses.divergence_of_listed(ids, probs.astype(np.float32), LOGITS, temperature)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    if num_listed == 9:
        np.testing.assert_allclose(
            found, losses.divergence(TEACHER, LOGITS, temperature), rtol=1e-5
        )


def test_a_sure_teacher_and_a_sure_student_are_finite():
    ids, probs = np.array([[3, 1]], np.int32), np.array([[1.0, 0.0]], np.float32)
    logits = np.zeros((1, 6), np.float32)
    logits[0, 3] = 200.0

    def loss(logits):
        return losses.divergence_of_listed(ids, probs, logits)[0]

    value, slope = jax.value_and_grad(loss)(logits)
    np.testing.assert_allclose(value, 0, atol=1e-6)
    np.testing.assert_allclose(slope, np.zeros((1, 6)), atol=1e-6)


def tolerant(logits, eta, num_similar):
    scores = jax.nn.softmax(logits)
    difference = losses.score_difference(scores, num_similar)
    ones = ONES.astype(logits.dtype)
    return (1 - eta) * losses.softmax_cross_entropy(logits, LABELS, ones) + eta * difference


def test_gradients():
    listed = np.argsort(-TEACHER, axis=-1)[:, :4].astype(np.int32)
    probs = np.take_along_axis(reference.softmax(TEACHER), listed, axis=-1)
    with jax.enable_x64(True):
        for loss in (
            lambda x: tolerant(x, 4 / 7, 5),
            lambda x: losses.divergence(TEACHER.astype(np.float64), x),
            lambda x: losses.divergence_of_listed(listed, probs, x),
            lambda x: losses.divergence_of_listed(listed, probs, x, 2.0),
        ):
            check_grads(loss, (LOGITS.astype(np.float64),), order=1, modes=["fwd", "rev"])


def test_eq_3_equals_its_twin():
    targets = reference.dense_targets(LABELS, ONES, 9)
    expected = reference.tolerant(LOGITS, targets, 4 / 7, 5)
    np.testing.assert_allclose(tolerant(LOGITS, 4 / 7, 5), expected, rtol=1e-5)


@pytest.mark.parametrize(("confidence", "num_similar"), [(0.6, 5), (0.5, 3), (0.9, 2), (0.3, 9)])
def test_minimising_eq_3_lands_on_the_confidence(confidence, num_similar):
    """Plain gradient descent on the logits of one image, nothing else."""
    eta = tolerance.weight_of(confidence, num_similar)

    def loss(logits):
        return jnp.sum(tolerant(logits, eta, num_similar))

    logits = jnp.asarray(LOGITS).at[np.arange(6), LABELS[:, 0]].add(3.0)
    descend = jax.jit(lambda x: x - 5.0 * jax.grad(loss)(x))
    for _ in range(5000):
        logits = descend(logits)
    scores = np.sort(jax.nn.softmax(logits), axis=-1)[:, ::-1]
    np.testing.assert_allclose(scores[:, 0], confidence, atol=2e-3)
    np.testing.assert_allclose(scores[:, :num_similar].sum(-1), 1, atol=2e-3)
    assert (np.argmax(logits, -1) == LABELS[:, 0]).all()
