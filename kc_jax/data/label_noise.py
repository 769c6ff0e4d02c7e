"""Wrong labels on purpose, as labels from the web have them: to see what a method makes of them."""

from collections.abc import Sequence

import numpy as np

from kc_jax.core.label_space import LabelSpace


def swap_labels(
    labels: Sequence[Sequence[int]], space: LabelSpace, share: float, seed: int
) -> tuple[tuple[int, ...], ...]:
    """Swaps all labels of some records for other classes of their verticals.

    Args:
      labels: each record's class ids.
      space: of the labels.
      share: of the records, 0 to 1. A label whose class is its vertical's only one stays.
      seed: of the choice. Those of a smaller share are among those of a larger one.

    Returns:
      Each record's class ids, sorted, each once.
    """
    chance, place = np.random.default_rng(seed).random((2, len(labels)))
    return tuple(
        tuple(sorted({_other(c, space, at) for c in ids})) if drawn < share else tuple(ids)
        for ids, drawn, at in zip(labels, chance, place, strict=True)
    )


def _other(class_id: int, space: LabelSpace, place: float) -> int:
    """Gives another class of the vertical: that at a place from 0 to below 1 among them."""
    classes = space.classes_of(int(space.vertical_of_class[class_id]))
    if len(classes) == 1:
        return class_id
    chosen = classes.start + int(place * (len(classes) - 1))
    return chosen + 1 if chosen >= class_id else chosen
