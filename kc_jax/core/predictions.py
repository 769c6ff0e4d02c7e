"""Predictions in long form, a row an image and class, put in the order of a store."""

import numpy as np

from kc_jax.core.log_odds import LIMIT

ROW = np.dtype([("record", "<i4"), ("view", "<i4"), ("class_id", "<i4"), ("log_odds", "<f4")])


def arrange(rows: np.ndarray, record_ids: np.ndarray) -> np.ndarray:
    """Sorts the rows of a vertical's records by view, record and class, and drops the others.

    Args:
      rows: ROW[m], of classes of one vertical.
      record_ids: i64[n], sorted, the vertical's records.

    Returns:
      ROW[m'], views outermost; rows of other records are left out.
    """
    rows = rows[np.isin(rows["record"], record_ids)]
    return rows[np.lexsort((rows["class_id"], rows["record"], rows["view"]))]


def find_duplicate(rows: np.ndarray) -> int | None:
    """Finds a row that says the same image, view and class as the one before it.

    Args:
      rows: ROW[m], sorted; see `arrange`.
    """
    same = np.ones(max(len(rows) - 1, 0), np.bool_)
    for field in ("class_id", "record", "view"):
        same &= rows[field][1:] == rows[field][:-1]
    places = np.flatnonzero(same)
    return int(places[0]) + 1 if len(places) else None


def positions(rows: np.ndarray, record_ids: np.ndarray) -> np.ndarray:
    """Numbers the image and view of each row as a store does: views outermost, then records.

    Args:
      rows: ROW[m], sorted; see `arrange`.
      record_ids: i64[n], sorted, which hold all of the rows' records.

    Returns:
      i64[m], rising.
    """
    places = np.searchsorted(record_ids, rows["record"])
    return rows["view"].astype(np.int64) * len(record_ids) + places


def dense(
    rows: np.ndarray, positions: np.ndarray, first: int, stop: int, classes: range
) -> np.ndarray:
    """Spreads the predictions of successive images and views over all classes of their vertical.

    Args:
      rows: ROW[m], sorted; see `arrange`.
      positions: i64[m], of the rows; see `positions`.
      first: position of the first image and view.
      stop: position after the last one.
      classes: of the vertical.

    Returns:
      f32[stop − first, C_v], log-odds. A class without a row is below −`LIMIT`, and the lower the
      higher its id: no two such are equal, so the K highest are soon found.
    """
    absent = -LIMIT - 1 - np.arange(len(classes), dtype=np.float32)
    logits = np.tile(absent, (stop - first, 1))
    start, end = np.searchsorted(positions, [first, stop])
    some = rows[start:end]
    logits[positions[start:end] - first, some["class_id"] - classes.start] = some["log_odds"]
    return logits
