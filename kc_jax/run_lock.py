"""One run at a time in a working directory, or at a part of it; one that prepares data."""

import contextlib
import fcntl
import json
import os
import pathlib
import socket
import sys
import threading
import time
from typing import IO

from kc_jax.errors import UserError

FILE = "run.lock"
BEAT_SECONDS = 5.0
STALE_SECONDS = 30.0  # Without a beat; another host's lock is over then.


class WorkdirInUseError(UserError, RuntimeError):
    """Says who works in a working directory already, and what to do."""


@contextlib.contextmanager
def locked(root: pathlib.Path, name: str = FILE):
    """Keeps other runs out of a working directory, or of a part of it.

    A run that was killed keeps nobody out: on the same host the system drops its lock; on another
    host that shares the folder, it counts as dead when its file was not touched for
    `STALE_SECONDS`, for which the next run waits.

    Args:
      root: the working directory.
      name: of the lock's file there, which stays.

    Raises:
      WorkdirInUseError: another run holds it.
    """
    root.mkdir(parents=True, exist_ok=True)
    path = root / name
    with open(path, "a+", encoding="utf-8") as file:
        _take(file, path)
        _wait_for_other_hosts(file, path)
        owner = {"host": socket.gethostname(), "pid": os.getpid(), "since": time.ctime()}
        _rewrite(file, json.dumps(owner) + "\n")
        done = threading.Event()
        beat = threading.Thread(target=_beat, args=(path, done), daemon=True)
        beat.start()
        try:
            yield
        finally:
            done.set()
            beat.join()
            _rewrite(file, "")


@contextlib.contextmanager
def awaited(path: pathlib.Path, what: str):
    """Waits until no other process is at something, and keeps others from it.

    Args:
      path: of the lock's file, which stays.
      what: the others do, for the person who watches.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for another process that {what}", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _take(file: IO, path: pathlib.Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _in_use(path, _owner(file)) from None


def _wait_for_other_hosts(file: IO, path: pathlib.Path) -> None:
    """Waits until the run of another host, which file locks may not reach, shows it is dead."""
    owner = _owner(file)
    if owner.get("host") in (None, socket.gethostname()):
        return
    touched, end = path.stat().st_mtime, time.monotonic() + STALE_SECONDS
    while time.monotonic() < end:
        time.sleep(min(1.0, STALE_SECONDS / 10))
        if path.stat().st_mtime != touched:
            raise _in_use(path, owner)


def _owner(file: IO) -> dict:
    file.seek(0)
    try:
        return dict(json.loads(file.read()))
    except ValueError:  # Empty after a run that ended, or half written.
        return {}


def _in_use(path: pathlib.Path, owner: dict) -> WorkdirInUseError:
    who = "process {pid} on {host} since {since}".format_map(
        {"pid": "?", "host": "?", "since": "?", **owner}
    )
    return WorkdirInUseError(
        f"another run works in {path.parent}: {who}, as {path.name} says; wait for it, stop it, or "
        "take another --workdir"
    )


def _rewrite(file: IO, text: str) -> None:
    file.seek(0)
    file.truncate()
    file.write(text)
    file.flush()


def _beat(path: pathlib.Path, done: threading.Event) -> None:
    while not done.wait(BEAT_SECONDS):
        with contextlib.suppress(OSError):
            os.utime(path)
