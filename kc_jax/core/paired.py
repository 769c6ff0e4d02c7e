"""Whether one method is better than another, judged by the same seeds of both."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

HOLDS, FAILS, UNDECIDED = "holds", "does not hold", "undecided"


class Interval(NamedTuple):
    """Bounds the mean of differences.

    Attributes:
      mean: of the differences.
      low: end of the interval.
      high: end of the interval.
    """

    mean: float
    low: float
    high: float


def interval(differences: Sequence[float], confidence: float = 0.95) -> Interval:
    """Bounds the mean difference of pairs by Student's t.

    Args:
      differences: of the two members of each pair, one pair a seed; of one alone nothing is known,
        so its interval is unbounded.
      confidence: that the mean lies within, above 0 and below 1.
    """
    values = np.asarray(differences, np.float64)
    if len(values) < 2:
        return Interval(float(values.mean()), -np.inf, np.inf)
    error = values.std(ddof=1) / np.sqrt(len(values))
    reach = error * stats.t.ppf((1 + confidence) / 2, len(values) - 1)
    return Interval(*(float(values.mean() + sign * reach) for sign in (0, -1, 1)))


def verdict(bounds: Interval, smallest: float) -> str:
    """Says whether a claimed gain is there.

    Args:
      bounds: of the gain.
      smallest: the gain that would be worth having, at least 0.

    Returns:
      ``holds`` where the whole interval lies above 0; ``does not hold`` where it lies below
      ``smallest``, so that there is a loss or no gain worth the name; else ``undecided``.
    """
    if bounds.low > 0:
        return HOLDS
    return FAILS if bounds.high < smallest else UNDECIDED
