"""Timing side by side, what the machine can do at best, and the CSV beside a benchmark."""

import csv
import datetime
import importlib.metadata
import os
import pathlib
import platform
import statistics
import time
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np


def interleaved(runs: Mapping[str, Callable[[], None]], repeats: int) -> dict[str, float]:
    """Times functions in turn, so that a noisy machine is noisy to all of them.

    Args:
      runs: by name; each does its work once and waits for the end.
      repeats: of each, after one that is not counted.

    Returns:
      The median of each, seconds.
    """
    for run in runs.values():
        run()
    seconds = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def matrix_rates(dtype=jnp.float32, side: int = 4096, rows: int = 256) -> dict[str, Callable]:
    """Gives runs of [rows, side] × [side, side] products, by the library that makes them."""
    rng = np.random.default_rng(0)
    left, right = (rng.normal(size=(n, side)).astype(np.float32) for n in (rows, side))
    a, b = (jax.device_put(jnp.asarray(x, dtype)) for x in (left, right))
    product = jax.jit(lambda a, b: a @ b)
    runs = {"jax": lambda: product(a, b).block_until_ready()}
    if jax.default_backend() == "cpu":
        runs["numpy"] = lambda: left @ right
        torch = optional_torch()
        if torch:
            c, d = torch.from_numpy(left), torch.from_numpy(right)
            runs["torch"] = lambda: c @ d
    return runs


def ceilings(dtype, repeats: int) -> dict[str, float]:
    """Measures the best matrix product and copy of this device.

    Args:
      dtype: of the products.
      repeats: of each.

    Returns:
      ``flops``, operations a second, and ``bytes``, read and written a second.
    """
    side, rows = 4096, 256
    size = 1 << 27
    source = jnp.zeros(size, jnp.float32)
    copies = {"jax": _jax_copy(source)}
    if jax.default_backend() == "cpu":
        host, other = np.zeros(size, np.float32), np.zeros(size, np.float32)
        copies["numpy"] = lambda: np.copyto(other, host)
    products = interleaved(matrix_rates(dtype, side, rows), repeats)
    copied = interleaved(copies, repeats)
    return {
        "flops": 2 * rows * side * side / min(products.values()),
        "bytes": 2 * 4 * size / min(copied.values()),
    }


def _jax_copy(source: jax.Array) -> Callable:
    # Donated, so that no fresh pages are counted.
    step = jax.jit(lambda x: x + 1, donate_argnums=0)
    held = [source]

    def run():
        held[0] = step(held[0]).block_until_ready()

    return run


def optional_torch():
    """Imports PyTorch where it is installed, else gives None."""
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    return torch


def machine() -> dict[str, str]:
    """Describes where and with what a benchmark ran."""
    versions = {"python": platform.python_version()}
    for name in ("jax", "numpy", "torch", "scikit-learn"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "date": datetime.date.today().isoformat(),
        "device": jax.devices()[0].device_kind if jax.default_backend() != "cpu" else _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "versions": " ".join(f"{k} {v}" for k, v in versions.items()),
    }


def _processor() -> str:
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def append_csv(script: str, row: Mapping[str, object]) -> None:
    """Adds a row to the CSV beside a script.

    Args:
      script: its ``__file__``.
      row: by column; a file with other columns is refused.
    """
    path = pathlib.Path(script).with_suffix(".csv")
    row = {**row, **machine()}
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            columns = next(csv.reader(file))
        if columns != list(row):
            raise SystemExit(f"{path} has other columns ({', '.join(columns)}); move it away")
    fresh = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        if fresh:
            writer.writeheader()
        writer.writerow(row)
