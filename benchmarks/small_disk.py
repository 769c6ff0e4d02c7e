"""A disk of some megabytes, to see what comes of a full one."""

import contextlib
import os
import pathlib
import subprocess
from collections.abc import Iterator

FILLER = "filler"
SMALLEST = 4096  # Bytes that a file takes.


class NoDiskError(RuntimeError):
    """Says why none can be made here."""


@contextlib.contextmanager
def mounted(folder: pathlib.Path, num_bytes: int) -> Iterator[pathlib.Path]:
    """Mounts a disk in memory while the body runs; only root can.

    Args:
      folder: where; made where missing.
      num_bytes: of the disk.

    Raises:
      NoDiskError: it cannot be mounted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={num_bytes}", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise NoDiskError(f"there is no {error.filename}") from None
    if done.returncode:
        raise NoDiskError(done.stderr.strip())
    try:
        yield folder
    finally:
        # Lazily: it goes once the last process that has a file open there has ended.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextlib.contextmanager
def filled(disk: pathlib.Path, room: int = 0) -> Iterator[None]:
    """Takes all of a disk's room, but for some bytes, while the body runs."""
    path = disk / FILLER
    try:
        with path.open("wb") as file:
            taken, size = 0, 1 << 30
            while size >= SMALLEST:  # Others may write meanwhile, so what is free is no help.
                try:
                    os.posix_fallocate(file.fileno(), taken, size)
                    taken += size
                except OSError:
                    size //= 2
            os.ftruncate(file.fileno(), max(0, taken - room))
        yield
    finally:
        path.unlink()
