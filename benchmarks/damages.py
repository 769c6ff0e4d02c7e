"""What can happen to a file, and whether it is noticed."""

import contextlib
import dataclasses
import io
import pathlib
import random
import shutil
from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from kc_jax.errors import UserError

UNNAMED = ("run", "stopped", "data")  # Folders whose names say nothing of a file in them.


def cut(path: pathlib.Path, sibling: pathlib.Path, rng: random.Random) -> None:
    """Leaves the first half of a file, or less."""
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(1, 1 + len(content) // 2)])


def flip(path: pathlib.Path, sibling: pathlib.Path, rng: random.Random) -> None:
    """Turns one bit of a file over, in a byte that is not 0: small shards are mostly padding."""
    content = bytearray(path.read_bytes())
    places = np.flatnonzero(np.frombuffer(bytes(content), np.uint8))
    place = int(places[rng.randrange(len(places))])
    content[place] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def swap(path: pathlib.Path, sibling: pathlib.Path, rng: random.Random) -> None:
    """Exchanges a file and one of the same kind."""
    content = path.read_bytes()
    path.write_bytes(sibling.read_bytes())
    sibling.write_bytes(content)


DAMAGES: dict[str, Callable[[pathlib.Path, pathlib.Path, random.Random], Any]] = {
    "truncated": cut,
    "bit flipped": flip,
    "emptied": lambda path, sibling, rng: path.write_bytes(b""),
    "missing": lambda path, sibling, rng: path.unlink(),
    "swapped": swap,
    "overwritten": lambda path, sibling, rng: shutil.copyfile(sibling, path),
}


@dataclasses.dataclass(frozen=True)
class Case:
    """Is a kind of file, and what reads it next.

    Attributes:
      kind: for the table.
      root: folder that `make` filled.
      files: to damage, each with one of the same kind that it may be taken for.
      read: reads them as the next stage does and fingerprints what came of it.
      older: reads what may be gone on with instead if that is said; None where nothing may.
    """

    kind: str
    root: pathlib.Path
    files: list[tuple[pathlib.Path, pathlib.Path]]
    read: Callable[[], Any]
    older: Callable[[], Any] | None = None


def outcome(
    case: Case, paths: Collection[pathlib.Path], wanted: Any, older: Any
) -> tuple[str, str]:
    """Reads damaged files; tells ``detected``, ``harmless`` or ``wrong``, and why.

    Args:
      case: that they belong to.
      paths: those that were changed, of which one must be named.
      wanted: what comes of them where they are whole.
      older: what may come of them if that is said.
    """
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            found = case.read()
    except UserError as error:
        return ("detected" if names(str(error), paths, case.root) else "wrong"), str(error)
    except Exception as error:  # Whatever a reader may trip over.
        return "wrong", f"{type(error).__name__}: {error}"
    if names(said.getvalue(), paths, case.root) and found in (wanted, older):
        return "detected", said.getvalue()
    return ("harmless" if found == wanted else "wrong"), f"{wanted} became {found}"


def names(text: str, paths: Collection[pathlib.Path], root: pathlib.Path) -> bool:
    """Tells whether a text names a file, or a folder that it belongs to."""
    folders = {p for path in paths for p in path.parents if p.is_relative_to(root)}
    known = {*paths, *(p for p in folders if p != root and p.name not in UNNAMED)}
    return any(str(path) in text for path in known)
