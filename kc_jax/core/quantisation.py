r"""Probabilities as 13-bit levels of their log-odds, fine where a loss can feel it.

A soft target z whose log-odds move by a small h moves by at most :math:`h e^h z (1 - z)`, and at
any logit x of a student its own term of the sigmoid cross-entropy is

.. math:: \mathrm{softplus}(x) - z x \ge \max(0, x) - z x
          = (1 - z) x \text{ for } x \ge 0, \quad z |x| \text{ for } x < 0,

so that this term changes by at most :math:`h e^h \max(z, 1 - z)` of itself, whatever the student
says. The levels are spaced so that this is below 1e-3 for log-odds from −9.7, lower than the prior
of a class among 16,000, to 5. Outside that range they lie wider and the change is small against 1
instead: at most 2.4e-7 |x| below −9.7 and 2.3e-5 |x| above 5. Log-odds beyond ±16 are moved there:
a change of at most 1.2e-7 |x|.
"""

import numpy as np

LEVEL_BITS = 13
MAX_LEVEL = (1 << LEVEL_BITS) - 1
# A level is a straight line in the log-odds between these knots. Knots are whole levels, so
# rounding never crosses one.
KNOT_LOG_ODDS = np.array([-16.0, -12.0, -9.7, -1.0, 1.0, 5.0, 8.0, 16.0])
KNOT_LEVELS = np.array([0, 174, 474, 4849, 5585, 7595, 8045, MAX_LEVEL])


def quantise(log_odds: np.ndarray) -> np.ndarray:
    """Rounds log-odds to levels.

    Args:
      log_odds: float, any shape; beyond ±16 they are taken to be ±16.

    Returns:
      u16 of that shape, 0 to `MAX_LEVEL`; larger log-odds never have a lower level.
    """
    return np.rint(np.interp(log_odds, KNOT_LOG_ODDS, KNOT_LEVELS)).astype(np.uint16)


def log_odds_of(levels: np.ndarray) -> np.ndarray:
    """Gives the log-odds that levels stand for, f64 of their shape."""
    return np.interp(levels, KNOT_LEVELS, KNOT_LOG_ODDS)


def probabilities_of(levels: np.ndarray) -> np.ndarray:
    """Gives the probabilities that levels stand for, f32 of their shape."""
    return _PROBABILITIES[levels]


def half_step(log_odds: np.ndarray) -> np.ndarray:
    """Gives how far rounding can move log-odds, f64 of their shape.

    Args:
      log_odds: float, from −16 to 16.
    """
    widths = np.diff(KNOT_LOG_ODDS) / (2 * np.diff(KNOT_LEVELS))
    return widths[np.searchsorted(KNOT_LOG_ODDS[1:-1], log_odds)]


_PROBABILITIES = (1 / (1 + np.exp(-log_odds_of(np.arange(MAX_LEVEL + 1))))).astype(np.float32)
# Of level 0, which stands for all log-odds down from the first knot: as good as none.
LEAST_PROBABILITY = _PROBABILITIES[0]
