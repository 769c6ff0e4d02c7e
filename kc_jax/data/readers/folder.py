"""Images in a folder tree, which is the hierarchy."""

import collections
import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Iterable, Iterator

from kc_jax.config import ConfigError, Data
from kc_jax.data.collection import (
    TEST_NAMES,
    UNLABELLED,
    Collection,
    Entry,
    existing_directory,
    notes_on_splits,
    read_file,
    some,
    split_roles,
)
from kc_jax.data.images import SUFFIXES, name_of

LAYOUT = (
    "a folder with root/<vertical>/…/<class>/*.jpg, or root/train/… and root/test/…, and maybe "
    "root/unlabelled/<vertical>/*.jpg"
)
OPTIONS = ("directory", "train_split", "test_split")


@dataclasses.dataclass(frozen=True, slots=True)
class _File:
    key: str  # Path below the root, with slashes.
    path: str
    size: int
    modified: int


def open_folder(data: Data) -> Collection:
    """Opens `LAYOUT`; a folder that holds images is a class, and its path is the class's.

    Raises:
      ConfigError: there is no such folder, or it holds no images.
    """
    root = existing_directory(data, LAYOUT)
    files, others, folders = [], collections.Counter(), {}
    for file in _walk(str(root), "", folders):
        suffix = pathlib.PurePosixPath(file.key).suffix.lower()
        if suffix in SUFFIXES:
            files.append(file)
        else:
            others[suffix or "without suffix"] += 1
    if not files:
        raise ConfigError(
            f"config.data.directory is {data.directory!r}, where there are no files ending in "
            f"{', '.join(sorted(SUFFIXES))}; expected {LAYOUT}"
        )
    empty = _without_images(folders.values(), files)
    tops = {file.key.split("/")[0] for file in files}
    names = tops if _are_splits(tops, data) else set()
    roles = split_roles(names, data) or {UNLABELLED: UNLABELLED}  # Beside verticals, too.
    if names:
        files = [file for file in files if file.key.split("/")[0] in roles]

    def read(position: int) -> Entry:
        file = files[position]
        above = file.key.split("/")[:-1]
        split = roles[above.pop(0)] if names or above[:1] == [UNLABELLED] else None
        labels = ("/".join(above),) if above else ()
        return Entry(file.key, split, labels, lambda: read_file(file.path))

    notes = notes_on_splits(names, roles)
    if others:
        kinds = ", ".join(f"{count} {suffix}" for suffix, count in others.most_common(5))
        notes += (f"files that are no images by their names: {kinds}",)
    if empty:
        notes += (f"folders without images: {len(empty):,}: {some(empty)}",)
    return Collection(len(files), read, {"files": len(files), "stamp": _stamp(files)}, notes=notes)


def _without_images(folders: Iterable[str], files: Iterable[_File]) -> list[str]:
    """Lists the folders that no file is in, nor in one below."""
    own = {pathlib.PurePosixPath(key) for key in {file.key.rpartition("/")[0] for file in files}}
    filled = own.union(*(folder.parents for folder in own))
    return sorted(map(str, set(map(pathlib.PurePosixPath, folders)) - filled))


def _are_splits(tops: set[str], data: Data) -> bool:
    """Tells splits from verticals, one of which may well be called train."""
    train = set(data.train_split.split("+"))
    test = {*data.test_split.split("+"), *TEST_NAMES}
    beside = test | {UNLABELLED}
    return tops <= train | beside or (train <= tops and bool(beside & tops))


def _walk(folder: str, prefix: str, seen: dict) -> Iterator[_File]:
    """Lists files in order of their names, hidden ones left out; links are followed once.

    A link that leads nowhere is listed, so that it is missed where it is read.

    Notes in `seen` the folders that it was in: their place on the disk → their prefix.
    """
    place = os.stat(folder)
    if (place.st_dev, place.st_ino) in seen:
        return
    seen[place.st_dev, place.st_ino] = prefix
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        name = name_of(entry.name)
        if name.startswith("."):
            continue
        if entry.is_symlink() and not os.path.exists(entry.path):
            yield _File(f"{prefix}{name}", entry.path, 0, 0)
        elif entry.is_dir():
            yield from _walk(entry.path, f"{prefix}{name}/", seen)
        elif entry.is_file():
            facts = entry.stat()
            yield _File(f"{prefix}{name}", entry.path, facts.st_size, facts.st_mtime_ns)


def _stamp(files) -> str:
    hasher = hashlib.sha256()
    for file in files:
        hasher.update(f"{file.key}\n{file.size}\n{file.modified}\n".encode())
    return hasher.hexdigest()[:16]
