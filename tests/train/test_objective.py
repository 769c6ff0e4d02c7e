import numpy as np

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
