"""Which classes are taken for which others, counted one example at a time from all logits."""

from collections import Counter


def first_name(row, classes):
    """Gives the best-scored class, the first of equal ones."""
    return max(classes, key=lambda c: (row[c], -c))


def confusions(logits, labels, ancestors, verticals):
    """Counts (label, first name) where the name is neither a label nor an ancestor of one.

    Args:
      logits: N rows of C.
      labels: the N examples' class ids.
      ancestors: the C classes' ancestors.
      verticals: V ranges of class ids.

    Returns:
      Counters of pairs within each vertical and among all classes, and each pair's examples.
    """
    named = sorted({c for ids in labels for c in ids})
    within, overall, examples = [Counter() for _ in verticals], Counter(), {}
    for example, (row, ids) in enumerate(zip(logits, labels, strict=True)):
        right = set(ids) | {a for c in ids for a in ancestors[c]}
        name = first_name(row, named)
        for label in set(ids) if name not in right else ():
            overall[label, name] += 1
            examples.setdefault(("overall", label, name), []).append(example)
        for v, classes in enumerate(verticals):
            own = set(ids) & set(classes)
            name = first_name(row, [c for c in named if c in classes]) if own else None
            for label in own if name not in right else ():
                within[v][label, name] += 1
                examples.setdefault((v, label, name), []).append(example)
    return within, overall, examples
