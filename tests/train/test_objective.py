import numpy as np
import pytest

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
    judge = objective.make_softmax(0.3, 4, teacher_weight=0.9, temperature=1.0)
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
