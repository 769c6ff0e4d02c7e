"""Objectives: pure functions (outputs, batch) → terms, one entry an example, not reduced."""

from collections.abc import Callable, Mapping

import jax

from kc_jax.core import losses

Objective = Callable[[jax.Array, Mapping[str, jax.Array]], dict[str, jax.Array]]


def sigmoid(logits: jax.Array, batch: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
    """Judges logits by sparse sigmoid targets (Gao et al. 2017, Eq. 1 and Eq. 2).

    Args:
      logits: f32[B, C].
      batch: with ``target_ids`` i32[B, K] and ``target_probs`` f32[B, K].

    Returns:
      ``loss`` f32[B].
    """
    return {
        "loss": losses.sigmoid_cross_entropy(logits, batch["target_ids"], batch["target_probs"])
    }
