"""Runs a module in a process of its own that sees eight simulated devices, or another number."""

import os
import pathlib
import subprocess
import sys


def run_module(name: str, *arguments: str, devices: int = 8) -> str:
    """Gives the last line, if any, that `python -m NAME ARGUMENTS` prints on CPU devices."""
    environment = {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
    }
    run = subprocess.run(
        [sys.executable, "-m", name, *arguments], env=environment, check=True,
        capture_output=True, text=True, cwd=pathlib.Path(__file__).parents[1],
    )
    return run.stdout.rstrip().rpartition("\n")[-1]
