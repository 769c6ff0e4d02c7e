"""Average precision per class, per vertical and over verticals; accuracy of the first names."""

from collections.abc import Sequence

import numpy as np


def class_average_precision(
    scores: np.ndarray, positives: Sequence[np.ndarray]
) -> np.ndarray:
    """Computes the average precision of every class.

    Args:
      scores: f32[C, N], higher means more likely; the scores of a class lie side by side.
      positives: for each class i64[P_c], the examples that have it; see `positives_of`.

    Returns:
      f64[C]; NaN for classes with no positive example.
    """
    values = np.full(len(scores), np.nan)
    for class_id, (row, examples) in enumerate(zip(scores, positives, strict=True)):
        if len(examples):
            thresholds = row[examples]
            values[class_id] = average_precision(thresholds, count_at_least(row, thresholds))
    return values


def count_at_least(scores: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Counts for each threshold the scores that reach it.

    Counts add up: where several hosts hold the examples, each counts its own scores against the
    thresholds of all.

    Args:
      scores: f32[N], of one class.
      thresholds: f32[P], the scores of the class's positive examples.

    Returns:
      i64[P].
    """
    return len(scores) - np.searchsorted(np.sort(scores), thresholds, side="left")


def average_precision(thresholds: np.ndarray, at_least: np.ndarray) -> float:
    """Computes the average precision of one class, exactly as scikit-learn defines it.

    The mean over the positives i of #{positives scored >= s_i} / #{all scored >= s_i}: the sum
    of precision times gained recall over the distinct thresholds, ties taken together. Depends
    on no order, so that hosts may hold the examples in any.

    Args:
      thresholds: f32[P], the scores of the positive examples, at least one.
      at_least: i64[P], how many of all scores reach each of them; see `count_at_least`.

    Returns:
      The average precision in (0, 1].
    """
    rising = np.sort(thresholds)
    falling = np.sort(at_least)[::-1]  # The higher the threshold, the fewer reach it.
    return float(np.mean(count_at_least(rising, rising) / falling))


def positives_of(labels: Sequence[Sequence[int]], classes: range) -> list[np.ndarray]:
    """Lists the examples of every class.

    Args:
      labels: the examples' class ids.
      classes: the ids asked for, such as those of a vertical; other labels are ignored.

    Returns:
      For each class i64[P_c], rising.
    """
    examples: list[list[int]] = [[] for _ in classes]
    for example, class_ids in enumerate(labels):
        for class_id in set(class_ids):
            if class_id in classes:
                examples[class_id - classes.start].append(example)
    return [np.array(ids, np.int64) for ids in examples]


def are_labels(names: np.ndarray, labels: Sequence[Sequence[int]]) -> np.ndarray:
    """Tells which of the names that examples were given are labels of theirs.

    Args:
      names: i64[N, K], class ids, best first; see `best_classes`.
      labels: the N examples' class ids.

    Returns:
      bool[N, K].
    """
    hits = [
        [name in class_ids for name in row]
        for row, class_ids in zip(names.tolist(), labels, strict=True)
    ]
    return np.array(hits, np.bool_).reshape(names.shape)


def average_precision_at_k(hits: np.ndarray, num_labels: np.ndarray, k: int) -> np.ndarray:
    """Computes each example's average precision over its K best-scored classes.

    An example's sum of precisions at its hits among the first K is divided by
    min(K, its number of labels).

    Args:
      hits: bool[N, K'], which of an example's names, best first, are labels; of them all
        where K' is below K.
      num_labels: i64[N], how many different labels an example has, at least 1.
      k: how many names to look at.

    Returns:
      f64[N].
    """
    hits = hits[:, :k]
    precision = np.cumsum(hits, axis=-1) / np.arange(1, hits.shape[-1] + 1)
    return np.sum(precision * hits, axis=-1) / np.minimum(k, num_labels)


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
    rows, classes = np.nonzero(scores >= last)
    order = np.lexsort((-scores[rows, classes], rows))  # Stable, so ties stay in order of id.
    first = np.searchsorted(rows, np.arange(len(scores)))
    return classes[order[first[:, None] + np.arange(k)]]
