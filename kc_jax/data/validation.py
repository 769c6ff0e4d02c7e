"""Parts of the records, chosen by hash: to choose settings on, or to fit what is then judged."""

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


def in_first_half(keys: Sequence[str]) -> np.ndarray:
    """Halves records by their names; what others there are changes nothing.

    Args:
      keys: the records' names.

    Returns:
      bool[n], True for about half of them.
    """
    return np.array([hashlib.sha256(key.encode()).digest()[-1] % 2 for key in keys], np.bool_)


def _hash(record: int) -> bytes:
    return hashlib.sha256(str(record).encode()).digest()
