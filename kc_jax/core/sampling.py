"""Which record is shown where in an epoch, so that rare groups of records are not starved."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

UNIT = 1 << 20  # Of the whole numbers that hold how often a record is shown an epoch.
STRIDE = 648_055  # Nearest to the golden ratio of a unit, so that epochs start far apart; odd.


class Sampler:
    """Fills the slots of every epoch, as many as there are records, by whole and broken turns.

    A record is due w / mean(w) times an epoch, and shown that often, rounded down or up; so often
    up that it comes out even over epochs. Records of a group lie side by side, so in every epoch a
    group is shown as often as it is due, within 1. This is systematic sampling: records lie on a
    line at the lengths that they are due, and an epoch's slots are points at distance 1 on it, from
    a start that moves with the epoch. So it is a function of epoch and slot alone.

    Args:
      weights: f64[n], w, how often a record is shown against others, above 0.
      groups: i64[n], to which a record belongs.
    """

    def __init__(self, weights: np.ndarray, groups: np.ndarray):
        self._order = np.argsort(groups, kind="stable")
        ends = np.cumsum(weights[self._order])
        length = len(weights) * UNIT
        self._edges = np.append(0, np.round(ends * (length / ends[-1])).astype(np.int64))

    def __len__(self) -> int:
        return len(self._order)

    def __call__(self, epochs: np.ndarray, slots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Says who is shown.

        Args:
          epochs: i64[B].
          slots: i64[B], each in 0..n-1.

        Returns:
          records i64[B] in 0..n-1, and turns i64[B]: how often each was shown before, in this
          epoch and all before it.
        """
        starts = self._start(epochs)
        places = np.searchsorted(self._edges, (slots + 1) * UNIT - starts) - 1
        earlier = np.arange(max(epochs, default=0))
        shown = self._shown(places[:, None], self._start(earlier))
        turns = slots - (self._edges[places] + starts) // UNIT
        turns += np.sum(shown * (earlier < epochs[:, None]), axis=-1)
        return self._order[places], turns

    def _start(self, epochs: np.ndarray) -> np.ndarray:
        return epochs * STRIDE % UNIT

    def _shown(self, places: np.ndarray, starts: np.ndarray) -> np.ndarray:
        """Counts how often records are shown in epochs of these starts."""
        return (self._edges[places + 1] + starts) // UNIT - (self._edges[places] + starts) // UNIT


def balanced(groups: Sequence[Sequence[int]], strength: float) -> Sampler:
    r"""Makes the sampler that shows a record of a group of n records in proportion to n^-strength.

    A group's share of an epoch is so in proportion to n^(1 - strength): 0 leaves shares as they
    are, 1 makes them equal, 1/2 is square-root sampling (Mahajan et al. 2018; 1 − q of Kang et al.
    2020, Eq. 1). A record of several groups is shown as one of its rarest (Gupta et al. 2019).

    Args:
      groups: of each record, at least one.
      strength: in 0–1.
    """
    sizes = Counter(group for own in groups for group in set(own))
    rarest = np.array([min(own, key=lambda g: (sizes[g], g)) for own in groups])
    weights = np.array([sizes[group] for group in rarest.tolist()], np.float64) ** -strength
    return Sampler(weights, rarest)
