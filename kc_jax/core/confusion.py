"""Which classes a network confuses: Warde-Farley et al. (2015), section 4.

Counts, so that those of several hosts add up; `similarity` of core.spectral takes any multiple.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import scipy.sparse


def count_confusions(
    parts: Iterable[tuple[np.ndarray, Sequence[Sequence[int]]]], num_classes: int
) -> scipy.sparse.csr_array:
    """Counts how often class i is among the first K where class j is the truth (Eq. 3).

    Args:
      parts: of successive images: the ids of their best classes i32[B, K], each once, and their
        labels, B rows of class ids.
      num_classes: C.

    Returns:
      A, i64[C, C] sparse, A[i, j]; over the number of images it is Eq. 3's.
    """
    return _sum_of(
        (
            _incidence(ids, num_classes).T @ _incidence(labels, num_classes)
            for ids, labels in parts
        ),
        num_classes,
    )


def count_co_detections(parts: Iterable[np.ndarray], num_classes: int) -> scipy.sparse.csr_array:
    """Counts how often classes i and j are both among the first K (Eq. 4).

    Args:
      parts: of successive images: the ids of their best classes i32[B, K], each once.
      num_classes: C.

    Returns:
      A, i64[C, C] sparse and symmetric.
    """
    seen = (_incidence(ids, num_classes) for ids in parts)
    return _sum_of((images.T @ images for images in seen), num_classes)


def _incidence(rows: Sequence[Sequence[int]], num_classes: int) -> scipy.sparse.csr_array:
    """Says which classes each row names: i64[B, C] of zeros and ones."""
    columns = [np.unique(np.asarray(row, np.int64)) for row in rows]
    ends = np.cumsum([0, *map(len, columns)])
    indices = np.concatenate([np.zeros(0, np.int64), *columns])
    shape = (len(columns), num_classes)
    return scipy.sparse.csr_array((np.ones(len(indices), np.int64), indices, ends), shape=shape)


def _sum_of(
    parts: Iterable[scipy.sparse.csr_array], num_classes: int
) -> scipy.sparse.csr_array:
    """Adds matrices up in pairs of like size, so that none is copied often."""
    shape = (num_classes, num_classes)
    levels: list[scipy.sparse.csr_array | None] = []
    for part in parts:
        for level, held in enumerate(levels):
            if held is None:
                levels[level] = part
                break
            part, levels[level] = part + held, None
        else:
            levels.append(part)
    total = scipy.sparse.csr_array(shape, dtype=np.int64)
    return sum((held for held in levels if held is not None), total)
