"""Calibration by loops, and the best temperature and bias by a search in both."""

import math


def probability(logit, temperature, bias):
    return 1.0 / (1.0 + math.exp(-(logit / temperature + bias)))


def log_loss(logits, is_right, temperature, bias):
    """Gives the mean log loss against Platt's targets."""
    num_right = sum(is_right)
    right, wrong = (num_right + 1) / (num_right + 2), 1 / (len(is_right) - num_right + 2)
    total = 0.0
    for logit, hit in zip(logits, is_right, strict=True):
        z, target = logit / temperature + bias, right if hit else wrong
        total += target * math.log1p(math.exp(-z)) + (1 - target) * math.log1p(math.exp(z))
    return total / len(logits)


def least(function, low, high, rounds=45):
    """Finds where a convex function is least, by thirds."""
    for _ in range(rounds):
        left, right = low + (high - low) / 3, high - (high - low) / 3
        if function(left) < function(right):
            high = right
        else:
            low = left
    return (low + high) / 2


def fit(logits, is_right, slopes=(1e-3, 8.0), biases=(-12.0, 12.0)):
    """Gives temperature and bias; both must lie well inside the ranges."""
    def best_bias(slope):
        return least(lambda bias: log_loss(logits, is_right, 1 / slope, bias), *biases)

    slope = least(
        lambda slope: log_loss(logits, is_right, 1 / slope, best_bias(slope)), *slopes
    )
    return 1 / slope, best_bias(slope)


def expected_calibration_error(confidence, is_right, num_bins):
    total = 0.0
    for b in range(num_bins):
        inside = [
            i for i, p in enumerate(confidence)
            if b / num_bins <= p < (b + 1) / num_bins or (p == 1.0 and b == num_bins - 1)
        ]
        if inside:
            accuracy = sum(is_right[i] for i in inside) / len(inside)
            mean = sum(confidence[i] for i in inside) / len(inside)
            total += len(inside) / len(confidence) * abs(accuracy - mean)
    return total


def threshold_at(confidence, is_right, wanted_precision):
    def precision(threshold):
        kept = [hit for p, hit in zip(confidence, is_right, strict=True) if p >= threshold]
        return sum(kept) / len(kept)

    return min((p for p in confidence if precision(p) >= wanted_precision), default=None)


def _first_names(rows, named, vertical_of_class, labels):
    """Gives for every example {vertical: (logit, is right)} of the best named class."""
    firsts = []
    for row, ids in zip(rows, labels, strict=True):
        best = {}
        for c in sorted(named, key=lambda c, row=row: (row[c], -c)):
            best[vertical_of_class[c]] = (row[c], c in ids)
        firsts.append(best)
    return firsts


def judge(rows, labels, is_first_half, vertical_of_class, wanted_precision, fit, num_bins):
    """Finds what calibration.json is to say, by vertical id, and the two errors over all."""
    named = {c for ids in labels for c in ids}
    firsts = _first_names(rows, named, vertical_of_class, labels)
    verticals = sorted({vertical_of_class[c] for c in named})

    def fitted(v, chosen):
        pairs = [best[v] for best, keep in zip(firsts, chosen, strict=True) if keep]
        return fit([x for x, _ in pairs], [right for _, right in pairs])

    other = [not first for first in is_first_half]
    by_half = {
        (v, half): fitted(v, other if half else is_first_half)
        for v in verticals for half in (True, False)
    }

    def first_over_all(calibrated):
        chosen = []
        for best, half in zip(firsts, is_first_half, strict=True):
            options = []
            for v in verticals:
                logit, right = best[v]
                temperature, bias = by_half[v, half] if calibrated else (1.0, 0.0)
                options.append((probability(logit, temperature, bias), -v, right))
            chosen.append(max(options))
        return [(p, right, -v) for p, v, right in chosen]

    def error(names):
        if not names:
            return None
        confidence, is_right = [p for p, *_ in names], [right for _, right, _ in names]
        return expected_calibration_error(confidence, is_right, num_bins)

    before, after = first_over_all(False), first_over_all(True)
    is_used = error(after) < error(before)
    content = {}
    for v in verticals:
        own_before, own_after = ([n for n in names if n[2] == v] for names in (before, after))
        temperature, bias = fitted(v, [True] * len(firsts)) if is_used else (1.0, 0.0)
        used = own_after if is_used else own_before
        content[v] = {
            "temperature": temperature,
            "bias": bias,
            "threshold": threshold_at(
                [p for p, *_ in used], [r for _, r, _ in used], wanted_precision
            ),
            "ece_before": error(own_before),
            "ece_after": error(own_after),
            "pairs": len(firsts),
        }
    return content, error(before), error(after)
