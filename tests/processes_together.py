"""Runs a module in several processes that work together, each with simulated devices of its own."""

import os
import pathlib
import subprocess
import sys

from launch import local_multiprocess


def begin(name: str, *arguments: str, num_processes: int = 2, devices: int = 1) -> list:
    """Begins `python -m NAME ARGUMENTS` in several processes.

    Args:
      name: of the module, which is one of a configuration.
      *arguments: of the command line.
      num_processes: to begin.
      devices: of each.
    """
    environment = {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
    }
    coordinator = f"--coordinator=localhost:{local_multiprocess.free_port()}"
    return [
        subprocess.Popen(
            [
                sys.executable, "-m", name, *arguments, coordinator,
                f"--num_processes={num_processes}", f"--process_id={number}",
            ],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            cwd=pathlib.Path(__file__).parents[1],
        )
        for number in range(num_processes)
    ]


def end(processes: list, seconds: float = 900.0) -> list[tuple[int, str]]:
    """Waits for processes; gives the status of each and what it wrote to stderr."""
    try:
        return [
            (process.returncode, errors)
            for process in processes
            for _, errors in [process.communicate(timeout=seconds)]
        ]
    finally:
        for process in processes:
            process.kill()
