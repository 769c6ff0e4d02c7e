"""The jitted steps: the only training `jit`, the only masked mean.

They are cached by their arguments, so that networks of one shape compile once.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jax.sharding import Mesh

from kc_jax import sharding
from kc_jax.train.objective import Objective
from kc_jax.train.state import TrainState


def masked_mean(values: jax.Array, mask: jax.Array) -> jax.Array:
    """Averages over the examples that are not padding.

    Args:
      values: f32[B].
      mask: bool[B], False = padding.

    Returns:
      f32[]; 0 where all is padding.
    """
    weights = mask.astype(values.dtype)
    return jnp.sum(values * weights) / jnp.maximum(jnp.sum(weights), 1.0)


@functools.lru_cache(maxsize=16)
def make_train_step(
    model: nn.Module,
    objective: Objective,
    tx: optax.GradientTransformationExtraArgs,
    views: Callable,
    mesh: Mesh,
) -> Callable:
    """Makes the jitted function (state, batch, learning rate) → (state, metrics): one step.

    Args:
      model: maps (images, train) to logits.
      objective: judges them, example by example.
      tx: moves the parameters; its `update` takes ``learning_rate``.
      views: draws the images that the model sees; see `data.augment.make_views`.
      mesh: the batch is split over its ``data`` devices.

    Returns:
      The function. It donates its state. ``metrics`` holds the masked mean of every term.
    """

    def train_step(state: TrainState, batch, learning_rate):
        images = views(batch["image"], batch["record_id"], batch["view"])

        def loss_of(params):
            logits, model_state = model.apply(
                {"params": params, **state.model_state},
                images,
                train=True,
                mutable=list(state.model_state),
            )
            terms = objective(logits, batch)
            means = {name: masked_mean(term, batch["mask"]) for name, term in terms.items()}
            return means["loss"], (means, model_state)

        gradients, (metrics, model_state) = jax.grad(loss_of, has_aux=True)(state.params)
        updates, opt_state = tx.update(
            gradients, state.opt_state, state.params, learning_rate=learning_rate
        )
        params = optax.apply_updates(state.params, updates)
        return TrainState(state.step + 1, params, model_state, opt_state), metrics

    whole, split = sharding.replicated(mesh), sharding.batch_sharded(mesh)
    return jax.jit(
        train_step, in_shardings=(whole, split, whole), out_shardings=(whole, whole),
        donate_argnums=0,
    )


@functools.lru_cache(maxsize=16)
def make_predict_step(model: nn.Module, views: Callable, mesh: Mesh) -> Callable:
    """Makes the jitted function (variables, batch) → logits f32[B, C].

    Args:
      model: maps (images, train) to logits.
      views: draws the images that the model sees.
      mesh: the batch is split over its ``data`` devices.
    """

    def predict_step(variables, batch):
        images = views(batch["image"], batch["record_id"], batch["view"])
        return model.apply(variables, images, train=False)

    whole, split = sharding.replicated(mesh), sharding.batch_sharded(mesh)
    return jax.jit(predict_step, in_shardings=(whole, split), out_shardings=split)
