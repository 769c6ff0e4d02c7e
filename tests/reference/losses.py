"""Eq. 1 and Eq. 2 of Gao et al. (2017) with dense targets."""

import math

import numpy as np


def log_sigmoid(x):
    return -math.log1p(math.exp(-x)) if x >= 0 else x - math.log1p(math.exp(x))


def dense_targets(ids, probs, num_classes):
    targets = np.zeros((len(ids), num_classes))
    for row, (row_ids, row_probs) in enumerate(zip(ids, probs, strict=True)):
        for class_id, prob in zip(row_ids, row_probs, strict=True):
            targets[row, class_id] += prob
    return targets


def sigmoid_cross_entropy(logits, targets):
    """Sums Eq. 1 over the classes; one value an example, not divided by the batch size."""
    losses = np.zeros(len(logits))
    for i, row in enumerate(np.asarray(logits, np.float64)):
        for j, x in enumerate(row):
            z = targets[i, j]
            losses[i] -= log_sigmoid(x) * z + log_sigmoid(-x) * (1 - z)
    return losses


def sigmoid_cross_entropy_gradient(logits, targets):
    return np.exp([[log_sigmoid(x) for x in row] for row in logits]) - targets
