"""What a network should say of a record: labels, smeared labels, soft targets, or both."""

from collections.abc import Callable, Sequence

import numpy as np

# (record_ids i64[B], views i64[B]) → arrays of a batch, target_ids i32[B, K] and target_probs
# f32[B, K] among them.
Targets = Callable[[np.ndarray, np.ndarray], dict[str, np.ndarray]]
# (record_ids i64[B], views i64[B]) → class ids i32[B, K] and probabilities f32[B, K].
SoftTargets = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


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
    return lambda record_ids, views: {
        "target_ids": ids[record_ids], "target_probs": probs[record_ids]
    }


def mix(labels: Targets, soft: SoftTargets, weight: np.ndarray) -> Targets:
    """Mixes labels with soft targets.

    The sigmoid loss is linear in its targets, so this is also the mixture of the two losses.

    Args:
      labels: targets of weight 1 − ``weight``.
      soft: targets of weight ``weight``.
      weight: f64[n], in [0, 1], of each record; 1 is Eq. 2 of Gao et al. (2017).
    """
    weight_of_soft = np.asarray(weight)[:, None].astype(np.float32)
    weight_of_hard = (1.0 - np.asarray(weight))[:, None].astype(np.float32)

    def mixed(record_ids, views):
        hard = labels(record_ids, views)
        soft_ids, soft_probs = soft(record_ids, views)
        probs = [
            weight_of_hard[record_ids] * hard["target_probs"],
            weight_of_soft[record_ids] * soft_probs,
        ]
        return {
            "target_ids": np.concatenate([hard["target_ids"], soft_ids], axis=-1),
            "target_probs": np.concatenate(probs, axis=-1),
        }

    return mixed


def beside(labels: Targets, teacher: SoftTargets) -> Targets:
    """Puts a teacher's scores beside the labels, for losses that are not linear in them.

    Args:
      labels: targets.
      teacher: its first classes and their scores, which become ``teacher_ids`` and
        ``teacher_probs``.
    """

    def both(record_ids, views):
        teacher_ids, teacher_probs = teacher(record_ids, views)
        return {
            **labels(record_ids, views),
            "teacher_ids": teacher_ids, "teacher_probs": teacher_probs,
        }

    return both
