"""One vertical's top-K soft targets on disk, addressed by record and view.

A folder holds ``records.npy`` u8[views, n, bytes], one `core.packing` record an image
and view; ``index.npz`` with the gaps between the sorted record ids, u32[n], and the CRC-32 of every
`BLOCK_ROWS` records; and a manifest with the teacher's fingerprint, K, and the data's fingerprint.
docs/soft_target_store.md describes every field.
"""

import io
import math
import pathlib
import tokenize
import zlib
from collections.abc import Iterable, Iterator

import numpy as np

from kc_jax import artifacts, disk_space
from kc_jax.core import packing, quantisation
from kc_jax.errors import UserError

RECORDS, INDEX = "records.npy", "index.npz"
MADE_BY = "write_soft_targets (or import_soft_targets)"
FORMAT_VERSION = 2
BLOCK_ROWS = 256  # Small enough that a read of one record checks 64 KiB.
# What NumPy makes of a file without its header, which it reads as Python.
UNREADABLE = (
    OSError, ValueError, EOFError, OverflowError, SyntaxError, tokenize.TokenError,
)


class DamagedStoreError(UserError, RuntimeError):
    """Says which file of a store is not as it was written, and what to do."""


def store_inputs(
    *, teacher: str, data: str, label_space: str, views: dict | None, top_k: int, num_views: int
) -> dict:
    """Lists what a vertical's soft targets depend on, for its manifest.

    Args:
      teacher: fingerprint of the teacher, or of the predictions in its place.
      data: fingerprint of the records.
      label_space: fingerprint of the label space.
      views: what the views depend on: augmentation, its version, seed and size; None where soft
        targets are of an image, whatever the view of it, and ``num_views`` is 1.
      top_k: probabilities kept of each record and view.
      num_views: views of each record.
    """
    return {
        "format_version": FORMAT_VERSION,
        "teacher": teacher,
        "data": data,
        "label_space": label_space,
        "views": views,
        "top_k": top_k,
        "num_views": num_views,
    }


def write_vertical(
    directory: pathlib.Path,
    *,
    record_ids: np.ndarray,
    num_classes: int,
    num_views: int,
    top_k: int,
    parts: Iterable[tuple[np.ndarray, np.ndarray]],
) -> dict[str, int | float]:
    """Writes the soft targets of one vertical.

    Args:
      directory: of the vertical.
      record_ids: i64[n], sorted, below 2^32.
      num_classes: of the vertical, C_v.
      num_views: views of each record.
      top_k: K; min(K, C_v) are kept.
      parts: (ids i32[b, K], log-odds f32[b, K]) of successive records, views outermost.

    Returns:
      Facts for the manifest: ``vertical``, the folder's name, ``num_classes``, ``num_records``,
      ``num_views``, ``bytes_per_view`` of both files, and ``index_checksum``, the CRC-32 of
      `INDEX`.

    Raises:
      ValueError: the parts do not cover every view of every record, or C_v is above 2^24.
      DiskSpaceError: there is no room for them.
    """
    layout = packing.RecordLayout(num_classes, min(top_k, num_classes))
    shape = (num_views, len(record_ids), layout.num_bytes)
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    rows = (packing.pack(ids, quantisation.quantise(x), layout) for ids, x in parts)
    checksums, num_rows = [], 0
    directory.mkdir(parents=True, exist_ok=True)
    (directory / RECORDS).unlink(missing_ok=True)  # What an interrupted run left takes no room.
    disk_space.check_space(directory, math.prod(shape), "the soft targets")
    with (directory / RECORDS).open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for block in _blocks(rows):
            checksums.append(zlib.crc32(block))
            num_rows += len(block)
            file.write(block)
    if num_rows != num_views * len(record_ids):
        raise ValueError(
            f"{directory} got {num_rows} soft targets; expected {num_views * len(record_ids)}"
        )
    np.savez_compressed(
        directory / INDEX,
        record_gaps=np.diff(record_ids, prepend=0).astype(np.uint32),
        checksums=np.array(checksums, np.uint32),
    )
    num_bytes = sum((directory / name).stat().st_size for name in (RECORDS, INDEX))
    return {
        "vertical": directory.name,
        "num_classes": num_classes,
        "num_records": len(record_ids),
        "num_views": num_views,
        "bytes_per_view": round(num_bytes / num_rows, 2),
        "index_checksum": zlib.crc32((directory / INDEX).read_bytes()),
    }


def _blocks(parts: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Regroups successive rows into blocks of BLOCK_ROWS, the last one maybe shorter."""
    waiting: list[np.ndarray] = []
    for part in parts:
        waiting.append(part)
        if sum(map(len, waiting)) < BLOCK_ROWS:
            continue
        rows = np.concatenate(waiting)
        whole = len(rows) - len(rows) % BLOCK_ROWS
        yield from np.split(rows[:whole], range(BLOCK_ROWS, whole, BLOCK_ROWS))
        waiting = [rows[whole:]]
    if sum(map(len, waiting)):
        yield np.concatenate(waiting)


class VerticalStore:
    """Reads the soft targets of one vertical; nothing but the index is held in memory.

    A block's checksum is compared when one of its records is first asked for.

    Args:
      directory: of the vertical.
      num_classes: of the vertical, C_v.
      inputs: what its manifest must say; see `store_inputs`.
      made_by: the stage that writes it, for errors.

    Attributes:
      record_ids: i64[n], sorted.
      num_kept: min(K, C_v).

    Raises:
      MissingArtifactError: it is missing or unfinished.
      StaleArtifactError: it was written from another teacher, K, dataset, label space,
        augmentation or version of this format.
      DamagedStoreError: a file is missing, or is not as it was written, or the folder is another
        vertical's.
    """

    def __init__(
        self, directory: pathlib.Path, num_classes: int, inputs: dict, made_by: str = MADE_BY
    ):
        manifest = artifacts.manifest_of(directory, made_by)
        artifacts.is_complete(directory, inputs)
        if manifest["vertical"] != directory.name:
            raise DamagedStoreError(
                f"{directory} holds the soft targets of {manifest['vertical']}; give every folder "
                f"its name back, or remove it and run the stage {made_by} again"
            )
        self.num_kept = min(inputs["top_k"], num_classes)
        self._layout = packing.RecordLayout(num_classes, self.num_kept)
        self._path = directory / RECORDS
        self._made_by = made_by
        index = self._load_index(directory / INDEX, manifest["index_checksum"])
        self.record_ids = np.cumsum(index["record_gaps"], dtype=np.int64)
        self._checksums = index["checksums"]
        shape = (inputs["num_views"], len(self.record_ids), self._layout.num_bytes)
        self._rows = self._map_records(self._path, shape).reshape(-1, shape[-1])
        self._checked = np.zeros(len(self._checksums), np.bool_)

    def __call__(self, places: np.ndarray, views: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Reads soft targets.

        Args:
          places: i64[B], indices into ``record_ids``.
          views: i64[B].

        Returns:
          ids i32[B, K], local to the vertical, most probable first, equal ones by class id, and
          their levels u16[B, K]; see `core.quantisation`.

        Raises:
          DamagedStoreError: a block was not as it was written.
        """
        rows = views * len(self.record_ids) + places
        blocks = rows // BLOCK_ROWS
        self._check(np.unique(blocks[~self._checked[blocks]]))
        return packing.unpack(self._rows[rows], self._layout)

    def check(self) -> None:
        """Compares the checksums of all blocks.

        Raises:
          DamagedStoreError: a block is not as it was written.
        """
        self._check(np.arange(len(self._checksums)))

    def _check(self, blocks: np.ndarray) -> None:
        for block in blocks:
            first = block * BLOCK_ROWS
            rows = self._rows[first : first + BLOCK_ROWS]
            found = zlib.crc32(rows)
            if found != self._checksums[block]:
                raise self._damaged(
                    self._path,
                    f"block {block}, rows {first} to {first + len(rows) - 1}, has the CRC-32 "
                    f"{found:08x}; expected {self._checksums[block]:08x}",
                )
            self._checked[block] = True

    def _load_index(self, path: pathlib.Path, checksum: int) -> dict[str, np.ndarray]:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise self._damaged(path, str(error)) from None
        found = zlib.crc32(content)
        if found != checksum:
            raise self._damaged(path, f"it has the CRC-32 {found:08x}; expected {checksum:08x}")
        with np.load(io.BytesIO(content)) as index:
            return dict(index)

    def _map_records(self, path: pathlib.Path, shape: tuple[int, ...]) -> np.ndarray:
        try:
            records = np.load(path, mmap_mode="r")
        except UNREADABLE as error:
            raise self._damaged(path, f"it cannot be read: {error}") from None
        if (records.shape, records.dtype) != (shape, np.uint8):
            found = f"{records.dtype}{records.shape}"
            raise self._damaged(path, f"it holds {found}; expected uint8{shape}")
        return records

    def _damaged(self, path: pathlib.Path, what: str) -> DamagedStoreError:
        return DamagedStoreError(
            f"{path} is damaged: {what}. Remove the folder {path.parent} and run the stage "
            f"{self._made_by} again"
        )
