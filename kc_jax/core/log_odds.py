r"""What networks of other make say, as the log-odds that soft targets are made of.

A soft target is the probability of a class on its own, and its log-odds :math:`\log z/(1 - z)` are
what our own teachers give. A network that ends in a softmax gives probabilities too; theirs add up
to 1 over a vertical.
"""

from collections.abc import Callable

import numpy as np

LIMIT = 80.0  # Log-odds end here: e^80 is within f32, and a store tells nothing apart beyond 16.
ROUNDING = 1e-6  # By which a probability may leave 0 to 1, as sums of a softmax do.


def sigmoid(log_odds: np.ndarray) -> np.ndarray:
    """Gives the probabilities of log-odds, which beyond ±`LIMIT` are taken to be ±`LIMIT`."""
    return 1 / (1 + np.exp(-np.clip(log_odds, -LIMIT, LIMIT)))


def of_logits(values: np.ndarray) -> np.ndarray:
    """Takes logits, one network's yes or no for each class, as they are.

    Args:
      values: float, any shape.

    Returns:
      f32 of that shape, −`LIMIT` to `LIMIT`.
    """
    return np.clip(values, -LIMIT, LIMIT).astype(np.float32)


def of_probabilities(values: np.ndarray) -> np.ndarray:
    """Gives the log-odds of probabilities.

    Args:
      values: float, any shape.

    Returns:
      f32 of that shape, −`LIMIT` to `LIMIT`.
    """
    probs = np.clip(values.astype(np.float64), 0.0, 1.0)
    with np.errstate(divide="ignore"):
        return of_logits(np.log(probs) - np.log1p(-probs))


def of_softmax(values: np.ndarray) -> np.ndarray:
    """Gives the log-odds of the softmax of logits.

    Args:
      values: float[..., C], before the softmax over the last axis.

    Returns:
      f32 of that shape, −`LIMIT` to `LIMIT`.
    """
    shifted = values.astype(np.float64) - np.max(values, axis=-1, keepdims=True)
    log_probs = shifted - np.log(np.sum(np.exp(shifted), axis=-1, keepdims=True))
    with np.errstate(divide="ignore"):
        return of_logits(log_probs - np.log(-np.expm1(log_probs)))


CONVERSIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "logits": of_logits, "probabilities": of_probabilities, "softmax": of_softmax,
}


def is_valid(values: np.ndarray, kind: str) -> np.ndarray:
    """Tells which values can be what they are said to be.

    Args:
      values: float, any shape.
      kind: a key of `CONVERSIONS`.

    Returns:
      bool of that shape: finite, and within 0 to 1, up to `ROUNDING`, where probabilities.
    """
    if kind == "probabilities":
        return (values >= -ROUNDING) & (values <= 1 + ROUNDING)
    return np.isfinite(values)
