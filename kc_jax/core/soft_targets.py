"""A teacher's logits as the top-K soft targets of Gao et al. (2017), section 3.1."""

from collections.abc import Sequence

import numpy as np

from kc_jax.core import quantisation
from kc_jax.core.average_precision import best_classes
from kc_jax.core.log_odds import sigmoid


def top_k(logits: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Keeps the K most probable classes of each row, the first first.

    Runs on the host, where `np.partition` beats `lax.top_k`. Equal logits are ordered by
    class id, so the result depends on nothing but the logits.

    Args:
      logits: f32[B, C_v], one teacher's logits.
      k: how many to keep; at most C_v are there to be kept.

    Returns:
      ids i32[B, min(k, C_v)], local to the vertical, and their logits f32 of that shape: the
      log-odds of their sigmoid probabilities.

    Raises:
      ValueError: k is below 1.
    """
    if k < 1:
        raise ValueError(f"top_k is {k}; expected at least 1")
    ids = best_classes(logits, min(k, logits.shape[-1]))
    return ids.astype(np.int32), np.take_along_axis(logits, ids, axis=-1)


def kept_mass(logits: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Computes the share of each row's sum of probabilities that its kept classes hold.

    Args:
      logits: f32[B, C_v], of all classes.
      kept: f32[B, K], those of the kept ones.

    Returns:
      f32[B] in [0, 1].
    """
    return sigmoid(kept).sum(axis=-1) / sigmoid(logits).sum(axis=-1)


def secondary_mass(
    logits: np.ndarray, right: Sequence[Sequence[int]], num_similar: int
) -> tuple[np.ndarray, np.ndarray]:
    """Sums what each row leaves to classes that are not the image's: its secondary classes.

    Yang et al. (2018), section 3.3, call this similarity a teacher's energy.

    Args:
      logits: f32[B, C_v], of all classes.
      right: B rows of class ids, the image's labels and their ancestors.
      num_similar: K, a primary class and those alike; at least 2.

    Returns:
      f32[B] each: the sum of the scores of all secondary classes, and of the K − 1 first of them.
    """
    scores = sigmoid(logits)
    for row, own in zip(scores, right, strict=True):
        row[list(own)] = 0
    count = min(num_similar - 1, scores.shape[-1])
    first = np.partition(scores, -count, axis=-1)[:, -count:]
    return scores.sum(axis=-1), first.sum(axis=-1)


def label_rank(ids: np.ndarray, labels: Sequence[Sequence[int]]) -> np.ndarray:
    """Finds where in each row the first of its labels stands.

    Args:
      ids: i32[B, K], most probable first.
      labels: B rows of class ids.

    Returns:
      i64[B], 0 for the first place, K where no label is among them.
    """
    return np.array([
        next((place for place, c in enumerate(row) if c in known), ids.shape[-1])
        for row, known in zip(ids.tolist(), labels, strict=True)
    ], np.int64)


def disagreement(logits: np.ndarray, ids: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Measures how far logits must move for stored soft targets to be theirs.

    A logit must reach its stored level to half a step, and no class that is not stored may be
    above one that is; near the K-th place two logits can move towards each other.

    Args:
      logits: f32[B, C_v], the teacher's, computed anew.
      ids: i32[B, K], stored.
      levels: u16[B, K], stored; see `core.quantisation`.

    Returns:
      f64[B], at least 0, in units of logits; those beyond the outermost levels are moved there.
    """
    lowest, highest = quantisation.KNOT_LOG_ODDS[[0, -1]]
    logits = np.clip(logits.astype(np.float64), lowest, highest)
    kept = np.take_along_axis(logits, ids, axis=-1)
    stored = quantisation.log_odds_of(levels)
    half_step = np.maximum(quantisation.half_step(stored), quantisation.half_step(kept))
    moved = np.max(np.abs(stored - kept) - half_step, axis=-1)
    np.put_along_axis(logits, ids, -np.inf, axis=-1)
    overtaken = (np.max(logits, axis=-1) - np.min(kept, axis=-1)) / 2
    return np.maximum(0.0, np.maximum(moved, overtaken))
