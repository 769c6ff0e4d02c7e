"""What a run leaves behind: file names, fingerprints, and whether a part is still good."""

import contextlib
import contextvars
import hashlib
import json
import os
import pathlib
import tempfile
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kc_jax import checksums, environment, hosts
from kc_jax.errors import UserError

SCHEMA_VERSION = 2
MANIFEST = "manifest.json"
NAME_BYTES = 200  # Of a file name, at most; file systems take 255, and something follows.
TEMPORARY = ".tmp"  # What the names of unfinished files and folders end in.

_FIND = contextvars.ContextVar("find", default=lambda directory, inputs: False)


class StaleArtifactError(UserError, RuntimeError):
    """Says which part of a working directory was made from other inputs, and what to do."""


class MissingArtifactError(UserError, RuntimeError):
    """Says which part of a working directory is missing and which stage makes it."""


class UnwritableFolderError(UserError, OSError):
    """Says where nothing can be written, and which option names another place."""


# Inside the directory of a trained network.
CHECKPOINTS = "checkpoints"
LABEL_SPACE = "label_space.json"
AUXILIARY = "auxiliary.json"
TRAINING_LOG = "metrics.jsonl"
NON_FINITE_LOSS = "non_finite_loss.json"
LOSS_SPIKES = "loss_spikes.jsonl"
STEPS_LEFT_OUT = "steps_left_out.jsonl"


def safe_name(name: str) -> str:
    """Turns a vertical's name into a file name, distinct for distinct names, not too long."""
    kept = "".join(c if c.isalnum() or c in "-_" else "_" for c in name)
    kept = kept.encode()[:NAME_BYTES].decode(errors="ignore")
    return kept if kept == name else f"{kept}-{fingerprint(name)[:6]}"


def fingerprint(value: Any) -> str:
    """Hashes anything that JSON can write to 16 hexadecimal digits."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def make_folder(path: pathlib.Path, option: str) -> None:
    """Makes a folder, unless it is there, and tries whether files can be written in it.

    Args:
      path: of the folder.
      option: that a person names it by.

    Raises:
      UnwritableFolderError: they cannot.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    except OSError as error:
        raise UnwritableFolderError(
            f"nothing can be written in the folder {path} ({error.strerror}); name another one "
            f"with --{option}=…"
        ) from None


def write_text(path: pathlib.Path, text: str) -> None:
    """Writes a file so that a reader never sees half of it; of several processes the first does."""
    write_bytes(path, text.encode())


def write_bytes(path: pathlib.Path, content: bytes) -> None:
    """Writes a file as `write_text` does."""
    if not hosts.is_first():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + TEMPORARY)
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def as_json(value: Any) -> Any:
    """Gives a value as it comes back from a file of JSON: tuples become lists."""
    return json.loads(json.dumps(value))


def write_json(path: pathlib.Path, value: Any) -> None:
    """Writes a JSON file so that a reader never sees half of it."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def write_sealed(path: pathlib.Path, value: Mapping[str, Any]) -> None:
    """Writes a file of JSON with a checksum of what it says, which `read_json` compares."""
    write_json(path, checksums.sealed(path.name, value))


def read_json(path: pathlib.Path, *default: Any, needs: Iterable[str] = ()) -> Any:
    """Reads a file of JSON; gives the default, where there is one, if there is no file.

    Args:
      path: of the file.
      *default: one value, or none.
      needs: keys that it must have.

    Raises:
      DamagedFileError: it is not as it was written.
    """
    checked(path)
    if default and not path.exists():
        return default[0]
    needs = ("inputs",) if path.name == MANIFEST else needs
    return checksums.read_json(path, _remedy(path), needs)


def checked(path: pathlib.Path, manifest: pathlib.Path | None = None) -> pathlib.Path:
    """Compares a file with what a manifest says of it, if it does; gives its path.

    Args:
      path: of the file.
      manifest: a file of JSON, whose ``files`` are described; that beside the file where None.

    Raises:
      DamagedFileError: it is not as it was written.
    """
    manifest = manifest or path.parent / MANIFEST
    if path != manifest and manifest.exists():
        wanted = read_json(manifest).get("files", {}).get(path.name)
        what = wanted and checksums.difference(path, wanted)
        if what:
            raise checksums.damaged(path, what, _remedy(path))
    return path


def _remedy(path: pathlib.Path) -> str:
    whole = path.parent if (path.parent / MANIFEST).exists() else path
    return f"put a good copy back, or remove {whole} and run the stage that makes it again"


def is_complete(directory: pathlib.Path, inputs: Mapping[str, Any]) -> bool:
    """Tells whether a directory's content is complete; begins it where there is none.

    The first call writes the inputs; `complete` marks the end. A directory begun with the same
    inputs is gone on with. Within `shared`, one that is not begun may become a link.

    Args:
      directory: one artifact's directory.
      inputs: everything that its content depends on, as JSON.

    Raises:
      StaleArtifactError: the directory was begun with other inputs; lists the differences.
      DamagedFileError: its manifest is damaged, or missing though there are other files.
    """
    return hosts.first_alone(lambda: _is_complete(directory, inputs))


def _is_complete(directory: pathlib.Path, inputs: Mapping[str, Any]) -> bool:
    inputs = as_json({"schema_version": SCHEMA_VERSION, **inputs})
    manifest_path = directory / MANIFEST
    if not _is_begun(directory):
        remove(directory)
        if not _FIND.get()(directory, inputs):
            begin(directory, inputs)
            return False
    manifest = read_json(manifest_path)
    if manifest["inputs"] != inputs:
        lines = describe_differences(manifest["inputs"], inputs)
        raise StaleArtifactError(
            f"{directory} was made from other inputs:\n  " + "\n  ".join(lines[:10])
            + "\nUse another --workdir, or --redo=all to make all stages anew, --redo=STAGE for one"
        )
    return manifest.get("complete", False)


def begin(directory: pathlib.Path, inputs: Mapping[str, Any]) -> None:
    """Marks a directory's content as unfinished.

    Args:
      directory: one artifact's directory.
      inputs: everything that its content depends on, as JSON.
    """
    write_sealed(directory / MANIFEST, {"inputs": inputs, "complete": False})


def _is_begun(directory: pathlib.Path) -> bool:
    """Tells whether there is more than the manifest of something that never came to anything."""
    path = directory / MANIFEST
    content = [p for p in directory.glob("*") if p.stem != MANIFEST and p != path]
    if path.exists():
        manifest = read_json(path)
        return not manifest.get("removed") and (manifest.get("complete", False) or bool(content))
    if content:
        raise checksums.damaged(
            path, f"it is missing, and nothing else says what {directory} was made from",
            f"put a good copy back, or remove {directory} to have all of it made anew",
        )
    return False


@contextlib.contextmanager
def found_elsewhere(find: Callable[[pathlib.Path, Mapping[str, Any]], bool]):
    """Lets what is not begun be found elsewhere, instead of made.

    Args:
      find: function (directory, inputs) that puts the complete artifact there, if there is one, and
        tells whether it did.
    """
    token = _FIND.set(find)
    try:
        yield
    finally:
        _FIND.reset(token)


def describe_differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list:
    """Lists the leaves in which two nested mappings differ, as ``name: old → new``."""
    lines = []
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key), new.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            lines += describe_differences(before, after, f"{prefix}{key}.")
        elif before != after or (key in old) != (key in new):
            lines.append(f"{prefix}{key}: {_shown(old, key)} → {_shown(new, key)}")
    return lines


def _shown(mapping: Mapping[str, Any], key: str) -> str:
    return repr(mapping[key]) if key in mapping else "missing"


def complete(directory: pathlib.Path, files: Iterable[str] = (), **facts: Any) -> None:
    """Marks a directory's content as complete, and notes what it was made with.

    Args:
      directory: one artifact's directory.
      files: names of those in it whose bytes and SHA-256 are noted, for `checked`.
      **facts: about the content; ``digest`` becomes part of its fingerprint.
    """
    path = directory / MANIFEST
    made_with = environment.describe()

    def write() -> None:
        _flush(directory)
        write_sealed(path, {
            **read_json(path), **facts, "files": checksums.describe(directory, files),
            "made_with": made_with, "complete": True,
        })

    hosts.first_alone(write)


def _flush(directory: pathlib.Path) -> None:
    """Lets the files below a directory reach the disk, as what says that they are complete will."""
    for path in directory.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())


def manifest_of(directory: pathlib.Path, made_by: str) -> dict[str, Any]:
    """Reads the manifest of a complete artifact.

    Args:
      directory: one artifact's directory.
      made_by: the stage that makes it, for the error.

    Raises:
      MissingArtifactError: it is missing or was not finished.
    """
    path = directory / MANIFEST
    if not path.exists() or not read_json(path).get("complete", False):
        raise MissingArtifactError(
            f"{directory} is missing or unfinished; run the stage {made_by} first"
        )
    return read_json(path)


def owner_of(directory: pathlib.Path) -> str:
    """Fingerprints the inputs of an artifact, complete or not: what its parts belong to."""
    return fingerprint(read_json(directory / MANIFEST)["inputs"])


def fingerprint_of(directory: pathlib.Path, made_by: str) -> str:
    """Fingerprints a complete artifact by its inputs and its content's digest."""
    manifest = manifest_of(directory, made_by)
    return fingerprint([manifest["inputs"], manifest.get("digest")])


def remove(path: pathlib.Path) -> None:
    """Removes a file, link or directory if it is there; no half of it looks whole."""
    hosts.first_alone(lambda: _remove(path))


def _remove(path: pathlib.Path) -> None:
    if path.is_dir() and not path.is_symlink():
        for manifest in path.rglob(MANIFEST):
            write_sealed(manifest, {"inputs": {}, "complete": False, "removed": True})
    _clear(path)


def _clear(path: pathlib.Path) -> None:
    """Removes manifests after all else: where one is missing, what is left would be refused."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    for part in path.iterdir():
        if part.name != MANIFEST:
            _clear(part)
    (path / MANIFEST).unlink(missing_ok=True)
    path.rmdir()
