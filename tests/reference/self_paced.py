"""Eq. 3 to Eq. 6 of Gao et al. (2017)."""

import math

import numpy as np


def pace_logits(logits, pace):
    """Normalises each example's logits of one vertical and multiplies them by their pace."""
    logits = np.asarray(logits, np.float64)
    pace = np.asarray(pace, np.float64)
    paced = np.zeros_like(logits)
    for b, row in enumerate(logits):
        norm = math.sqrt(sum(x * x for x in row))
        for i, x in enumerate(row):
            gamma = pace if pace.ndim == 0 else pace[i]
            paced[b, i] = gamma * x / norm
    return paced


def jacobian(logits, pace):
    """Gives the whole ∂y_i/∂x_j of one example, with class-level factors."""
    norm = math.sqrt(sum(x * x for x in logits))
    size = len(logits)
    matrix = np.zeros((size, size))
    for i in range(size):
        for j in range(size):
            matrix[i, j] = pace[i] * ((i == j) / norm - logits[i] * logits[j] / norm**3)
    return matrix


def equation_5(logits, pace):
    """Gives the paper's factor of ∂l/∂y_i in ∂l/∂x_i, for one example."""
    norm = math.sqrt(sum(x * x for x in logits))
    return np.array([g * (1 / norm - x * x / norm**3) for x, g in zip(logits, pace, strict=True)])
