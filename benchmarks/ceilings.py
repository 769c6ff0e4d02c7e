"""What a device can do at best: multiply matrices and copy."""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import measure

SIDE, ROWS, COPIED = 4096, 256, 1 << 27


def runs(dtype) -> dict[str, Callable]:
    """Gives runs of the device's best, to be timed in turn with what is measured against it.

    Args:
      dtype: of the products.
    """
    products = matrix_products(dtype, SIDE, ROWS)
    return {
        **{f"product/{name}": run for name, run in products.items()},
        **{f"copy/{name}": run for name, run in copies(COPIED).items()},
    }


def best_rates(seconds: Mapping[str, float]) -> dict[str, float]:
    """Gives the best rates that the runs show.

    Args:
      seconds: by name of the run; other names are ignored.

    Returns:
      ``flops``, operations a second, and ``bytes``, read and written a second.
    """
    def best(kind: str) -> float:
        return min(value for name, value in seconds.items() if name.startswith(f"{kind}/"))

    return {
        "flops": 2 * ROWS * SIDE * SIDE / best("product"), "bytes": 2 * 4 * COPIED / best("copy"),
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
