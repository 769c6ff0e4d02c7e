"""Average precision by a walk over thresholds, and mean average precision at K."""

import math


def average_precision(scores, positive):
    """Sums precision times gained recall over the distinct scores, from the highest down."""
    num_positive = sum(positive)
    if not num_positive:
        return math.nan
    total, recall = 0.0, 0.0
    for threshold in sorted({float(s) for s in scores}, reverse=True):
        said = [i for i, s in enumerate(scores) if s >= threshold]
        hits = sum(positive[i] for i in said)
        total += (hits / num_positive - recall) * hits / len(said)
        recall = hits / num_positive
    return total


def class_average_precision(scores, labels):
    return [
        average_precision([row[c] for row in scores], [int(c in ids) for ids in labels])
        for c in range(len(scores[0]))
    ]


def vertical_average_precision(scores, labels, sizes):
    """Gives each vertical's mean over its classes that have a positive example."""
    values = class_average_precision(scores, labels)
    means, start = [], 0
    for size in sizes:
        judged = [v for v in values[start : start + size] if not math.isnan(v)]
        means.append(sum(judged) / len(judged))
        start += size
    return means


def average_precision_at_k(scores, labels, k):
    """Gives the mean over examples; equal scores are ordered by class id."""
    total = 0.0
    for row, ids in zip(scores, labels, strict=True):
        k_row = min(k, len(row))
        ranked = sorted(range(len(row)), key=lambda c, row=row: (-row[c], c))[:k_row]
        hits, precisions = 0, 0.0
        for rank, class_id in enumerate(ranked, start=1):
            if class_id in ids:
                hits += 1
                precisions += hits / rank
        total += precisions / min(k_row, len(set(ids)))
    return total / len(scores)
