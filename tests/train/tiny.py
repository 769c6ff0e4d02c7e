"""A network of one layer with a batch statistic, and batches for it."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from kc_jax import config, sharding
from kc_jax.train import objective
from kc_jax.train.state import make_state
from kc_jax.train.step import make_train_step

NUM_CLASSES = 5
BATCH = 8


class TinyModel(nn.Module):
    """Maps images to logits; counts its training passes."""

    @nn.compact
    def __call__(self, images, train):
        passes = self.variable("batch_stats", "passes", jnp.zeros, (), jnp.int32)
        if train and not self.is_initializing():
            passes.value += 1
        return nn.Dense(NUM_CLASSES, name="logits")(images.reshape(images.shape[0], -1))


def optimizer_options(**changes):
    """Gives Adagrad at a constant rate of 0.1, with some options of `config.Optimizer` changed."""
    return config.Optimizer(**{
        "kind": "adagrad", "learning_rate": 0.1, "initial_accumulator": 0.1, "momentum": 0.9,
        "clip_norm": 0.0, "weight_decay": 0.0, "schedule": "constant", "warmup": 0.0,
        "milestones": (),
        "multipliers": config.Multipliers(1.0, 1.0, 1.0, 1.0, 1.0, 1.0), **changes,
    })


def views(images, record_ids, view_numbers):
    """Brightens by record and view, to show that both arrive."""
    brightness = (record_ids + 10 * view_numbers).astype(jnp.float32)
    return images.astype(jnp.float32) / 255.0 + 0.01 * brightness[:, None, None, None]


def numpy_views(batch):
    brightness = batch["record_id"] + 10.0 * batch["view"]
    return batch["image"] / 255.0 + 0.01 * brightness[:, None, None, None]


def make_batch(seed=0, mask=(True,) * BATCH):
    rng = np.random.default_rng(seed)
    size = len(mask)
    return {
        "image": rng.integers(256, size=(size, 3, 3, 1)).astype(np.uint8),
        "record_id": rng.integers(50, size=size).astype(np.int32),
        "view": rng.integers(4, size=size).astype(np.int32),
        "target_ids": rng.integers(NUM_CLASSES, size=(size, 2)).astype(np.int32),
        "target_probs": rng.uniform(0, 0.5, (size, 2)).astype(np.float32),
        "mask": np.array(mask),
    }


def make_tiny_state(tx):
    """Makes the same state at every call."""
    rng = np.random.default_rng(7)
    logits = {"kernel": rng.normal(size=(9, NUM_CLASSES)), "bias": rng.normal(size=NUM_CLASSES)}
    variables = {
        "params": {"logits": jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), logits)},
        "batch_stats": {"passes": jnp.zeros((), jnp.int32)},
    }
    return make_state(variables, tx)


def descend(updates, state, params=None, *, learning_rate):
    """Is the update of plain gradient descent."""
    del params
    return jax.tree.map(lambda g: -learning_rate * g, updates), state


SGD = optax.GradientTransformationExtraArgs(lambda _: optax.EmptyState(), descend)


def train_once(batch, judge=objective.sigmoid, rate=0.1, **options):
    """Takes one step of gradient descent; returns state and metrics."""
    mesh = sharding.make_mesh()
    state = jax.device_put(make_tiny_state(SGD), sharding.replicated(mesh))
    train_step = make_train_step(TinyModel(), judge, SGD, views, mesh, **options)
    return train_step(state, sharding.put_batch(mesh, batch), np.float32(rate))
