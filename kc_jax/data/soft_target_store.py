"""Top-K soft targets on disk, one folder a vertical, addressed by record index and view.

A vertical's folder holds ``record_ids.npy`` i64[n] (sorted), ``ids.npy`` u16 or u32 [views, n, K]
(class ids within the vertical, most probable first), ``probs.npy`` f16 [views, n, K], and a
manifest with the teacher's fingerprint, K, and the data's fingerprint. So one teacher can be
replaced without touching the others, and shuffling can never mismatch a target and its image.
"""

import dataclasses
import pathlib
from collections.abc import Iterable, Sequence

import numpy as np

from kc_jax import artifacts
from kc_jax.core.label_space import LabelSpace

RECORD_IDS, IDS, PROBS = "record_ids.npy", "ids.npy", "probs.npy"
FORMAT_VERSION = 1


def store_inputs(
    *, teacher: str, data: str, label_space: str, views: dict, top_k: int, num_views: int
) -> dict:
    """Lists what a vertical's soft targets depend on, for its manifest.

    Args:
      teacher: fingerprint of the teacher.
      data: fingerprint of the records.
      label_space: fingerprint of the label space.
      views: what the views depend on: augmentation, its version, seed and size.
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
) -> dict[str, float]:
    """Writes the soft targets of one vertical.

    Args:
      directory: of the vertical.
      record_ids: i64[n], sorted.
      num_classes: of the vertical, C_v.
      num_views: views of each record.
      top_k: K; min(K, C_v) are kept.
      parts: (ids i32[b, K], probs f32[b, K]) of successive records, views outermost.

    Returns:
      Facts for the manifest: ``bytes_per_view``.

    Raises:
      ValueError: the parts do not cover every view of every record.
    """
    kept = min(top_k, num_classes)
    shape = (num_views * len(record_ids), kept)
    id_type = np.uint16 if num_classes <= 1 << 16 else np.uint32
    directory.mkdir(parents=True, exist_ok=True)
    ids = np.lib.format.open_memmap(directory / IDS, "w+", id_type, shape)
    probs = np.lib.format.open_memmap(directory / PROBS, "w+", np.float16, shape)
    row = 0
    for part_ids, part_probs in parts:
        ids[row : row + len(part_ids)] = part_ids
        probs[row : row + len(part_ids)] = part_probs
        row += len(part_ids)
    if row != shape[0]:
        raise ValueError(f"{directory} got {row} soft targets; expected {shape[0]}")
    ids.flush()
    probs.flush()
    np.save(directory / RECORD_IDS, record_ids)
    return {"bytes_per_view": kept * (ids.itemsize + probs.itemsize)}


@dataclasses.dataclass(frozen=True)
class _Vertical:
    record_ids: np.ndarray
    ids: np.ndarray
    probs: np.ndarray
    first_class: int


class SoftTargetStore:
    """Reads the soft targets of any records and views.

    Args:
      directory: of the store.
      space: label space of the student.
      inputs: for each vertical what its manifest must say; see `store_inputs`.

    Raises:
      MissingArtifactError: a vertical is missing or unfinished.
      StaleArtifactError: a vertical was written from another teacher, K, dataset, label space or
        augmentation.
    """

    def __init__(self, directory: pathlib.Path, space: LabelSpace, inputs: Sequence[dict]):
        self._verticals = []
        for vertical_id, name in enumerate(space.verticals):
            folder = directory / artifacts.safe_name(name)
            artifacts.manifest_of(folder, "write_soft_targets")
            artifacts.is_complete(folder, inputs[vertical_id])
            record_ids = np.load(folder / RECORD_IDS)
            num_views = inputs[vertical_id]["num_views"]
            self._verticals.append(_Vertical(
                record_ids,
                *(np.load(folder / name, mmap_mode="r").reshape(num_views, len(record_ids), -1)
                  for name in (IDS, PROBS)),
                first_class=int(space.starts[vertical_id]),
            ))
        self._width, self._slots = self._index()

    def _index(self):
        """Finds where each record lies: i32[N, M] of (vertical, row) slots, −1 for none."""
        num_records = 1 + max((int(v.record_ids[-1]) for v in self._verticals
                               if len(v.record_ids)), default=-1)
        counts = np.zeros(num_records, np.int64)
        for vertical in self._verticals:
            counts[vertical.record_ids] += 1
        slots = np.full((num_records, counts.max(initial=1), 2), -1, np.int32)
        counts[:] = 0
        for vertical_id, vertical in enumerate(self._verticals):
            records = vertical.record_ids
            slots[records, counts[records]] = np.stack(
                [np.full(len(records), vertical_id), np.arange(len(records))], axis=-1
            )
            counts[records] += 1
        return max(v.ids.shape[-1] for v in self._verticals), slots

    def __call__(self, record_ids: np.ndarray, views: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Reads soft targets; a record of several verticals gets the union of theirs.

        Args:
          record_ids: i64[B].
          views: i64[B].

        Returns:
          soft_ids i32[B, M·K], global class ids, and soft_probs f32 of that shape; padding has
          id 0 and probability 0. M is the largest number of verticals of any record.
        """
        num_slots = self._slots.shape[1]
        shape = (len(record_ids), num_slots, self._width)
        soft_ids, soft_probs = np.zeros(shape, np.int32), np.zeros(shape, np.float32)
        for slot in range(num_slots):
            where = self._slots[record_ids, slot]
            for vertical_id in np.unique(where[:, 0]):
                if vertical_id < 0:
                    continue
                vertical = self._verticals[vertical_id]
                rows = np.flatnonzero(where[:, 0] == vertical_id)
                index = views[rows], where[rows, 1]
                kept = vertical.ids.shape[-1]
                soft_ids[rows, slot, :kept] = vertical.ids[index].astype(np.int32)
                soft_ids[rows, slot, :kept] += vertical.first_class
                soft_probs[rows, slot, :kept] = vertical.probs[index]
        return soft_ids.reshape(len(record_ids), -1), soft_probs.reshape(len(record_ids), -1)
