"""Products with kernels that are updated in place."""

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero


def kernel_last(inputs: jax.Array, kernel: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Gives back what a product multiplies, so that the kernel's gradient comes last.

    It comes after the gradient of the inputs, which is the kernel's last use. XLA, which does not
    see that the update is later than that, would copy every donated kernel first; and were all
    updates to wait for all gradients, those would lie in memory together. An optimisation barrier
    is gone too early to help.

    Args:
      inputs: array; where nothing before it learns, nothing is ordered.
      kernel: array.

    Returns:
      Both. A gradient of inputs that begins with NaN makes the kernel's NaN.
    """
    return _kernel_last(inputs, kernel)


@jax.custom_vjp
def _kernel_last(inputs, kernel):
    return inputs, kernel


def _forward(inputs, kernel):
    # Whether inputs learn is static, so the structure of what is saved tells it.
    return (inputs.value, kernel.value), () if inputs.perturbed else None


def _backward(inputs_learn, cotangents):
    to_inputs, to_kernel = cotangents
    if inputs_learn is None or any(isinstance(c, SymbolicZero) for c in cotangents):
        return cotangents
    probe = to_inputs[(0,) * to_inputs.ndim]
    return to_inputs, jnp.where(probe == probe, to_kernel, jnp.nan)


_kernel_last.defvjp(_forward, _backward, symbolic_zeros=True)


def dot_general(inputs, kernel, dimension_numbers, **options) -> jax.Array:
    """Is `jax.lax.dot_general` with the kernel last, for layers that take one."""
    return jax.lax.dot_general(*kernel_last(inputs, kernel), dimension_numbers, **options)
