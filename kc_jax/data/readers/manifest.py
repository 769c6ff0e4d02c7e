"""Images that a table lists: CSV, JSON lines or Parquet."""

import bisect
import functools
import hashlib
import itertools
import os
import pathlib
import reprlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow
import pyarrow.parquet

from kc_jax import tables
from kc_jax.config import ConfigError, Data
from kc_jax.data.collection import (
    COLUMNS,
    Collection,
    Entry,
    labels_of,
    named_columns,
    notes_on_splits,
    read_file,
    split_roles,
    values_of,
)

OPTIONS = (
    "manifest", "directory", *COLUMNS, "min_confidence", "train_split", "test_split",
)
SPLIT = "split"  # The column, where there is one.
NEEDED = (
    "expected a .csv, .jsonl or .parquet with a column for the image (config.data.image_key: a "
    "path, or in Parquet its bytes) and one for the labels (config.data.label_key: one or several, "
    "in CSV parted by |, cells by commas); columns split and config.data.vertical_key may stand "
    "beside them"
)


def open_manifest(data: Data) -> Collection:
    """Opens a table with a row an image.

    Raises:
      ConfigError: there is no such file, a column is missing, or the file is not well formed.
    """
    path = pathlib.Path(data.manifest)
    if not data.manifest or not path.is_file():
        found = f"{data.manifest!r}, which is not a file" if data.manifest else "empty"
        raise ConfigError(f"config.data.manifest is {found}; {NEEDED}")
    if path.suffix.lower() not in _READERS:
        raise ConfigError(f"config.data.manifest is {data.manifest!r}; {NEEDED}")
    try:
        columns, image_of = _READERS[path.suffix.lower()](path, data)
    except (ValueError, pyarrow.ArrowException) as error:
        raise _malformed(path, error) from None
    _check_columns(path, columns, data)
    _check_cells(path, columns, data)
    splits = columns.get(SPLIT) or [None] * len(columns[data.label_key])
    names = {name for name in splits if name}
    roles = split_roles(names, data)
    rows = [row for row, name in enumerate(splits) if not name or name in roles]
    labels = _labels(path, columns, data, [roles.get(name) for name in splits])
    root = pathlib.Path(data.directory) if data.directory else path.parent

    def read(position: int) -> Entry:
        row = rows[position]
        image = image_of(row)
        key = image if isinstance(image, str) else f"{row:08d}"
        if data.id_key:
            key = str(columns[data.id_key][row])
        return Entry(key, roles.get(splits[row]), labels[row], lambda: _load(root, image))

    listing = {"rows": len(rows), "stamp": _stamp(path, root, columns.get(data.image_key))}
    return Collection(
        len(rows), read, listing, bool(data.vertical_key), notes_on_splits(names, roles)
    )


def _malformed(path, error: Exception) -> ConfigError:
    return ConfigError(f"{path} is not well formed ({' '.join(str(error).split())}); {NEEDED}")


def _check_columns(path, columns: Mapping[str, Any], data: Data) -> None:
    for option, name in named_columns(data).items():
        if name not in columns:
            raise ConfigError(
                f"{path} has no column {name!r} (config.data.{option}) among "
                f"{', '.join(columns)}; {NEEDED}"
            )


def _check_cells(path, columns: Mapping[str, Sequence], data: Data) -> None:
    """Refuses splits that are no text, and rows without a name where a column has the names."""
    for row, name in enumerate(columns.get(SPLIT, ())):
        if name is not None and not isinstance(name, str):
            raise ConfigError(
                f"row {row + 1} of {path} has the split {reprlib.repr(name)}; expected text"
            )
    for row, name in enumerate(columns[data.id_key] if data.id_key else ()):
        if name in (None, ""):
            raise ConfigError(
                f"row {row + 1} of {path} has nothing under {data.id_key!r} (config.data.id_key); "
                "give every row a name of its own"
            )


def _labels(
    path, columns: Mapping[str, Sequence], data: Data, roles: Sequence[str | None]
) -> list[tuple]:
    labels = []
    for row, cell in enumerate(columns[data.label_key]):
        sure = values_of(columns[data.confidence_key][row]) if data.confidence_key else []
        above = values_of(columns[data.vertical_key][row]) if data.vertical_key else []
        where = f"row {row + 1} of {path}"
        labels.append(labels_of(data, where, roles[row], values_of(cell), above, sure))
    return labels


# Readers give the columns as lists, and a function from a row to its path or bytes.
_Table = tuple[dict[str, list | None], Callable[[int], str | bytes]]


def _read_csv(path: pathlib.Path, data: Data) -> _Table:
    names, rows = tables.read_csv(path)
    rows = [_parted(row, data) for row in rows]
    return _table({name: [row[name] for row in rows] for name in names}, data)


def _parted(row: dict, data: Data) -> dict:
    """Parts the cells that may have several values; in CSV everything is text."""
    several = (data.label_key, data.vertical_key, data.confidence_key)
    parted = {name: [part.strip() for part in (row.get(name) or "").split("|") if part.strip()]
              for name in several if name in row}
    if data.confidence_key in parted:
        parted[data.confidence_key] = [float(part) for part in parted[data.confidence_key]]
    return {**row, **parted}


def _read_json_lines(path: pathlib.Path, data: Data) -> _Table:
    rows = tables.read_json_lines(path)
    names = dict.fromkeys(name for row in rows for name in row)
    return _table({name: [row.get(name) for row in rows] for name in names}, data)


def _table(columns: dict, data: Data) -> _Table:
    return columns, lambda row: columns[data.image_key][row]


def _read_parquet(path: pathlib.Path, data: Data) -> _Table:
    file = pyarrow.parquet.ParquetFile(path)
    names = file.schema_arrow.names
    tables.refuse_twins(names)
    held = [name for name in names if name != data.image_key]
    if data.image_key in names and _is_text(file.schema_arrow.field(data.image_key).type):
        held = names
    used = {SPLIT, *named_columns(data).values()}
    columns = {name: file.read(columns=[name])[name].to_pylist() for name in held if name in used}
    if held == names:
        return _table(columns, data)
    return {**columns, data.image_key: None}, _images_of_parquet(path, data.image_key)


def _is_text(kind: pyarrow.DataType) -> bool:
    kind = kind.value_type if pyarrow.types.is_dictionary(kind) else kind
    return pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind)


def _images_of_parquet(path: pathlib.Path, column: str) -> Callable[[int], str | bytes]:
    """Reads images by row, a row group at a time: all would not fit into memory."""
    metadata = pyarrow.parquet.read_metadata(path)
    sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
    ends = list(itertools.accumulate(sizes))

    @functools.lru_cache(maxsize=8)
    def images(group: int):
        try:
            return pyarrow.parquet.ParquetFile(path).read_row_group(group, [column])[column]
        except (OSError, pyarrow.ArrowException) as error:
            raise _malformed(path, error) from None

    def image_of(row: int) -> str | bytes:
        group = bisect.bisect_right(ends, row)
        image = images(group)[row - (ends[group] - sizes[group])].as_py()
        if isinstance(image, dict):  # As Hugging Face writes images.
            image = image["bytes"] or image["path"]
        return image

    return image_of


def _load(root: pathlib.Path, image: str | bytes | None) -> bytes:
    if image in (None, "", b""):
        raise OSError("no image")
    if isinstance(image, bytes):
        return image
    if not isinstance(image, str):
        raise OSError(f"{reprlib.repr(image)} is no path")
    return read_file(_path_in(root, image))


def _path_in(root: pathlib.Path, image: str) -> pathlib.Path:
    """Gives the path of an image; a table of somebody else's may not name files all over the disk.

    Raises:
      OSError: it leads out of the folder.
    """
    root, path = (pathlib.Path(os.path.abspath(part)) for part in (root, root / image))
    if not path.is_relative_to(root):
        raise OSError(
            f"it lies outside {root}; set config.data.directory to a folder that holds all images"
        )
    return path


def _stamp(path: pathlib.Path, root: pathlib.Path, images: Sequence | None) -> str:
    """Hashes the table, and the size and time of every file that it names."""
    with open(path, "rb") as file:
        hasher = hashlib.file_digest(file, "sha256")
    for image in images or ():
        try:
            facts = os.stat(_path_in(root, image))
            hasher.update(f"{facts.st_size} {facts.st_mtime_ns}\n".encode())
        except (OSError, TypeError, ValueError):
            hasher.update(b"missing\n")
    return hasher.hexdigest()[:16]


_READERS = {".csv": _read_csv, ".jsonl": _read_json_lines, ".parquet": _read_parquet}
