import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from kc_jax.core import products

INPUTS = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
KERNEL = np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32)


def product(inputs, kernel):
    return jnp.einsum("bd,ud->bu", *products.kernel_last(inputs, kernel))


def weighted(inputs, kernel, weights):
    return jnp.sum(weights * product(inputs, kernel))


def test_value_and_gradients_are_the_products():
    np.testing.assert_allclose(product(INPUTS, KERNEL), INPUTS @ KERNEL.T, rtol=1e-6)
    weights = np.arange(15, dtype=np.float32).reshape(3, 5)
    to_inputs, to_kernel = jax.grad(weighted, argnums=(0, 1))(INPUTS, KERNEL, weights)
    np.testing.assert_allclose(to_inputs, weights @ KERNEL, rtol=1e-5)
    np.testing.assert_allclose(to_kernel, weights.T @ INPUTS, rtol=1e-5)
    check_grads(lambda x, w: jnp.tanh(product(x, w)), (INPUTS, KERNEL), order=1, modes=["rev"])


def test_dot_general_is_that_of_lax():
    dimensions = (((1,), (0,)), ((), ()))
    ours = products.dot_general(INPUTS, KERNEL.T, dimensions, precision=None)
    np.testing.assert_array_equal(ours, jax.lax.dot_general(INPUTS, KERNEL.T, dimensions))


@pytest.mark.parametrize("inputs_learn", [True, False])
def test_kernel_waits_for_the_gradient_of_inputs_that_learn(inputs_learn):
    """A NaN shows what depends on what: the kernel's gradient reads the other's first element."""
    kernel = KERNEL.copy()
    kernel[0, 0] = np.nan  # Reaches the gradient of the inputs, not the one of the kernel.
    argnums = (0, 1) if inputs_learn else (1,)
    *_, to_kernel = jax.grad(weighted, argnums)(INPUTS, kernel, np.ones((3, 5), np.float32))
    assert np.isnan(to_kernel).all() == np.isnan(to_kernel).any() == inputs_learn


@pytest.mark.parametrize("used", [0, 1])
def test_a_half_that_nothing_uses_has_no_gradient(used):
    gradients = jax.grad(lambda *both: products.kernel_last(*both)[used].sum(), (0, 1))(
        INPUTS, KERNEL
    )
    assert (gradients[used] == 1).all() and (gradients[1 - used] == 0).all()
