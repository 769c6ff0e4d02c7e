import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kc_jax.models.cifar_resnet import CifarResNet
from kc_jax.models.pooling import global_mean
from kc_jax.models.resnet import ResNet


def test_averages_every_channel_in_float32():
    images = np.random.default_rng(0).normal(size=(2, 5, 3, 4)).astype(np.float32)
    expected = [[image[:, :, c].mean() for c in range(4)] for image in images]
    np.testing.assert_allclose(global_mean(jnp.asarray(images)), expected, rtol=1e-5, atol=1e-7)
    low = jnp.asarray(images, jnp.bfloat16)
    found = jax.jit(global_mean)(low)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, global_mean(low.astype(jnp.float32)), rtol=1e-5, atol=1e-7)
    gradient = jax.grad(lambda image: global_mean(image).sum())(jnp.asarray(images))
    np.testing.assert_allclose(gradient, np.full(images.shape, 1 / 15), rtol=1e-6)


@pytest.mark.parametrize("make", [
    functools.partial(CifarResNet, 14),
    functools.partial(ResNet, (1, 2, 2), 16),
    functools.partial(ResNet, (2, 2), 16, block="basic"),
], ids=["cifar", "bottleneck", "basic"])
def test_residual_networks_of_bfloat16_are_near_those_of_float32(make):
    images = np.random.default_rng(0).normal(size=(4, 32, 32, 3)).astype(np.float32)
    variables = make().init(jax.random.key(0), images, train=False)
    expected = jax.jit(functools.partial(make().apply, train=False))(variables, images)
    low = make(dtype=jnp.bfloat16)
    found = jax.jit(functools.partial(low.apply, train=False))(variables, images)
    assert np.all(np.isfinite(found)) and np.any(found != expected)
    np.testing.assert_allclose(found, expected, atol=0.05 * float(jnp.std(expected)))
