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


def softmax(logits):
    """Gives each row's scores, one class after the other."""
    scores = np.zeros(np.shape(logits))
    for i, row in enumerate(np.asarray(logits, np.float64)):
        total = sum(math.exp(x - row.max()) for x in row)
        for j, x in enumerate(row):
            scores[i, j] = math.exp(x - row.max()) / total
    return scores


def softmax_cross_entropy(logits, targets):
    """Is Yang et al. (2018), Eq. 1."""
    scores = softmax(logits)
    return np.array([
        -sum(targets[i, j] * math.log(scores[i, j]) for j in range(scores.shape[1]))
        for i in range(len(scores))
    ])


def score_difference(scores, num_similar):
    """Is the bracket of Yang et al. (2018), Eq. 3."""
    ranked = [sorted(row, reverse=True) for row in scores]
    return np.array([row[0] - sum(row[1:num_similar]) / (num_similar - 1) for row in ranked])


def tolerant(logits, targets, eta, num_similar):
    """Is Yang et al. (2018), Eq. 3."""
    difference = score_difference(softmax(logits), num_similar)
    return (1 - eta) * softmax_cross_entropy(logits, targets) + eta * difference


def divergence(teacher_scores, scores):
    """Is Yang et al. (2018), Eq. 2."""
    return np.array([
        -sum(t * math.log(s / t) for t, s in zip(*rows, strict=True) if t > 1e-12)
        for rows in zip(teacher_scores, scores, strict=True)
    ])


def divergence_of_listed(teacher_ids, teacher_scores, scores):
    """Is `divergence` after the classes that are not listed have been made one."""
    merged = []
    for ids, listed, row in zip(teacher_ids, teacher_scores, scores, strict=True):
        others = sum(score for class_id, score in enumerate(row) if class_id not in ids)
        merged.append((
            [*listed, max(0.0, 1 - sum(listed))], [*(row[class_id] for class_id in ids), others],
        ))
    teachers, students = zip(*merged, strict=True)
    return divergence(teachers, students)
