"""On one device; tests/train/test_sharded_step.py has eight."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from kc_jax import sharding
from kc_jax.core import losses
from kc_jax.core.head_spec import HeadSpec
from kc_jax.core.tiled_layout import TiledLayout
from kc_jax.models import classifier
from kc_jax.models.classifier import Classifier
from kc_jax.train import objective
from tests.models.random_variables import random_variables

SIZES = (13, 4, 9)
HEADS = ("FC6-FC4", "FC6-SC4", "SC6-SC4", "FC6-SC(4,1)", "linear")
EVERY = pytest.mark.parametrize("head", HEADS)
LEVELS = pytest.mark.parametrize("level", [None, "vertical", "class"])


class Identity(nn.Module):
    @nn.compact
    def __call__(self, images, train):
        return images


def images(seed=0):
    return np.random.default_rng(seed).normal(size=(5, 7)).astype(np.float32)


def make(head, level, dtype=jnp.float32):
    """Gives a classifier in its logical form and in tiles, and logical parameters."""
    pace = None if level is None else nn.FrozenDict(
        level=level, initial="sqrt_size", scale=1.0, deviation=0.1, seed=0
    )
    logical = Classifier(Identity(), HeadSpec.parse(head), SIZES, prior=0.1, pace=pace, dtype=dtype)
    tiled = logical.clone(layout=TiledLayout(SIZES, 1, 4), mesh=sharding.make_mesh())
    return logical, tiled, random_variables(logical, images(), train=True)["params"]


@EVERY
@LEVELS
def test_tiles_give_the_logits_of_whole_verticals(head, level):
    logical, tiled, params = make(head, level)
    expected = logical.apply({"params": params}, images(), train=False)
    laid_out = classifier.from_logical(tiled, params)
    given = tiled.apply({"params": laid_out}, images(), train=False)
    np.testing.assert_allclose(tiled.layout.in_class_order(given), expected, rtol=1e-6, atol=1e-6)
    padding = np.asarray(given)[:, ~tiled.layout.valid]
    assert padding.size and np.all(padding == -1e30)


@EVERY
@LEVELS
def test_tiles_give_the_gradients_of_whole_verticals(head, level):
    logical, tiled, params = make(head, level)
    rng = np.random.default_rng(2)
    ids = rng.integers(sum(SIZES), size=(5, 3)).astype(np.int32)
    probs = rng.uniform(0, 0.4, (5, 3)).astype(np.float32)
    batch = {"target_ids": ids, "target_probs": probs}
    of_tiles = objective.make_tiled_sigmoid(tiled.layout, tiled.mesh)

    def plain_loss(params):
        logits = logical.apply({"params": params}, images(), train=False)
        return jnp.sum(losses.sigmoid_cross_entropy(logits, ids, probs))

    def tiled_loss(params):
        logits = tiled.apply({"params": params}, images(), train=False)
        return jnp.sum(of_tiles(logits, batch)["loss"])

    expected, gradients = jax.value_and_grad(plain_loss)(params)
    laid_out = classifier.from_logical(tiled, params)
    given, tiled_gradients = jax.value_and_grad(tiled_loss)(laid_out)
    np.testing.assert_allclose(given, expected, rtol=1e-6)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6),
        classifier.to_logical(tiled, tiled_gradients), gradients,
    )
    assert np.all(np.asarray(tiled_gradients["logits"]["bias"])[~tiled.layout.valid] == 0)


@EVERY
@LEVELS
def test_the_way_there_and_back_changes_nothing(head, level):
    logical, tiled, params = make(head, level)
    state = {"params": params, "sums": ({"of": jax.tree.map(np.square, params)},), "step": 3}
    back = classifier.to_logical(tiled, classifier.from_logical(tiled, state))
    jax.tree.map(np.testing.assert_array_equal, back, state)
    assert classifier.from_logical(logical, state) is state


@EVERY
def test_bfloat16_products_add_up_in_float32(head):
    logical, tiled, params = make(head, None, dtype=jnp.bfloat16)
    exact, _, _ = make(head, None)
    laid_out = classifier.from_logical(tiled, params)
    given = tiled.apply({"params": laid_out}, images(), train=False)
    plain = logical.apply({"params": params}, images(), train=False)
    expected = exact.apply({"params": params}, images(), train=False)
    assert given.dtype == plain.dtype == jnp.float32
    np.testing.assert_allclose(tiled.layout.in_class_order(given), plain, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(plain, expected, rtol=0.05, atol=0.5)
    # Rounded to bfloat16 on the way out, every logit would be one of these.
    rounded = np.asarray(plain.astype(jnp.bfloat16).astype(jnp.float32))
    assert np.mean(rounded == np.asarray(plain)) < 0.2
