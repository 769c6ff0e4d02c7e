"""Records by index, with their labels, and what can be made of the labels of a training."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from kc_jax import artifacts
from kc_jax.config import ConfigError
from kc_jax.core.label_space import LabelSpace
from kc_jax.data import validation

VALIDATION = "validation"


@dataclasses.dataclass(frozen=True)
class Source:
    """Holds the records of one split; a record is known everywhere by its index.

    Attributes:
      split: ``train``, ``validation`` or ``test``.
      labels: each record's class ids, one or several; none where they are not known.
      read: maps a record's index to its image, u8[H, W, channels].
      fingerprint: of records, labels and their order.
      keys: each record's name, such as the path of its file; None names records by their index.
      unlabelled: the verticals of each record whose labels are not known.
    """

    split: str
    labels: tuple[tuple[int, ...], ...]
    read: Callable[[int], np.ndarray]
    fingerprint: str
    keys: Sequence[str] | None = None
    unlabelled: Mapping[int, tuple[int, ...]] = dataclasses.field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)

    def key(self, record: int) -> str:
        """Gives the name of a record."""
        return str(record) if self.keys is None else self.keys[record]

    @property
    def labelled(self) -> np.ndarray:
        """Lists the records whose labels are known: i64[n]."""
        return np.array([r for r in range(len(self)) if r not in self.unlabelled], np.int64)

    def verticals_of(self, space: LabelSpace, record: int) -> Sequence[int]:
        """Lists the verticals of a record: of its labels, or those known without."""
        return self.unlabelled.get(record) or space.verticals_of(self.labels[record])

    def records_of(self, space: LabelSpace, vertical_id: int) -> np.ndarray:
        """Lists the records of a vertical (F_map, Gao et al. 2017): i64[n]."""
        classes = space.classes_of(vertical_id)
        return np.array([
            r for r, ids in enumerate(self.labels)
            if any(c in classes for c in ids) or vertical_id in self.unlabelled.get(r, ())
        ], np.int64)


def renumbered(source: Source, space: LabelSpace, new_ids: np.ndarray) -> Source:
    """Gives the records with the ids that their classes have in other verticals."""
    labels = tuple(tuple(sorted(int(new_ids[c]) for c in ids)) for ids in source.labels)
    return relabelled(source, labels, space.fingerprint)


def relabelled(source: Source, labels: tuple[tuple[int, ...], ...], reason: str) -> Source:
    """Gives the records with other labels, of which there is a reason to hash."""
    digest = artifacts.fingerprint([source.fingerprint, reason])
    return dataclasses.replace(source, labels=labels, fingerprint=digest)


def partly_labelled(train: Source, space: LabelSpace, share: float) -> Source:
    """Gives the records with the labels of a share of them known; every class keeps one."""
    hidden = validation.held_out(train.labels, 1 - share)
    digest = artifacts.fingerprint([train.fingerprint, np.flatnonzero(~hidden).tolist()])
    return dataclasses.replace(
        train, fingerprint=digest,
        labels=tuple(() if hide else ids for ids, hide in zip(train.labels, hidden, strict=True)),
        unlabelled={
            r: tuple(space.verticals_of(train.labels[r])) for r in np.flatnonzero(hidden).tolist()
        },
    )


def with_unlabelled(train: Source, others: Source) -> Source:
    """Gives training records, and after them others, whose labels are vertical ids."""
    first = len(train)
    return Source(
        train.split, train.labels + ((),) * len(others),
        lambda i: train.read(i) if i < first else others.read(i - first),
        artifacts.fingerprint([train.fingerprint, others.fingerprint]),
        (*train.keys, *others.keys),
        {**train.unlabelled, **{first + i: ids for i, ids in enumerate(others.labels)}},
    )


def without_or_only(train: Source, split: str, share: float) -> Source:
    """Gives the training records that are not held out, or those that are."""
    held_out = validation.held_out(train.labels, share)
    records = np.flatnonzero(held_out == (split == VALIDATION))
    if not len(records):
        raise ConfigError(
            f"config.data.validation_share is {share}, which leaves no records for {split}; every "
            "class keeps one to be learnt from, so this needs classes of several records"
        )
    digest = artifacts.fingerprint([train.fingerprint, split, records.tolist()])
    return Source(
        split, tuple(train.labels[r] for r in records), lambda i: train.read(records[i]), digest,
        [train.key(r) for r in records],
    )
