import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kc_jax.core.head_spec import HeadSpec
from kc_jax.models.classifier import Classifier
from tests.models.random_variables import random_variables
from tests.reference import heads as reference
from tests.reference import self_paced as reference_pace

SIZES = (3, 5)
IMAGES = np.random.default_rng(0).normal(size=(4, 3, 3, 1)).astype(np.float32)
PACE = {"level": "vertical", "initial": "sqrt_size", "scale": 2.0, "deviation": 0.1}


class Backbone(nn.Module):
    """Flattens, and subtracts a running mean that a training pass replaces by the batch's."""

    @nn.compact
    def __call__(self, images, train):
        features = images.reshape(images.shape[0], -1)
        scale = self.param("scale", nn.initializers.ones, (1, features.shape[1]))
        mean = self.variable("batch_stats", "mean", jnp.zeros, (1, features.shape[1]))
        if train:
            mean.value = jnp.mean(features, axis=0, keepdims=True)
        return (features - mean.value) * scale


def make(head="FC6-SC4", **options):
    options = {"prior": 0.1, "kernel_stddev": 1.0, **options}
    model = Classifier(Backbone(), HeadSpec.parse(head), SIZES, **options)
    return model, random_variables(model, IMAGES, train=False)


def apply(model, variables):
    return jax.jit(functools.partial(model.apply, train=False))(variables, IMAGES)


@pytest.mark.parametrize("pace", [None, PACE])
def test_names_of_the_parts(pace):
    _, variables = make(pace=pace)
    parts = {"backbone", "trunk", "bottleneck", "logits"} | ({"pace"} if pace else set())
    assert set(variables["params"]) == parts
    assert set(variables["batch_stats"]) == {"backbone"}


def test_a_linear_head_has_no_top_layers():
    _, variables = make("linear", pace=PACE)
    assert set(variables["params"]) == {"backbone", "logits", "pace"}


@pytest.mark.parametrize("head", ["FC6-FC4", "FC6-SC4", "SC6-SC4", "FC6-SC(4,1)", "linear"])
@pytest.mark.parametrize("pace", [None, PACE])
def test_logits_equal_the_reference(head, pace):
    model, variables = make(head, pace=pace)
    params = variables["params"]
    mean = variables["batch_stats"]["backbone"]["mean"]
    features = (IMAGES.reshape(4, -1) - mean) * params["backbone"]["scale"]
    expected = reference.logits(features, params, len(SIZES))
    if pace:
        gamma = params["pace"]["gamma"]
        expected = [reference_pace.pace_logits(x, gamma[v]) for v, x in enumerate(expected)]
    logits = apply(model, variables)
    assert logits.shape == (4, 8)
    np.testing.assert_allclose(logits, np.concatenate(expected, axis=1), rtol=1e-5, atol=1e-5)


def test_train_reaches_the_backbone():
    model, variables = make()
    logits, updates = model.apply(variables, IMAGES, train=True, mutable=["batch_stats"])
    assert np.any(logits != apply(model, variables))
    before, after = variables["batch_stats"], updates["batch_stats"]
    assert np.any(before["backbone"]["mean"] != after["backbone"]["mean"])


def test_zero_kernels_start_every_class_at_the_prior_and_still_learn():
    model, _ = make(kernel_stddev=0.0, prior=0.02)
    variables = jax.jit(functools.partial(model.init, train=False))(jax.random.key(0), IMAGES)
    probabilities = jax.nn.sigmoid(apply(model, variables))
    np.testing.assert_allclose(probabilities, np.full((4, 8), 0.02), rtol=1e-5)

    def total(params):
        return jnp.sum(model.apply({**variables, "params": params}, IMAGES, train=False))

    slopes = jax.jit(jax.grad(total))(variables["params"])
    assert all(np.any(slope != 0) for slope in jax.tree.leaves(slopes["logits"]))


@pytest.mark.parametrize("pace", [None, PACE])
def test_low_precision_keeps_parameters_and_logits(pace):
    model, variables = make(pace=pace, dtype=jnp.bfloat16)
    logits = apply(model, variables)
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    assert logits.dtype == jnp.float32
