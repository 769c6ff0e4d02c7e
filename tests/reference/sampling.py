"""Systematic sampling by walking along the line, record by record and epoch by epoch."""

from fractions import Fraction


def epochs(weights, groups, num_epochs, unit, stride):
    """Gives for every epoch the list of (record, turn) in the order of its slots."""
    order = sorted(range(len(weights)), key=lambda r: (groups[r], r))
    total, edge, edges = sum(map(Fraction, weights)), Fraction(0), [0]
    for record in order:
        edge += Fraction(weights[record])
        edges.append(round(edge * len(weights) * unit / total))
    shown = [0] * len(weights)
    for epoch in range(num_epochs):
        start, slots = epoch * stride % unit, []
        for record, low, high in zip(order, edges, edges[1:], strict=False):
            # The points on the line are at whole units, from the epoch's start on.
            for point in range(low + start + 1, high + start + 1):
                if point % unit == 0:
                    slots.append((record, shown[record]))
                    shown[record] += 1
        yield slots
