"""Fits probabilities to the names that a network gives test images, and judges them."""

import numpy as np

from kc_jax.core import average_precision as ap
from kc_jax.core import calibration
from kc_jax.data import validation
from kc_jax.stages.judging import TestSet

# Of a vertical without a test image, as some are where held-out training images judge.
UNJUDGED = {
    "temperature": 1.0, "bias": 0.0, "threshold": None, "ece_before": None, "ece_after": None,
    "pairs": 0,
}


class CalibrationJudge:
    """Fits a temperature and a bias for each vertical and finds how far probabilities err.

    What is fitted are the first names: of every example, whatever its labels, the best class of
    each vertical, right where it is a label of the example. As in top-1, only classes that some
    test label names are asked. Memory holds 5 bytes an example and vertical.

    What is judged is the first name over all verticals, by parameters that were fitted on the other
    half of the records. Where these do not lower the error, logits are left as they are, and so
    are those of verticals that no test label names.

    Args:
      test: the examples.
      wanted_precision: in 0–1, of the names that reach a vertical's threshold.
    """

    def __init__(self, test: TestSet, wanted_precision: float):
        self._space, self._labels, self._wanted_precision = (
            test.space, test.labels, wanted_precision
        )
        named = np.flatnonzero(test.is_named)
        verticals = test.space.vertical_of_class[named]
        self._verticals = np.unique(verticals)
        self._named = [named[verticals == v] for v in self._verticals]
        keys = [test.source.key(record) for record in range(len(test.source))]
        self._first_half = np.tile(validation.in_first_half(keys), test.num_views)
        self._examples: list[np.ndarray] = []
        self._logits: list[np.ndarray] = []
        self._is_right: list[np.ndarray] = []

    def add(self, examples: np.ndarray, logits: np.ndarray) -> None:
        """Takes what the network says of examples: i64[b] and f32[b, C]."""
        best = np.stack([ids[np.argmax(logits[:, ids], axis=-1)] for ids in self._named], axis=-1)
        self._examples.append(examples)
        self._logits.append(np.take_along_axis(logits, best, axis=-1))
        self._is_right.append(ap.are_labels(best, [self._labels[e] for e in examples]))

    def verdict(self) -> dict:
        """Fits and judges, after the last example; gives the content of calibration.json."""
        logits = np.concatenate(self._logits, dtype=np.float64)
        is_right = np.concatenate(self._is_right)
        is_first_half = self._first_half[np.concatenate(self._examples)]
        held_out = np.empty(logits.shape)
        for half in (is_first_half, ~is_first_half):
            held_out[half] = calibration.probability(
                logits[half], *_fit_columns(logits[~half], is_right[~half])
            )
        before = _FirstNames(logits, calibration.probability(logits, 1.0, 0.0), is_right)
        after = _FirstNames(held_out, held_out, is_right)
        errors = {
            "ece_before": calibration.expected_calibration_error(*before.all),
            "ece_after": calibration.expected_calibration_error(*after.all),
        }
        is_used = errors["ece_after"] < errors["ece_before"]
        used = after if is_used else before
        ones = np.ones(logits.shape[1])
        temperatures, biases = _fit_columns(logits, is_right) if is_used else (ones, 0 * ones)
        found = {
            vertical_id: {
                "temperature": float(temperatures[v]),
                "bias": float(biases[v]),
                "threshold": calibration.threshold_at(*used.of(v), self._wanted_precision),
                "ece_before": calibration.expected_calibration_error(*before.of(v)),
                "ece_after": calibration.expected_calibration_error(*after.of(v)),
                "pairs": len(logits),
            }
            for v, vertical_id in enumerate(self._verticals)
        }
        return {
            "verticals": {
                name: found.get(v, UNJUDGED) for v, name in enumerate(self._space.verticals)
            },
            **errors,
            "is_used": is_used,
            "wanted_precision": self._wanted_precision,
        }


def _fit_columns(logits: np.ndarray, is_right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fits each vertical's temperature and bias: f64[V] and f64[V]."""
    columns = zip(logits.T, is_right.T, strict=True)
    temperatures, biases = zip(*(calibration.fit(x, right) for x, right in columns), strict=True)
    return np.array(temperatures), np.array(biases)


class _FirstNames:
    """Takes of each example the vertical whose name is best: its confidence, and if it is right."""

    def __init__(self, ranked: np.ndarray, confidence: np.ndarray, is_right: np.ndarray):
        self._vertical = np.argmax(ranked, axis=-1)
        rows = np.arange(len(ranked))
        self.all = confidence[rows, self._vertical], is_right[rows, self._vertical]

    def of(self, v: int) -> tuple[np.ndarray, np.ndarray]:
        chosen = self._vertical == v
        return self.all[0][chosen], self.all[1][chosen]
