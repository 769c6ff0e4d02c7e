"""A part of the training records, held out by hash, on which settings are chosen."""

import hashlib
from collections import Counter
from collections.abc import Sequence

import numpy as np


def held_out(labels: Sequence[Sequence[int]], share: float) -> np.ndarray:
    """Chooses the records to hold out; the same at every call.

    Every class keeps a record to be learnt from, so a class of one record is never held out and
    less than the share may come out where classes are small.

    Args:
      labels: each record's class ids.
      share: of the records, 0 to 1.

    Returns:
      bool[n], True for records held out.
    """
    chosen = np.zeros(len(labels), np.bool_)
    left = Counter(class_id for ids in labels for class_id in set(ids))
    wanted = round(share * len(labels))
    for record in sorted(range(len(labels)), key=_hash):
        if wanted and all(left[class_id] > 1 for class_id in labels[record]):
            chosen[record] = True
            left.subtract(set(labels[record]))
            wanted -= 1
    return chosen


def _hash(record: int) -> bytes:
    return hashlib.sha256(str(record).encode()).digest()
