"""The soft targets of all verticals, addressed by record index and view.

Every vertical has a folder of its own, so one teacher can be replaced without touching the others,
and shuffling can never mismatch a target and its image.
"""

import pathlib
from collections.abc import Sequence

import numpy as np

from kc_jax import artifacts
from kc_jax.core import quantisation
from kc_jax.core.label_space import LabelSpace
from kc_jax.data.vertical_store import VerticalStore


class SoftTargetStore:
    """Reads the soft targets of any records and views.

    Args:
      directory: of the store.
      space: label space of the student.
      inputs: for each vertical what its manifest must say; see `vertical_store.store_inputs`.

    Attributes:
      num_views: views of a record that have soft targets of their own; None where all share them.

    Raises:
      MissingArtifactError, StaleArtifactError, DamagedStoreError: see `VerticalStore`.
    """

    def __init__(self, directory: pathlib.Path, space: LabelSpace, inputs: Sequence[dict]):
        self._verticals = [
            VerticalStore(directory / artifacts.safe_name(name), space.sizes[v], inputs[v])
            for v, name in enumerate(space.verticals)
        ]
        self.num_views = None if inputs[0]["views"] is None else inputs[0]["num_views"]
        self._first_classes = space.starts[:-1]
        self._width = max(v.num_kept for v in self._verticals)
        self._slots = self._find_slots()

    def _find_slots(self) -> np.ndarray:
        """Finds where each record lies: i32[N, M] of (vertical, place) slots, −1 for none."""
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
        return slots

    def __call__(self, record_ids: np.ndarray, views: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Reads soft targets; a record of several verticals gets the union of theirs.

        Args:
          record_ids: i64[B].
          views: i64[B], below ``num_views`` where it is not None.

        Returns:
          soft_ids i32[B, M·K], global class ids, and soft_probs f32 of that shape; padding has
          id 0 and probability 0. M is the largest number of verticals of any record.

        Raises:
          DamagedStoreError: see `VerticalStore`.
        """
        views = np.zeros_like(views) if self.num_views is None else views
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
                ids, levels = vertical(where[rows, 1], views[rows])
                kept = vertical.num_kept
                soft_ids[rows, slot, :kept] = ids + self._first_classes[vertical_id]
                soft_probs[rows, slot, :kept] = quantisation.probabilities_of(levels)
        return soft_ids.reshape(len(record_ids), -1), soft_probs.reshape(len(record_ids), -1)
