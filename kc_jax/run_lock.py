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
LEASE_SECONDS = 150.0  # For which a file server may keep the lock of a host that is gone.
BOOT_ID = pathlib.Path("/proc/sys/kernel/random/boot_id")  # Two hosts may have one name.


class WorkdirInUseError(UserError, RuntimeError):
    """Says who works in a working directory already, and what to do."""


@contextlib.contextmanager
def locked(root: pathlib.Path, name: str = FILE):
    """Keeps other runs out of a working directory, or of a part of it.

    A run that was killed keeps nobody out: on the same host the system drops its lock; on another
    host that shares the folder, it counts as dead when its file was not touched for
    `STALE_SECONDS`, for which the next run waits, and for the file server to drop the lock.

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
        owner = {**_here(), "pid": os.getpid(), "since": time.ctime()}
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
def locked_parts(root: pathlib.Path):
    """Keeps other runs out of all parts of a folder that were ever locked by themselves.

    Raises:
      WorkdirInUseError: another run holds one.
    """
    with contextlib.ExitStack() as stack:
        for path in sorted(root.glob("*.lock")):
            stack.enter_context(locked(root, path.name))
        yield


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
    is_free, owner = _is_free(file), _owner(file)
    if owner and any(owner.get(key, value) != value for key, value in _here().items()):
        _wait_for_silence(path, owner)
        end = time.monotonic() + LEASE_SECONDS
        while not is_free and time.monotonic() < end:
            time.sleep(min(1.0, STALE_SECONDS / 10))
            is_free = _is_free(file)
    if not is_free:
        raise _in_use(path, owner)


def _is_free(file: IO) -> bool:
    """Takes the lock if nobody holds it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _here() -> dict[str, str]:
    """Says which host this is; its name alone may be that of another."""
    boot = BOOT_ID.read_text().strip() if BOOT_ID.exists() else ""
    return {"host": socket.gethostname(), "boot": boot}


def _wait_for_silence(path: pathlib.Path, owner: dict) -> None:
    """Waits until the run of another host shows that it is dead; locks need not reach there."""
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
        f"take another --workdir (if it is dead on another host, remove {path})"
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
