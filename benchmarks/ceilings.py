"""What a device can do at best: multiply matrices and copy."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import measure


def best_rates(dtype, rounds: int) -> dict[str, float]:
    """Measures the best matrix product and copy of this device.

    Args:
      dtype: of the products.
      rounds: of each.

    Returns:
      ``flops``, operations a second, and ``bytes``, read and written a second.
    """
    side, rows, size = 4096, 256, 1 << 27
    products = measure.median_seconds(matrix_products(dtype, side, rows), rounds)
    copied = measure.median_seconds(copies(size), rounds)
    return {
        "flops": 2 * rows * side * side / min(products.values()),
        "bytes": 2 * 4 * size / min(copied.values()),
    }


def matrix_products(dtype, side: int, rows: int) -> dict[str, Callable]:
    """Gives runs of [rows, side] × [side, side] products, by the library that makes them."""
    rng = np.random.default_rng(0)
    left, right = (rng.normal(size=(n, side)).astype(np.float32) for n in (rows, side))
    a, b = (jax.device_put(jnp.asarray(x, dtype)) for x in (left, right))
    product = jax.jit(lambda a, b: a @ b)
    runs = {"jax": lambda: product(a, b).block_until_ready()}
    if jax.default_backend() == "cpu":
        runs["numpy"] = lambda: left @ right
        torch = measure.optional_torch()
        if torch:
            c, d = torch.from_numpy(left), torch.from_numpy(right)
            runs["torch"] = lambda: c @ d
    return runs


def copies(size: int) -> dict[str, Callable]:
    """Gives runs that read and write so many f32, by the library that does it."""
    # Donated, so that no fresh pages are counted.
    step = jax.jit(lambda x: x + 1, donate_argnums=0)
    held = [jnp.zeros(size, jnp.float32)]

    def run():
        held[0] = step(held[0]).block_until_ready()

    runs = {"jax": run}
    if jax.default_backend() == "cpu":
        host, other = np.zeros(size, np.float32), np.zeros(size, np.float32)
        runs["numpy"] = lambda: np.copyto(other, host)
    return runs
