"""Checksums: whether files, and what a file of JSON says, are as they were written."""

import hashlib
import json
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

from kc_jax.errors import UserError

SEAL = "checksum"  # In a file of JSON, of all else that it says and of its name.


class DamagedFileError(UserError, RuntimeError):
    """Says which file is not as it was written, and what to do."""


def describe(directory: pathlib.Path, names: Iterable[str]) -> dict[str, dict]:
    """Gives bytes and SHA-256 of files.

    Args:
      directory: that they are below.
      names: of the files, with slashes.
    """
    return {
        name: {"bytes": (directory / name).stat().st_size, "sha256": sha256(directory / name)}
        for name in names
    }


def difference(path: pathlib.Path, wanted: Mapping[str, Any]) -> str:
    """Says in what a file is not as it was described; nothing where it is."""
    if not path.is_file():
        return "it is missing"
    size = path.stat().st_size
    if size != wanted["bytes"]:
        return f"it has {size} bytes; expected {wanted['bytes']}"
    found = sha256(path)
    if found != wanted["sha256"]:
        return f"it has the SHA-256 {found[:8]}…; expected {wanted['sha256'][:8]}…"
    return ""


def sha256(path: pathlib.Path) -> str:
    """Gives a file's SHA-256, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sealed(name: str, value: Mapping[str, Any]) -> dict[str, Any]:
    """Adds a checksum to what a file of JSON is to say.

    Args:
      name: of the file.
      value: as JSON.
    """
    return {**value, SEAL: _fingerprint(name, json.loads(json.dumps(value)))}


def read_json(path: pathlib.Path, remedy: str, needs: Iterable[str] = ()) -> Any:
    """Reads a file of JSON; where it is sealed, compares the checksum, which it leaves out.

    Args:
      path: of the file.
      remedy: for the error.
      needs: keys that it must have.

    Raises:
      DamagedFileError: it cannot be read, is no JSON, lacks a key, or is not as it was written.
    """
    try:
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise damaged(path, f"it cannot be read ({error.strerror})", remedy) from None
    except (ValueError, RecursionError) as error:  # Neither UTF-8 nor JSON, or of great depth.
        raise damaged(path, f"it is no JSON ({error})", remedy) from None
    if isinstance(value, dict) and SEAL in value:
        seal = value.pop(SEAL)
        if seal != _fingerprint(path.name, value):
            raise damaged(path, "it does not say what was written, by its checksum", remedy)
    lacking = [key for key in needs if not isinstance(value, dict) or key not in value]
    if lacking:
        raise damaged(path, f"it lacks {' and '.join(lacking)}", remedy)
    return value


def damaged(path: pathlib.Path, what: str, remedy: str) -> DamagedFileError:
    """Makes the error of a file that is not as it was written."""
    return DamagedFileError(f"{path} is damaged: {what}; {remedy}")


def _fingerprint(name: str, value: Any) -> str:
    text = json.dumps([name, value], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
