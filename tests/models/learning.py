"""What training must do to a backbone with batch normalization."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from tests.models.abstract import abstract, images_of


def check_every_parameter_learns(model, variables, images):
    """Checks that gradients reach every parameter, and that all batch statistics move."""
    before = variables["batch_stats"]
    weights = np.random.default_rng(0).normal(size=len(images)).astype(np.float32)

    def loss(params):
        features, state = model.apply(
            {"params": params, "batch_stats": before}, images, train=True, mutable=["batch_stats"]
        )
        return jnp.sum(jnp.sum(jnp.square(features), axis=1) * weights), state["batch_stats"]

    slopes, after = jax.jit(jax.grad(loss, has_aux=True))(variables["params"])
    for path, slope in jax.tree_util.tree_leaves_with_path(slopes):
        assert np.all(np.isfinite(slope)) and np.any(slope != 0), path
    for then, now in zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True):
        assert np.all(np.isfinite(now)) and np.any(now != then)


def check_low_precision(model, variables, images, expected):
    """Checks that parameters and features stay float32, and features near those of float32."""
    for train in (False, True):
        output, shapes = abstract(model, images_of(16), train)
        assert {leaf.dtype for leaf in jax.tree.leaves(shapes)} == {jnp.dtype("float32")}
        assert output.dtype == jnp.float32
    features = jax.jit(functools.partial(model.apply, train=False))(variables, images)
    assert np.any(features != expected)
    np.testing.assert_allclose(features, expected, atol=0.1 * expected.std())
