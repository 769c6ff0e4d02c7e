"""Average precision per class, per vertical and over verticals; accuracy of the first names."""

from collections.abc import Sequence

import numpy as np


def average_precision(scores: np.ndarray, positives: np.ndarray) -> float:
    """Computes the average precision of one class, exactly as scikit-learn defines it.

    The mean over the positives i of #{positives scored >= s_i} / #{all scored >= s_i}: the sum
    of precision times gained recall over the distinct thresholds, ties taken together.

    Args:
      scores: f32[N], higher means more likely.
      positives: i32[P], the indices of the examples that have the class.

    Returns:
      The average precision in [0, 1], or NaN where the class has no positive example.
    """
    if len(positives) == 0:
        return float("nan")
    ordered = np.sort(scores)
    hits = np.sort(scores[positives])
    at_least = len(ordered) - np.searchsorted(ordered, hits, side="left")
    hits_at_least = len(hits) - np.searchsorted(hits, hits, side="left")
    return float(np.mean(hits_at_least / at_least))


def class_average_precision(scores: np.ndarray, labels: Sequence[Sequence[int]]) -> np.ndarray:
    """Computes the average precision of every class.

    Args:
      scores: f32[N, C].
      labels: the N examples' class ids in 0..C-1; ids outside that range are ignored, so that a
        vertical's columns can be judged with labels relative to its first class.

    Returns:
      f64[C]; NaN for classes with no positive example.
    """
    num_classes = scores.shape[1]
    positives: list[list[int]] = [[] for _ in range(num_classes)]
    for example, class_ids in enumerate(labels):
        for class_id in set(class_ids):
            if 0 <= class_id < num_classes:
                positives[class_id].append(example)
    return np.array([
        average_precision(scores[:, c], np.asarray(positives[c], np.int64))
        for c in range(num_classes)
    ])


def average_precision_at_k(scores: np.ndarray, labels: Sequence[Sequence[int]], k: int) -> float:
    """Computes the mean over examples of the average precision of their K best-scored classes.

    An example's sum of precisions at its hits among the first K is divided by
    min(K, its number of labels).

    Args:
      scores: f32[N, C].
      labels: the N examples' class ids, each example with at least one.
      k: how many names to look at.
    """
    k = min(k, scores.shape[1])
    best = best_classes(scores, k)
    values = []
    for row, class_ids in zip(best, labels, strict=True):
        hits = np.isin(row, list(class_ids))
        precision = np.cumsum(hits) / np.arange(1, k + 1)
        values.append(np.sum(precision * hits) / min(k, len(set(class_ids))))
    return float(np.mean(values))


def top_k_accuracy(scores: np.ndarray, labels: Sequence[Sequence[int]], k: int) -> float:
    """Computes the share of examples with one of their labels among the K best-scored classes.

    Args:
      scores: f32[N, C].
      labels: the N examples' class ids.
      k: how many names to look at.
    """
    best = best_classes(scores, min(k, scores.shape[1]))
    return float(np.mean([
        bool(set(row.tolist()) & set(class_ids))
        for row, class_ids in zip(best, labels, strict=True)
    ]))


def best_classes(scores: np.ndarray, k: int) -> np.ndarray:
    """Gives the ids of the K best-scored classes of each example, best first.

    Equal scores are ordered by class id, also where they decide who is among the K.

    Args:
      scores: f32[N, C].
      k: how many, 1 to C.

    Returns:
      i64[N, k].
    """
    last = np.partition(scores, -k, axis=-1)[:, -k, None]
    above, tied = scores > last, scores == last
    room = k - np.sum(above, axis=-1, keepdims=True)
    kept = above | (tied & (np.cumsum(tied, axis=-1) <= room))
    candidates = np.nonzero(kept)[1].reshape(len(scores), k)
    order = np.argsort(-np.take_along_axis(scores, candidates, axis=-1), axis=-1, kind="stable")
    return np.take_along_axis(candidates, order, axis=-1)
