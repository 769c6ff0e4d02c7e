"""Command lines, each in a process of its own that is forked from one which has imported it all.

What a person would see of `python -m MODULE …`, at a hundredth of the time.
"""

import contextlib
import dataclasses
import importlib
import json
import os
import pathlib
import runpy
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator, Sequence

ROOT = pathlib.Path(__file__).parents[2]
HANG = -1  # The status of a command that did not end in time.
SECONDS = 60.0


@dataclasses.dataclass(frozen=True)
class Done:
    """Holds what came of a command: its exit status, and what it wrote."""

    status: int
    out: str
    err: str


class Commands:
    """Runs command lines; see `open_commands`."""

    def __init__(self, process: subprocess.Popen):
        self._process = process

    def run(
        self, argv: Sequence[str], folder: pathlib.Path, stdin: bytes = b"",
        seconds: float = SECONDS,
    ) -> Done:
        """Runs one.

        Args:
          argv: module and arguments.
          folder: of what it writes.
          stdin: that it reads.
          seconds: after which it hangs.
        """
        streams = [folder / name for name in ("stdin", "stdout", "stderr")]
        streams[0].write_bytes(stdin)
        asked = {"argv": list(argv), "streams": list(map(str, streams)), "seconds": seconds}
        print(json.dumps(asked), file=self._process.stdin, flush=True)
        status = int(self._process.stdout.readline())
        out, err = (path.read_bytes().decode(errors="replace") for path in streams[1:])
        return Done(status, out, err)


def environment_of(home: pathlib.Path) -> dict[str, str]:
    """Gives the environment of commands whose user has the folder ``home``."""
    return {
        **os.environ, "HOME": str(home), "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu",
        "HF_HUB_OFFLINE": "1", "COLUMNS": "200", "PYTHONIOENCODING": "utf-8:strict",
    }


@contextlib.contextmanager
def open_commands(home: pathlib.Path) -> Iterator[Commands]:
    """Starts the process that forks.

    Args:
      home: takes the place of the user's, where caches are.
    """
    command = [sys.executable, "-W", "ignore", "-m", "tests.faults.commands"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment_of(home), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Commands(process)
        finally:
            process.stdin.close()  # Which ends it.


def _serve() -> None:
    for name in ("datasets", "onnxruntime"):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    import kc_jax.bundle.stream
    import kc_jax.command
    import kc_jax.data.preparation
    import kc_jax.stages.runner  # noqa: F401

    for line in sys.stdin:
        print(_forked(**json.loads(line)), flush=True)


def _forked(argv: list[str], streams: list[str], seconds: float) -> int:
    number = os.fork()
    if not number:
        os._exit(_run(argv, streams))
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ended, status = os.waitpid(number, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(number, signal.SIGKILL)
    os.waitpid(number, 0)
    return HANG


def _run(argv: list[str], streams: list[str]) -> int:
    """Does what `python -m` does, up to the exit status."""
    for descriptor, path in enumerate(streams):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC * bool(descriptor)), descriptor)
    sys.stdin = open(0, encoding="utf-8", closefd=False)
    sys.argv, status = argv, 0
    try:
        runpy.run_module(argv[0], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        status = end.code or 0
        if not isinstance(status, int):
            print(status, file=sys.stderr)
            status = 1
    except BaseException:
        traceback.print_exc()
        status = 1
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return status


if __name__ == "__main__":
    _serve()
