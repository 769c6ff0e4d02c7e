"""The top-K soft targets of Gao et al. (2017), section 3.1."""

import math


def sigmoid(x):
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def top_k(logits, k):
    """Gives each row's ids and logits, sorted by logit and then by id."""
    ids = [sorted(range(len(row)), key=lambda c, row=row: (-row[c], c))[:k] for row in logits]
    return ids, [[row[c] for c in kept] for row, kept in zip(logits, ids, strict=True)]


def kept_mass(logits, k):
    """Gives the share of each row's probabilities that its K largest hold."""
    probs = [sorted((sigmoid(float(x)) for x in row), reverse=True) for row in logits]
    return [sum(row[:k]) / sum(row) for row in probs]


def secondary_mass(logits, right, num_similar):
    """Gives each row's sum of the probabilities of wrong classes, of all and of the K − 1 first."""
    wrong = [
        sorted((sigmoid(float(x)) for c, x in enumerate(row) if c not in own), reverse=True)
        for row, own in zip(logits, right, strict=True)
    ]
    return [sum(row) for row in wrong], [sum(row[: num_similar - 1]) for row in wrong]
