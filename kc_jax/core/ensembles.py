"""What networks of the same classes say together, and how sure each is."""

from collections.abc import Iterator, Sequence

import numpy as np


def softmax(logits: np.ndarray) -> np.ndarray:
    """Gives each row's scores, f64[n, C], of logits f32[n, C]."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def running_means(scores: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
    """Yields the mean scores of the first, the first two, … networks.

    Yang et al. (2018), section 4: an ensemble averages the scores of generations 0 to g.

    Args:
      scores: f32[n, C] of each network.
    """
    total = np.zeros(scores[0].shape, np.float64)
    for count, more in enumerate(scores, start=1):
        total += more
        yield total / count


def sorted_scores(scores: np.ndarray, count: int) -> np.ndarray:
    """Averages over examples the highest, the second highest, … score.

    Yang et al. (2018), Figure 1, left.

    Args:
      scores: float[n, C].
      count: places wanted.

    Returns:
      f64[min(count, C)].
    """
    return np.sort(scores, axis=-1)[:, ::-1][:, :count].mean(axis=0, dtype=np.float64)


def secondary_classes(scores: np.ndarray, labels: np.ndarray, count: int) -> list[dict]:
    """Lists which class stands next to which, among examples that are named rightly.

    Yang et al. (2018), Figure 1, right.

    Args:
      scores: float[n, C], C at least 2.
      labels: i64[n].
      count: pairs wanted.

    Returns:
      Pairs, first those where the class gives the other most of its score, equal ones by class:
      ``class_id``, ``secondary_id``, ``share`` of the class's rightly named examples in which the
      other is second, and the other's mean ``score`` in these.
    """
    first, second = np.argsort(-scores, axis=-1, kind="stable")[:, :2].T
    right = first == labels
    pairs, inverse, counts = np.unique(
        np.stack([labels[right], second[right]]), axis=1, return_inverse=True, return_counts=True
    )
    kept = scores[right, second[right]].astype(np.float64)
    means = np.bincount(inverse.ravel(), weights=kept, minlength=len(counts)) / counts
    totals = np.bincount(labels[right], minlength=scores.shape[1])
    shares = counts / totals[pairs[0]]
    order = np.lexsort((pairs[1], pairs[0], -shares * means))[:count]
    return [
        {
            "class_id": int(pairs[0, i]), "secondary_id": int(pairs[1, i]),
            "share": float(shares[i]), "score": float(means[i]),
        }
        for i in order
    ]
