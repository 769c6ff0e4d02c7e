"""Probabilities out of logits: a temperature and a bias, how far they err, and where to cut."""

import numpy as np

NUM_BINS = 15
LEAST_SLOPE = 1e-3
CONVERGED = 1e-18  # Twice the loss that is left to gain.


def probability(logits: np.ndarray, temperature: np.ndarray, bias: np.ndarray) -> np.ndarray:
    r"""Computes :math:`\sigma(x / T + b)`.

    Args:
      logits: f64[…].
      temperature: f64[…], T above 0, of the same shape or one that broadcasts.
      bias: f64[…], b, likewise.

    Returns:
      f64[…] in 0–1.
    """
    return 0.5 + 0.5 * np.tanh(0.5 * (logits / temperature + bias))


def fit(logits: np.ndarray, is_right: np.ndarray) -> tuple[float, float]:
    r"""Finds the temperature and bias whose probabilities have the least log loss.

    .. math:: \min_{T, b} \sum_i \mathrm{softplus}(z_i) - t_i z_i, \quad z_i = x_i / T + b

    is convex in (1/T, b). The targets t are those of Platt (1999), (n₊ + 1)/(n₊ + 2) for the n₊
    names that are right and 1/(n₋ + 2) for the others, which keep the answer finite where logits
    tell all right names from wrong ones, or none is right. 1/T stays above `LEAST_SLOPE` in units
    of the logits' standard deviation, so that names keep their order where logits tell nothing.

    Args:
      logits: f64[n].
      is_right: bool[n].

    Returns:
      T and b; 1 and 0 where n is 0.
    """
    if not len(logits):
        return 1.0, 0.0
    mean, deviation = np.mean(logits), np.std(logits) or 1.0
    scaled = (logits - mean) / deviation
    num_right = np.count_nonzero(is_right)
    num_wrong = len(is_right) - num_right
    targets = np.where(is_right, (num_right + 1) / (num_right + 2), 1 / (num_wrong + 2))
    ones = np.ones_like(scaled)
    slope, offset = _logistic_regression(np.stack([scaled, ones]), np.zeros_like(scaled), targets)
    if slope < LEAST_SLOPE:  # The loss is convex, so the best that is allowed is at the border.
        slope = LEAST_SLOPE
        (offset,) = _logistic_regression(ones[None], slope * scaled, targets)
    return float(deviation / slope), float(offset - slope * mean / deviation)


def _logistic_regression(
    features: np.ndarray, given: np.ndarray, targets: np.ndarray
) -> np.ndarray:
    """Finds the weights f64[k] of features f64[k, n] of least log loss, by Newton's method.

    Log-odds are what is given, f64[n], and the weighted sum; targets f64[n] lie inside 0–1.
    """
    def loss(weights):
        z = given + weights @ features
        return np.mean(np.logaddexp(0.0, z) - targets * z)

    weights = np.zeros(len(features))
    least = loss(weights)
    while True:
        p = probability(given + weights @ features, 1.0, 0.0)
        gradient = features @ (p - targets) / len(targets)
        hessian = (features * (p * (1.0 - p))) @ features.T / len(targets)
        step = np.linalg.pinv(hessian, hermitian=True) @ gradient
        while gradient @ step > CONVERGED and not loss(weights - step) < least:
            step /= 2.0
        if not gradient @ step > CONVERGED:
            return weights - step
        weights = weights - step
        least = loss(weights)


def expected_calibration_error(confidence: np.ndarray, is_right: np.ndarray) -> float | None:
    """Averages how far the confidence of names is from the share of them that is right.

    Guo et al. (2017), Eq. 3: over `NUM_BINS` bins of equal width in 0–1, each with the weight of
    its names.

    Args:
      confidence: f64[n], probabilities of the names.
      is_right: bool[n].

    Returns:
      The error in 0–1, None where there are no names.
    """
    if not len(confidence):
        return None
    bins = np.minimum((confidence * NUM_BINS).astype(np.int64), NUM_BINS - 1)
    gaps = np.bincount(bins, weights=confidence - is_right, minlength=NUM_BINS)
    return float(np.sum(np.abs(gaps)) / len(confidence))


def threshold_at(
    confidence: np.ndarray, is_right: np.ndarray, wanted_precision: float
) -> float | None:
    """Finds the lowest probability from which on names are right as often as wanted.

    Args:
      confidence: f64[n], probabilities of the names.
      is_right: bool[n].
      wanted_precision: in 0–1.

    Returns:
      The least of the probabilities such that of all names that reach it at least the wanted share
      is right; None where there is none.
    """
    order = np.argsort(-confidence, kind="stable")
    falling, hits = confidence[order], np.cumsum(is_right[order])
    is_last_of_equals = np.append(falling[1:] < falling[:-1], True)[: len(falling)]
    precise = hits / np.arange(1, len(falling) + 1) >= wanted_precision
    reached = np.flatnonzero(is_last_of_equals & precise)
    return float(falling[reached[-1]]) if len(reached) else None
