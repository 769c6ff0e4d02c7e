"""Room on a disk: asked for before something large is written, and what to say where it ends."""

import contextlib
import errno
import os
import pathlib
import shutil
from collections.abc import Iterator

from kc_jax.errors import UserError

FULL = (errno.ENOSPC, errno.EDQUOT)  # The disk's room, or what a person may take of it.
# What libraries keep of it: the system's words (TensorStore, ArrayRecord), or their own (TFDS).
WORDS = (*map(os.strerror, FULL), "Not enough disk space")


class DiskSpaceError(UserError, OSError):
    """Says how much room something needs, where, and what to do."""


def check_space(
    directory: pathlib.Path, num_bytes: int, what: str, option: str = "workdir"
) -> None:
    """Refuses to begin what the disk has no room for.

    Args:
      directory: where it is to be written; it exists.
      num_bytes: that it takes.
      what: they are, for the error.
      option: by which a person names another place.

    Raises:
      DiskSpaceError: there is less room than that.
    """
    free = shutil.disk_usage(directory).free
    if free < num_bytes:
        raise DiskSpaceError(
            f"{directory} has {_amount(free)} of free disk space, but {what} take "
            f"{_amount(num_bytes)}; free some, or name a larger disk with --{option}=…"
        )


@contextlib.contextmanager
def watched(directory: pathlib.Path | None = None, option: str = "workdir") -> Iterator[None]:
    """Names the place where a disk is full, if that is why the body fails.

    Args:
      directory: that the body writes in; None where only its error can tell.
      option: by which a person names another one.

    Raises:
      DiskSpaceError: the disk is full, whatever the library that wrote made of it.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, UserError) or not _is_full(error):
            raise
        place = getattr(error, "filename", None) or directory or "what this command writes"
        another = f", or name a larger disk with --{option}=…" if directory else ""
        raise DiskSpaceError(
            f"{place} cannot be written, for its disk is full{_free(directory)}; make room and "
            f"begin the same command again, which goes on from what is there{another}"
        ) from None


def _is_full(error: Exception) -> bool:
    return getattr(error, "errno", None) in FULL or any(words in str(error) for words in WORDS)


def _free(directory: pathlib.Path | None) -> str:
    if directory is None or not directory.exists():
        return ""
    return f" ({_amount(shutil.disk_usage(directory).free)} are free)"


def _amount(num_bytes: int) -> str:
    return f"{num_bytes / 2**30:.1f} GiB" if num_bytes >= 2**30 else f"{num_bytes / 2**20:.1f} MiB"
