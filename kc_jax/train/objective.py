"""Objectives: pure functions (outputs, batch) → terms, one entry an example, not reduced."""

import functools
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, PartitionSpec

from kc_jax import sharding
from kc_jax.config import ConfigError, Training
from kc_jax.core import losses, tiles, tolerance
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


@functools.lru_cache(maxsize=16)
def make_tolerant_sigmoid(eta: float, num_similar: int) -> Objective:
    """Makes `sigmoid` with the score difference of Yang et al. (2018), Eq. 3, in sigmoid form.

    Args:
      eta: weight of the score difference; 1 − η remains for the cross-entropy.
      num_similar: K, the classes whose scores are to be alike, with the primary one.
    """

    def tolerant_sigmoid(logits, batch):
        difference = losses.score_difference(jax.nn.sigmoid(logits), num_similar)
        return {"loss": (1 - eta) * sigmoid(logits, batch)["loss"] + eta * difference}

    return tolerant_sigmoid


@functools.lru_cache(maxsize=16)
def make_softmax(
    eta: float, num_similar: int, teacher_weight: float, temperature: float
) -> Objective:
    """Makes the objective of one of Yang et al.'s (2018) generations.

    A batch with a teacher's signal, ``teacher_logits`` f32[B, C], or ``teacher_ids`` i32[B, K] and
    ``teacher_probs`` f32[B, K], is judged by Eq. 4, one without by Eq. 3.

    Args:
      eta: weight of the score difference in Eq. 3; 0 leaves the cross-entropy alone.
      num_similar: K of Eq. 3.
      teacher_weight: λ of Eq. 4; 0 where nobody teaches.
      temperature: of both networks in the divergence; the paper's is 1.
    """

    def softmax(logits, batch):
        cross_entropy = losses.softmax_cross_entropy(
            logits, batch["target_ids"], batch["target_probs"]
        )
        if "teacher_logits" in batch:
            other = losses.divergence(batch["teacher_logits"], logits, temperature)
            weight = teacher_weight
        elif "teacher_ids" in batch:
            other = losses.divergence_of_listed(
                batch["teacher_ids"], batch["teacher_probs"], logits, temperature
            )
            weight = teacher_weight
        elif teacher_weight:
            raise ValueError("a teacher has weight but the batch has no signal of one")
        else:
            other = losses.score_difference(jax.nn.softmax(logits), num_similar)
            weight = eta
        return {"loss": (1 - weight) * cross_entropy + weight * other}

    return softmax


def sigmoid_of(model: Classifier) -> Objective:
    """Gives `sigmoid` for a network's logits, however they are laid out."""
    if model.layout is None:
        return sigmoid
    return make_tiled_sigmoid(model.layout, model.mesh)


def objective_of(model: Classifier, options: Training) -> Objective:
    """Gives the objective that a training asks for.

    Args:
      model: for the layout of its logits.
      options: for loss, tolerance, and how what a teacher says is taken.

    Raises:
      ConfigError: logits in tiles, for which it is not there; or too few classes to be tolerant.
    """
    confidence = options.tolerance.confidence
    num_similar = min(options.tolerance.num_similar, sum(model.sizes))
    is_tolerant = confidence != 1 and num_similar > 1  # One class alone has none next to it.
    is_sigmoid = options.loss == "sigmoid"
    if is_sigmoid and not is_tolerant:
        return sigmoid_of(model)
    if model.layout is not None:
        raise ConfigError(
            "logits in tiles know the sigmoid loss without tolerance alone; set "
            "config.mesh.layout to 'per_vertical' and config.mesh.model to 1"
        )
    weight_of = tolerance.sigmoid_weight_of if is_sigmoid else tolerance.weight_of
    try:
        eta = weight_of(confidence, num_similar) if is_tolerant else 0.0
    except ValueError as error:
        raise ConfigError(f"tolerance.confidence, {sum(model.sizes)} classes: {error}") from None
    if is_sigmoid:
        return make_tolerant_sigmoid(eta, num_similar)
    return make_softmax(eta, num_similar, options.distill_weight, options.temperature)
