"""Which classes a network takes for which others, collected a batch at a time."""

import dataclasses
from collections.abc import Iterable

import numpy as np

from kc_jax.config import Config
from kc_jax.stages import gallery
from kc_jax.stages.judging import TestSet

SHOWN_IMAGES = 3  # Of each pair.
MOST_PAIRS = 2**20  # That are counted at a time; their rows take at most 100 MB.
MOST_PENDING = 2**16


@dataclasses.dataclass(frozen=True)
class Pair:
    """Says how often a class was taken for another.

    Attributes:
      label: id of the class.
      name: id of the class that it was taken for.
      count: of examples.
      examples: the first of them.
    """

    label: int
    name: int
    count: int
    examples: list[int]


class PairCounter:
    """Counts pairs of a label and a wrong name in bounded memory.

    Exact as long as there are few enough different pairs. Beyond that the rarer half of them is
    forgotten, as often as needed, and ``missed`` says by how much a count can be too low.

    Args:
      most: different pairs that are counted at a time.
    """

    def __init__(self, most: int = MOST_PAIRS):
        self.missed = 0
        self._most = most
        self._pending: list[tuple[int, int, int, int]] = []
        # Label, name, example and weight, sorted; a pair's weights sum up to its count.
        self._rows = np.zeros((0, 4), np.int64)

    def add(self, labels: Iterable[int], name: int, example: int) -> None:
        """Takes an example that was given a name instead of any of its labels."""
        self._pending += [(label, name, example, 1) for label in labels]
        if len(self._pending) >= MOST_PENDING:
            self._merge()

    def worst(self, groups: np.ndarray, occurrences: np.ndarray, size: int) -> list[list[Pair]]:
        """Lists the most frequent pairs of each group; of equally many, those of rarer labels.

        Args:
          groups: i64[C], the group of every label, counted from 0.
          occurrences: i64[C], examples of every label.
          size: pairs of a group.
        """
        self._merge()
        starts = _starts(self._rows)
        counts = np.add.reduceat(self._rows[:, 3], starts)
        ends = np.append(starts[1:], len(self._rows))
        labels, names = self._rows[starts, 0], self._rows[starts, 1]
        order = np.lexsort((names, labels, occurrences[labels], -counts))
        return [
            [
                Pair(
                    int(labels[i]), int(names[i]), int(counts[i]),
                    self._rows[starts[i] : ends[i], 2].tolist(),
                )
                for i in order[groups[labels[order]] == group][:size]
            ]
            for group in range(groups.max() + 1)
        ]

    def _merge(self) -> None:
        rows = np.concatenate([self._rows, np.array(self._pending, np.int64).reshape(-1, 4)])
        self._pending.clear()
        rows = rows[np.lexsort((rows[:, 1], rows[:, 0]))]  # Stable: first examples stay first.
        starts = _starts(rows)
        sizes = np.diff(starts, append=len(rows))
        totals = np.add.reduceat(rows[:, 3], starts)
        rank = np.arange(len(rows)) - np.repeat(starts, sizes)
        rows[:, 3] = np.where(rank == 0, np.repeat(totals, sizes), 0)
        kept = rank < SHOWN_IMAGES
        if len(starts) > self._most:
            rare = int(np.median(totals))
            kept &= np.repeat(totals > rare, sizes)
            self.missed += rare
        self._rows = rows[kept]


def _starts(rows: np.ndarray) -> np.ndarray:
    """Gives the first row of every pair of sorted i64[n, 4]."""
    is_first = np.ones(len(rows), np.bool_)
    is_first[1:] = (rows[1:, :2] != rows[:-1, :2]).any(axis=-1)
    return np.flatnonzero(is_first)


class Confusions:
    """Counts the wrong first names that a network gives test examples.

    As in `judging.OverallJudge`, names are classes that test labels name. A name that is an
    ancestor of a label is not wrong.

    Args:
      test: the examples.
    """

    def __init__(self, test: TestSet):
        self._test, self._labels = test, test.labels
        self._within, self._overall = PairCounter(), PairCounter()

    def add(self, examples: np.ndarray, logits: np.ndarray) -> None:
        """Takes what the network says of examples: i64[b] and f32[b, C]."""
        space = self._test.space
        names, scores = self._first_names(logits)
        overall = names[np.arange(len(names)), np.argmax(scores, axis=-1)]
        rows = zip(examples.tolist(), names.tolist(), overall.tolist(), strict=True)
        for example, of_verticals, name in rows:
            labels = set(self._labels[example])
            right = space.smear(labels)
            if name not in right:
                self._overall.add(labels, name, example)
            for vertical_id in space.verticals_of(labels):
                if of_verticals[vertical_id] not in right:
                    own = [c for c in labels if c in space.classes_of(vertical_id)]
                    self._within.add(own, of_verticals[vertical_id], example)

    def _first_names(self, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gives the best class of every vertical and its logit: i64[b, V] and f32[b, V]."""
        names, scores = [], []
        for vertical_id in range(self._test.space.num_verticals):
            own = slice(*self._test.space.starts[vertical_id : vertical_id + 2])
            ranked = np.where(self._test.is_named[own], logits[:, own], -np.inf)
            names.append(own.start + np.argmax(ranked, axis=-1))
            scores.append(np.max(ranked, axis=-1))
        return np.stack(names, axis=-1), np.stack(scores, axis=-1)

    def entries(self, config: Config) -> dict:
        """Gives the pages' content.

        Args:
          config: for the number of pairs, and for the views.

        Returns:
          ``verticals``: the most frequent pairs within each vertical, by its name; ``overall``:
          those among all classes; ``missed``: by how much their counts can be too low. A pair has
          the class ids ``label`` and ``name``, ``count``, how many examples ``of`` the label there
          are, ``images`` of some that were confused, and ``name_image``, one that really shows
          what they were taken for (PNG in hexadecimal digits).
        """
        space, size = self._test.space, config.evaluation.confusions
        occurrences, first = self._occurrences()
        show = gallery.view_writer(config, self._test.source)

        def entry(pair: Pair) -> dict:
            return {
                "label": pair.label,
                "name": pair.name,
                "count": pair.count,
                "of": int(occurrences[pair.label]),
                "images": [show(e % num_records, e // num_records) for e in pair.examples],
                "name_image": show(first[pair.name], 0),
            }

        num_records = len(self._test.source)
        within = self._within.worst(space.vertical_of_class, occurrences, size)
        (overall,) = self._overall.worst(np.zeros_like(space.vertical_of_class), occurrences, size)
        return {
            "missed": max(self._within.missed, self._overall.missed),
            "overall": [entry(pair) for pair in overall],
            "verticals": {
                name: [entry(pair) for pair in pairs]
                for name, pairs in zip(space.verticals, within, strict=True)
            },
        }

    def _occurrences(self) -> tuple[np.ndarray, dict[int, int]]:
        """Counts every class's examples, i64[C], and finds its first record."""
        counts = np.zeros(self._test.space.num_classes, np.int64)
        first: dict[int, int] = {}
        for record, labels in enumerate(self._test.source.labels):
            for label in set(labels):
                counts[label] += self._test.num_views
                first.setdefault(label, record)
        return counts, first
