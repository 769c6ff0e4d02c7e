"""Room on a disk, asked for before something large is written."""

import pathlib
import shutil

from kc_jax.errors import UserError


class DiskSpaceError(UserError, OSError):
    """Says how much room something needs, where, and what to do."""


def check_space(directory: pathlib.Path, num_bytes: int, what: str) -> None:
    """Refuses to begin what the disk has no room for.

    Args:
      directory: where it is to be written; it exists.
      num_bytes: that it takes.
      what: they are, for the error.

    Raises:
      DiskSpaceError: there is less room than that.
    """
    free = shutil.disk_usage(directory).free
    if free < num_bytes:
        raise DiskSpaceError(
            f"{directory} has {free / 2**30:.1f} GiB of free disk space, but {what} take "
            f"{num_bytes / 2**30:.1f} GiB; free some, or use a --workdir on a larger disk"
        )
