import dataclasses

import flax.linen as nn
import jax
import numpy as np
import pytest

from configs import eft
from kc_jax import config
from kc_jax.config import ConfigError
from kc_jax.core.head_spec import HeadSpec
from kc_jax.core.tiled_layout import TiledLayout
from kc_jax.models.classifier import Classifier
from kc_jax.train import objective
from tests.reference import losses as reference


def test_sigmoid_judges_every_example():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4, 6)).astype(np.float32)
    batch = {
        "target_ids": rng.integers(6, size=(4, 3)).astype(np.int32),
        "target_probs": rng.uniform(size=(4, 3)).astype(np.float32),
    }
    terms = objective.sigmoid(logits, batch)
    targets = reference.dense_targets(batch["target_ids"], batch["target_probs"], 6)
    assert set(terms) == {"loss"}
    np.testing.assert_allclose(
        terms["loss"], reference.sigmoid_cross_entropy(logits, targets), rtol=1e-5
    )


def softmax_batch():
    rng = np.random.default_rng(1)
    logits, teacher = rng.normal(size=(2, 5, 7)).astype(np.float32)
    labels = rng.integers(7, size=(5, 1)).astype(np.int32)
    return logits, teacher, {"target_ids": labels, "target_probs": np.ones((5, 1), np.float32)}


def test_tolerant_sigmoid():
    logits, _, batch = softmax_batch()
    targets = reference.dense_targets(batch["target_ids"], batch["target_probs"], 7)
    scores = 1 / (1 + np.exp(-logits.astype(np.float64)))
    expected = 0.4 * reference.sigmoid_cross_entropy(logits, targets)
    expected += 0.6 * reference.score_difference(scores, 3)
    loss = objective.make_tolerant_sigmoid(0.6, 3)(logits, batch)["loss"]
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_softmax_without_a_teacher_is_eq_3():
    logits, _, batch = softmax_batch()
    targets = reference.dense_targets(batch["target_ids"], batch["target_probs"], 7)
    judge = objective.make_softmax(0.3, 4, teacher_weight=0.0, temperature=1.0)
    expected = reference.tolerant(logits, targets, 0.3, 4)
    np.testing.assert_allclose(judge(logits, batch)["loss"], expected, rtol=1e-5)


@pytest.mark.parametrize("temperature", [1.0, 2.0])
@pytest.mark.parametrize("num_listed", [None, 3, 7])
def test_softmax_with_a_teacher_is_eq_4(num_listed, temperature):
    logits, teacher, batch = softmax_batch()
    targets = reference.dense_targets(batch["target_ids"], batch["target_probs"], 7)
    scores, own = reference.softmax(teacher / temperature), reference.softmax(logits / temperature)
    if num_listed is None:
        batch["teacher_logits"] = teacher
        divergence = reference.divergence(scores, own)
    else:
        ids = np.argsort(-teacher)[:, :num_listed].astype(np.int32)
        listed = np.take_along_axis(scores, ids, -1)
        batch |= {"teacher_ids": ids, "teacher_probs": listed.astype(np.float32)}
        divergence = reference.divergence_of_listed(ids, listed, own)
    expected = 0.4 * reference.softmax_cross_entropy(logits, targets)
    expected += 0.6 * temperature**2 * divergence
    judge = objective.make_softmax(0.3, 4, 0.6, temperature)  # η is of the patriarch alone.
    np.testing.assert_allclose(judge(logits, batch)["loss"], expected, rtol=1e-5)


def test_a_teacher_with_weight_must_have_said_something():
    logits, _, batch = softmax_batch()
    with pytest.raises(ValueError, match="no signal"):
        objective.make_softmax(0.0, 2, 0.6, 1.0)(logits, batch)


def training(**changes):
    options = config.build(eft.get_config("smoke")).student
    return dataclasses.replace(options, distill_weight=0.0, **changes)


MODEL = Classifier(nn.Dense(3), HeadSpec.parse("linear"), (4, 3), prior=0.1)


def test_the_objective_is_what_the_training_asks_for():
    logits, _, batch = softmax_batch()
    tolerant = config.Tolerance(confidence=0.6, num_similar=5)
    for options, expected in (
        (training(), objective.sigmoid),
        (training(tolerance=tolerant), objective.make_tolerant_sigmoid(1 / 1.6, 5)),
        (training(loss="softmax"), objective.make_softmax(0.0, 5, 0.0, 1.0)),
        (training(loss="softmax", tolerance=tolerant), objective.make_softmax(4 / 7, 5, 0.0, 1.0)),
    ):
        found = objective.objective_of(MODEL, options)
        np.testing.assert_allclose(
            found(logits, batch)["loss"], expected(logits, batch)["loss"], rtol=1e-6
        )


def test_few_classes_are_all_similar():
    """With K of 5 and 3 classes the score would stop at 0.5 where 0.6 is wanted."""
    few = MODEL.clone(sizes=(3,))
    tolerant = config.Tolerance(confidence=0.6, num_similar=5)
    logits, batch = np.zeros((1, 3), np.float32), {
        "target_ids": np.zeros((1, 1), np.int32), "target_probs": np.ones((1, 1), np.float32),
    }
    logits[0, 0] = 1.0
    judge = objective.objective_of(few, training(loss="softmax", tolerance=tolerant))
    descend = jax.jit(lambda x: x - 2.0 * jax.grad(lambda x: judge(x, batch)["loss"].sum())(x))
    for _ in range(2000):
        logits = descend(logits)
    np.testing.assert_allclose(jax.nn.softmax(logits)[0, 0], 0.6, atol=2e-3)


@pytest.mark.parametrize("loss", ["sigmoid", "softmax"])
def test_what_few_classes_cannot_be_is_refused(loss):
    tolerant = training(loss=loss, tolerance=config.Tolerance(confidence=0.4, num_similar=5))
    with pytest.raises(ConfigError, match="2 classes.*above 1/2 and up to 1"):
        objective.objective_of(MODEL.clone(sizes=(2,)), tolerant)
    objective.objective_of(MODEL.clone(sizes=(1,)), tolerant)  # It has nobody to be tolerant of.


@pytest.mark.parametrize(("confidence", "num_similar", "num_classes"), [
    (0.6, 5, 9), (0.3, 5, 9), (0.22, 5, 9), (0.6, 2, 9), (0.45, 3, 9), (0.6, 5, 2), (0.4, 5, 3),
])
def test_minimising_the_tolerant_sigmoid_lands_on_the_confidence(
    confidence, num_similar, num_classes
):
    """Plain gradient descent on the logits of one image, K clipped as `objective_of` does it."""
    judge = objective.objective_of(MODEL.clone(sizes=(num_classes,)), training(
        tolerance=config.Tolerance(confidence=confidence, num_similar=num_similar)
    ))
    batch = {
        "target_ids": np.zeros((1, 1), np.int32), "target_probs": np.ones((1, 1), np.float32),
    }
    slope = jax.grad(lambda logits: judge(logits, batch)["loss"].sum())
    logits = jax.lax.fori_loop(
        0, 20_000, lambda _, x: x - slope(x),
        np.random.default_rng(0).normal(-2, 0.3, (1, num_classes)).astype(np.float32),
    )
    scores = np.asarray(jax.nn.sigmoid(logits))[0]
    similar = min(num_similar, num_classes)
    nexts = np.sort(scores[1:])[::-1]
    np.testing.assert_allclose(scores[0], confidence, atol=2e-3)
    np.testing.assert_allclose(
        nexts[: similar - 1], max(0.0, 1 - (similar - 1) * confidence), atol=2e-3
    )
    np.testing.assert_allclose(nexts[similar - 1 :], 0, atol=2e-3)


def test_tiles_know_the_plain_sigmoid_alone():
    tiled = MODEL.clone(layout=TiledLayout((4, 3), 1, 4))
    with pytest.raises(ConfigError, match="logits in tiles"):
        objective.objective_of(tiled, training(loss="softmax"))
