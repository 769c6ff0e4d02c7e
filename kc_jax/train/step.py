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
from kc_jax.train.state import TrainState, split


def masked_mean(values: jax.Array, mask: jax.Array, total: jax.Array) -> jax.Array:
    """Averages over the examples that are not padding.

    Args:
      values: f32[B].
      mask: bool[B], False = padding.
      total: f32[], the examples to divide by: those of ``mask``, or of all microbatches.

    Returns:
      f32[]; 0 where all is padding.
    """
    return jnp.sum(values * mask.astype(values.dtype)) / jnp.maximum(total, 1.0)


def microbatches(batch, count: int) -> list:
    """Cuts a batch into parts, of which every device has an equal share.

    Args:
      batch: arrays [B, …], B a multiple of ``count`` times the devices that share it.
      count: of the parts.
    """
    return [
        jax.tree.map(lambda x, i=i: x.reshape(-1, count, *x.shape[1:])[:, i], batch)
        for i in range(count)
    ]


@jax.jit
def is_finite(tree) -> jax.Array:
    """Tells whether all numbers of a tree of arrays are finite: bool[]."""
    leaves = [leaf for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.inexact)]
    return jnp.all(jnp.array([jnp.all(jnp.isfinite(leaf)) for leaf in leaves]))


@functools.lru_cache(maxsize=16)
def make_train_step(
    model: nn.Module,
    objective: Objective,
    tx: optax.GradientTransformationExtraArgs,
    views: Callable,
    mesh: Mesh,
    num_microbatches: int = 1,
    frozen: tuple[str, ...] = (),
    leave_out_non_finite: bool = False,
) -> Callable:
    """Makes the jitted function (state, batch, learning rate) → (state, metrics): one step.

    Args:
      model: maps (images, train) to logits.
      objective: judges them, example by example.
      tx: moves the parameters; its `update` takes ``learning_rate``.
      views: draws the images that the model sees; see `data.augment.make_views`.
      mesh: the batch is split over its ``data`` devices, the head over its ``model`` devices.
      num_microbatches: parts of the batch taken one after the other, whose gradients add up.
      frozen: parts of the network that do not learn, and of which no gradient is computed.
      leave_out_non_finite: whether a step whose loss or gradients are not finite changes nothing;
        the state before and after it then lie in memory together.

    Returns:
      The function. It donates its state. ``metrics`` holds the masked mean of every term, and
      ``left_out``, 1 for a step that changed nothing, where such may be left out.
    """

    def loss_of(learning, still, model_state, batch, total):
        params = {**learning, **still}
        images = views(batch["image"], batch["record_id"], batch["view"])
        logits, model_state = model.apply(
            {"params": params, **model_state}, images, train=True, mutable=list(model_state)
        )
        terms = objective(logits, batch)
        means = {name: masked_mean(term, batch["mask"], total) for name, term in terms.items()}
        return means["loss"], (means, model_state)

    def train_step(state: TrainState, batch, learning_rate):
        total = jnp.sum(batch["mask"].astype(jnp.float32))
        params, still = split(state.params, frozen)
        model_state, sums = state.model_state, None
        for part in microbatches(batch, num_microbatches):
            if sums is not None:
                # Without this XLA would hold the activations of several parts at once.
                params, sums = jax.lax.optimization_barrier((params, sums))
            gradients, (metrics, model_state) = jax.grad(loss_of, has_aux=True)(
                params, still, model_state, part, total
            )
            terms = (gradients, metrics)
            sums = terms if sums is None else jax.tree.map(jnp.add, sums, terms)
        gradients, metrics = sums
        updates, opt_state = tx.update(
            gradients, state.opt_state, params, learning_rate=learning_rate
        )
        params = {**optax.apply_updates(params, updates), **still}
        old, state = state, TrainState(state.step + 1, params, model_state, opt_state)
        if leave_out_non_finite:
            is_good = jnp.isfinite(metrics["loss"] + optax.tree.norm(gradients))
            kept = jax.tree.map(functools.partial(jnp.where, is_good), state, old)
            state = kept.replace(step=state.step)
            metrics = {**metrics, "left_out": 1.0 - is_good.astype(jnp.float32)}
        shardings = sharding.head_shardings(mesh, state)
        return jax.lax.with_sharding_constraint(state, shardings), metrics

    return jax.jit(train_step, donate_argnums=0)


@functools.lru_cache(maxsize=16)
def make_predict_step(model: nn.Module, views: Callable) -> Callable:
    """Makes the jitted function (variables, batch) → logits f32[B, C], or f32[B, tiles, tile].

    Args:
      model: maps (images, train) to logits.
      views: draws the images that the model sees.
    """

    def predict_step(variables, batch):
        images = views(batch["image"], batch["record_id"], batch["view"])
        return model.apply(variables, images, train=False)

    return jax.jit(predict_step)
