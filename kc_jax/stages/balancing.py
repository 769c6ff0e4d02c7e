"""How often a network sees the images of large and of rare verticals or classes."""

from collections.abc import Callable, Sequence

import numpy as np

from kc_jax.config import Training
from kc_jax.core import sampling
from kc_jax.core.label_space import LabelSpace
from kc_jax.data.sources import Source

# The groups that a record is a member of, of those of a network's own verticals.
GROUPS: dict[str, Callable[[Source, LabelSpace, set[int], int], Sequence[int]]] = {
    "none": lambda source, space, own, record: (0,),
    "vertical": lambda source, space, own, record: [
        v for v in source.verticals_of(space, record) if v in own
    ],
    "class": lambda source, space, own, record: [
        c for c in source.labels[record] if space.vertical_of_class[c] in own
    ],
}


def sampler_of(
    space: LabelSpace, source: Source, training: Training, record_ids: np.ndarray,
    verticals: Sequence[int],
) -> sampling.Sampler:
    """Makes the sampler that a training asks for.

    Args:
      space: label space of all classes.
      source: of the records.
      training: for the balance and its strength.
      record_ids: i64[n], the records to train on.
      verticals: of the network, whose labels count.
    """
    groups_of, own = GROUPS[training.balance], set(verticals)
    return sampling.balanced(
        [groups_of(source, space, own, r) for r in record_ids], training.balance_strength
    )
