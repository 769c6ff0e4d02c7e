"""Shapes of a backbone without running it."""

import functools

import jax
import jax.numpy as jnp


def images_of(size, batch=2, channels=3):
    return jax.ShapeDtypeStruct((batch, size, size, channels), jnp.float32)


def abstract(model, images, train=False):
    """Gives the shapes of a backbone's features and variables."""
    init = functools.partial(model.init_with_output, train=train)
    return jax.eval_shape(init, jax.random.key(0), images)
