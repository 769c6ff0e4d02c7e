"""What a network should say of a record: labels, smeared labels, soft targets, or a mixture."""

from collections.abc import Callable, Sequence

import numpy as np

# (record_ids i64[B], views i64[B]) → target_ids i32[B, K], target_probs f32[B, K].
Targets = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def label_targets(labels: Sequence[Sequence[int]]) -> Targets:
    """Makes the targets of hard labels: probability 1 for every label of a record.

    Args:
      labels: each record's class ids; those of records that are never asked for may be empty.
    """
    width = max(1, max(map(len, labels), default=1))
    ids = np.zeros((len(labels), width), np.int32)
    probs = np.zeros((len(labels), width), np.float32)
    for record, class_ids in enumerate(labels):
        unique = sorted(set(class_ids))
        ids[record, : len(unique)] = unique
        probs[record, : len(unique)] = 1.0
    return lambda record_ids, views: (ids[record_ids], probs[record_ids])


def mix(labels: Targets, soft: Targets, weight: float) -> Targets:
    """Mixes labels with soft targets.

    The loss is linear in its targets, so this is also the mixture of the two losses.

    Args:
      labels: targets of weight 1 − ``weight``.
      soft: targets of weight ``weight``.
      weight: in [0, 1]; 1 is Eq. 2 of Gao et al. (2017).
    """

    def mixed(record_ids, views):
        label_ids, label_probs = labels(record_ids, views)
        soft_ids, soft_probs = soft(record_ids, views)
        ids = np.concatenate([label_ids, soft_ids], axis=-1)
        probs = np.concatenate([(1.0 - weight) * label_probs, weight * soft_probs], axis=-1)
        return ids, probs.astype(np.float32)

    return mixed
