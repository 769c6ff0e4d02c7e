"""Objectives: pure functions (outputs, batch) → terms, one entry an example, not reduced."""

import functools
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, PartitionSpec

from kc_jax import sharding
from kc_jax.core import losses, tiles
from kc_jax.core.tiled_layout import TiledLayout
from kc_jax.models.classifier import Classifier
from kc_jax.sharding import DATA_AXIS, MODEL_AXIS

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


@functools.lru_cache(maxsize=16)
def make_tiled_sigmoid(layout: TiledLayout, mesh: Mesh) -> Objective:
    """Makes `sigmoid` for logits f32[B, tiles, tile] that lie on the mesh's ``model`` devices.

    Each shard finds the targets that lie on it; no targets or logits are exchanged.

    Args:
      layout: of the tiles.
      mesh: of the devices.
    """

    examples = PartitionSpec(DATA_AXIS)
    loss = sharding.map_shards(
        mesh, tiles.sigmoid_cross_entropy,
        (PartitionSpec(DATA_AXIS, MODEL_AXIS), examples, examples), examples,
    )

    def tiled_sigmoid(logits, batch):
        positions = jnp.asarray(layout.position_of_class)[batch["target_ids"]]
        return {"loss": loss(logits, positions, batch["target_probs"])}

    return tiled_sigmoid


def sigmoid_of(model: Classifier) -> Objective:
    """Gives `sigmoid` for a network's logits, however they are laid out."""
    if model.layout is None:
        return sigmoid
    return make_tiled_sigmoid(model.layout, model.mesh)
