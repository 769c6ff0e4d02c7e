"""What evaluation finds, from all logits at once."""

import math

from tests.reference import average_precision as reference


def mean(values):
    return sum(values) / len(values)


def accuracy(rows, labels, allowed, k):
    right = []
    for row, ids in zip(rows, labels, strict=True):
        ranked = sorted(allowed, key=lambda c, row=row: (-row[c], c))[:k]
        right.append(bool(set(ranked) & set(ids)))
    return mean(right)


def overall(logits, labels, at_k):
    """Ranks the classes that some label names."""
    named = sorted({c for ids in labels for c in ids})
    columns = [[row[c] for c in named] for row in logits]
    renumbered = [[named.index(c) for c in ids] for ids in labels]
    return {
        "top1": accuracy(logits, labels, named, 1),
        "top5": accuracy(logits, labels, named, 5),
        f"mean_ap_at_{at_k}": reference.average_precision_at_k(columns, renumbered, at_k),
    }


def vertical(logits, labels, ancestors, classes):
    """Gives the named classes' AP, the ancestors' AP and top-1 of one vertical; None if empty."""
    rows = [r for r, ids in enumerate(labels) if any(c in classes for c in ids)]
    if not rows:
        return None
    logits, labels = [logits[r] for r in rows], [labels[r] for r in rows]
    smeared = [{a for c in ids for a in (c, *ancestors[c])} for ids in labels]
    by_label = reference.class_average_precision(logits, labels)
    by_smeared = reference.class_average_precision(logits, smeared)
    named = [c for c in classes if not math.isnan(by_label[c])]
    return {
        "class_ap": {c: by_label[c] for c in named},
        "ancestor_ap": [
            by_smeared[c] for c in classes if c not in named and not math.isnan(by_smeared[c])
        ],
        "top1": accuracy(logits, labels, named, 1),
    }
