"""Runs a command in several processes on this machine, as the hosts of a pod would.

python -m launch.local_multiprocess --num_processes=2 --devices_per_process=4 -- \
  --config=configs/eft.py:smoke --workdir=runs/two_processes

Every process has simulated CPU devices of its own and is told where the others meet: --coordinator,
--num_processes and --process_id are added to the command. What follows `--` are options of
`python -m kc_jax.main`, or another command. Lines of output begin with the number of their process.

When one process fails, the others are asked to end, and ended after --grace seconds. Where it said
that it was preempted (status 75), all are started again, up to --restarts times.
"""

import argparse
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence

from kc_jax.preemption import EXIT_CODE

POLL_SECONDS = 0.05
DRAIN_SECONDS = 5.0  # For the last lines of a process that has ended.


class _Notice:
    """Remembers the signal that asked this launcher to end."""

    def __init__(self):
        self.signal: int | None = None

    def heed(self, number: int, _frame) -> None:
        self.signal = number


def main(argv: Sequence[str]) -> int:
    """Runs the command until it is done, has failed or was preempted too often.

    Args:
      argv: options of this launcher, then `--` and the command.

    Returns:
      0, or the status of the process that failed first; 128 and its number for a signal.
    """
    options, command = _parse(argv)
    notice = _Notice()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, notice.heed)
    for left in range(options.restarts, -1, -1):
        status = run_once(command, options, notice)
        if status != EXIT_CODE or notice.signal:
            break
        _say(f"preempted; {f'starting again, {left} times left' if left else 'no restart is left'}")
    return status


def run_once(command: Sequence[str], options: argparse.Namespace, notice: _Notice) -> int:
    """Starts all processes and waits until every one has ended; gives the status."""
    place = f"localhost:{free_port()}"
    environment = _environment(options.devices_per_process)
    processes: list[subprocess.Popen] = []
    readers: list[threading.Thread] = []
    try:
        for i in range(options.num_processes):
            process = subprocess.Popen(
                [*command, f"--coordinator={place}", f"--num_processes={options.num_processes}",
                 f"--process_id={i}"],
                env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                errors="replace", start_new_session=True,  # Ctrl-C comes by way of this launcher.
            )
            processes.append(process)
            readers += [_copy(process.stdout, sys.stdout, i), _copy(process.stderr, sys.stderr, i)]
        return _wait(processes, notice, options.grace)
    finally:
        _end(processes, signal.SIGKILL)
        end = time.monotonic() + DRAIN_SECONDS
        for reader in readers:
            reader.join(max(0.0, end - time.monotonic()))


def _wait(processes: Sequence[subprocess.Popen], notice: _Notice, grace: float) -> int:
    """Waits for all; once one has failed, or this launcher is asked to end, for `grace` seconds."""
    status, deadline = 0, None
    while any(process.poll() is None for process in processes):
        status = status or _failure(processes)
        if deadline is None and (status or notice.signal):
            _end(processes, notice.signal or signal.SIGTERM)
            deadline = time.monotonic() + grace
        elif deadline is not None and time.monotonic() > deadline:
            _say(f"what still runs {grace:g} s after it was asked to end is killed")
            _end(processes, signal.SIGKILL)
            deadline = float("inf")
        time.sleep(POLL_SECONDS)
    return status or _failure(processes)


def _failure(processes: Sequence[subprocess.Popen]) -> int:
    """Gives the status of a process that failed, of one that was not preempted if any, else 0."""
    failed = {i: p.returncode for i, p in enumerate(processes) if p.poll()}
    if not failed:
        return 0
    number = next((i for i, code in failed.items() if code != EXIT_CODE), min(failed))
    code = failed[number]
    how = f"signal {-code}" if code < 0 else f"status {code}"
    _say(f"process {number} of {len(processes)} ended with {how}")
    return 128 - code if code < 0 else code


def _end(processes: Sequence[subprocess.Popen], number: int) -> None:
    """Signals the processes that still run, and with SIGKILL whatever these have started."""
    for process in processes:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                if number == signal.SIGKILL:
                    os.killpg(process.pid, number)
                else:
                    process.send_signal(number)


def _copy(source, target, number: int) -> threading.Thread:
    """Copies lines in a thread, each with the number of its process before it."""
    newline = "\n"

    def work():
        for line in source:  # Written in one call each, so that none mix.
            target.write(f"[{number}] {line.removesuffix(newline)}{newline}")
            target.flush()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def _environment(num_devices: int) -> Mapping[str, str]:
    flags = os.environ.get("XLA_FLAGS", "")
    simulated = f"{flags} --xla_force_host_platform_device_count={num_devices}"
    return {
        **os.environ, "JAX_PLATFORMS": "cpu", "PYTHONUNBUFFERED": "1",
        "XLA_FLAGS": simulated.strip(),
    }


def free_port() -> int:
    """Finds a port of this machine that nobody listens at."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        return free.getsockname()[1]


def _say(text: str) -> None:
    print(f"local_multiprocess: {text}", file=sys.stderr, flush=True)


def _parse(argv: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    split = argv.index("--") if "--" in argv else len(argv)
    own, command = list(argv[:split]), list(argv[split + 1 :])
    if not command or command[0].startswith("-"):
        command = [sys.executable, "-m", "kc_jax.main", *command]
    parser = argparse.ArgumentParser(
        prog="python -m launch.local_multiprocess", description=__doc__.splitlines()[0],
        epilog="After --: options of python -m kc_jax.main, or another command.",
    )
    for name, default, meaning in (
        ("num_processes", 2, "that make up the run"),
        ("devices_per_process", 1, "simulated CPU devices of each"),
    ):
        parser.add_argument(
            f"--{name}", type=_at_least(int, 1), default=default, help=f"{meaning} ({default})"
        )
    parser.add_argument("--restarts", type=_at_least(int, 0), default=0,
                        help="so many, where a process ends with status 75 (0)")
    parser.add_argument("--grace", type=_at_least(float, 0), default=30.0,
                        help="seconds to end in, when asked to, before being killed (30)")
    return parser.parse_args(own), command


def _at_least(kind, least):
    def read(text: str):
        value = kind(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"{value} is below {least}")
        return value

    read.__name__ = kind.__name__  # Which argparse names where the text is no number.
    return read


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except OSError as error:
        sys.exit(
            f"kc_jax: the command after -- cannot be started: {error}; expected a program, or "
            "options of python -m kc_jax.main that begin with --"
        )
