"""Judges what a network says of test examples, a batch at a time.

Whatever the numbers of examples and classes, memory holds a batch of logits, a tile of each
vertical's scores and a block of its classes; the rest of the scores is on disk.
"""

import contextlib
import dataclasses
import functools
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np

from kc_jax import disk_space, hosts
from kc_jax.core import average_precision as ap
from kc_jax.core.label_space import LabelSpace
from kc_jax.data import score_spill
from kc_jax.data.sources import Source


@dataclasses.dataclass(frozen=True)
class TestSet:
    """Holds the test examples: each view of each test record, records within views.

    Attributes:
      source: of the records.
      space: label space of all classes.
      num_views: views of each record.
    """

    source: Source
    space: LabelSpace
    num_views: int

    @functools.cached_property
    def labels(self) -> list[tuple[int, ...]]:
        return list(self.source.labels) * self.num_views

    @functools.cached_property
    def is_named(self) -> np.ndarray:
        """Tells which classes test labels name: bool[C]."""
        named = np.zeros(self.space.num_classes, np.bool_)
        named[[c for ids in self.source.labels for c in ids]] = True
        return named

    def examples_of(self, vertical_id: int) -> np.ndarray:
        """Lists the examples of a vertical's records: i64[n]."""
        records = self.source.records_of(self.space, vertical_id)
        views = np.arange(self.num_views)[:, None] * len(self.source)
        return (views + records).ravel()


class OverallJudge:
    """Computes accuracy and average precision at K over all classes that test labels name.

    Args:
      test: the examples.
      at_k: names that the average precision at K looks at.
    """

    def __init__(self, test: TestSet, at_k: int):
        self._labels, self._at_k = test.labels, at_k
        self._named = test.is_named
        self._values: list[dict[str, np.ndarray]] = []

    def add(self, examples: np.ndarray, logits: np.ndarray) -> None:
        """Takes what the network says of examples: i64[b] and f32[b, C]."""
        labels = [self._labels[e] for e in examples]
        ranked = np.where(self._named, logits, -np.inf)
        names = ap.best_classes(ranked, min(max(5, self._at_k), len(self._named)))
        hits = ap.are_labels(names, labels)
        num_labels = np.array([len(set(ids)) for ids in labels], np.int64)
        self._values.append({
            "top1": hits[:, :1].any(axis=-1),
            "top5": hits[:, :5].any(axis=-1),
            f"mean_ap_at_{self._at_k}": ap.average_precision_at_k(hits, num_labels, self._at_k),
        })

    def metrics(self) -> dict[str, float]:
        """Gives the means over all examples taken, in 0–1."""
        return {
            name: float(np.mean(np.concatenate([values[name] for values in self._values])))
            for name in self._values[0]
        }


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Holds what is found about a vertical.

    Attributes:
      classes: of the vertical.
      class_ap: f64[C_v], NaN for classes that no test label names.
      ancestor_ap: f64[n], by smeared labels, of those of them that are ancestors.
      top1: accuracy among the classes that test labels name.
    """

    classes: range
    class_ap: np.ndarray
    ancestor_ap: np.ndarray
    top1: float


class VerticalJudge:
    """Computes average precision and accuracy within a vertical, on the vertical's examples.

    Args:
      test: the examples.
      vertical_id: of the vertical, which has examples.
      spill: for the scores of its examples and classes.
    """

    def __init__(self, test: TestSet, vertical_id: int, spill: score_spill.ScoreSpill):
        self.vertical_id = vertical_id
        self._space, self._spill = test.space, spill
        self._classes = test.space.classes_of(vertical_id)
        self._examples = test.examples_of(vertical_id)
        self._labels = test.labels
        self._is_own = np.zeros(len(test.labels), np.bool_)
        self._is_own[self._examples] = True
        self._positives = ap.positives_of(
            [self._labels[e] for e in self._examples], self._classes
        )
        self._named = np.array([len(ids) > 0 for ids in self._positives])
        self._is_right: list[np.ndarray] = []

    def own(self, examples: np.ndarray, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Takes the vertical's examples and classes out of i64[b] and f32[b, C] for `add`.

        Gao et al. (2017), section 4.1: the logits are pruned to the vertical's classes.
        """
        rows = self._is_own[examples]
        return examples[rows], logits[rows, self._classes.start : self._classes.stop]

    def add(self, examples: np.ndarray, scores: np.ndarray) -> None:
        """Takes what the network says of the next of the vertical's examples.

        Args:
          examples: i64[b], in the order of `TestSet.examples_of`.
          scores: f32[b, C_v].
        """
        self._spill.append(scores)
        best = ap.best_classes(np.where(self._named, scores, -np.inf), 1)
        labels = [self._labels[e] for e in examples]
        self._is_right.append(ap.are_labels(best + self._classes.start, labels)[:, 0])

    def verdict(self) -> Verdict:
        """Judges, after the vertical's last example."""
        hosts.note_work(f"average precision in {self._space.verticals[self.vertical_id]}")
        smeared = ap.positives_of(
            [self._space.smear(self._labels[e]) for e in self._examples], self._classes
        )
        positives = [
            own if named else wider
            for own, named, wider in zip(self._positives, self._named, smeared, strict=True)
        ]
        values = np.concatenate([
            ap.class_average_precision(scores, positives[classes.start : classes.stop])
            for classes, scores in self._spill.blocks()
        ])
        return Verdict(
            classes=self._classes,
            class_ap=np.where(self._named, values, np.nan),
            ancestor_ap=values[~self._named & ~np.isnan(values)],
            top1=float(np.mean(np.concatenate(self._is_right))),
        )


@contextlib.contextmanager
def vertical_judges(
    test: TestSet, vertical_ids: Sequence[int], directory: pathlib.Path
) -> Iterator[list[VerticalJudge]]:
    """Opens the judges of those of some verticals that have test examples.

    Args:
      test: the examples.
      vertical_ids: of the verticals.
      directory: where scores are spilled until the end of the context.

    Raises:
      DiskSpaceError: the scores do not fit there.
    """
    shapes = {v: (len(test.examples_of(v)), test.space.sizes[v]) for v in vertical_ids}
    shapes = {v: shape for v, shape in shapes.items() if shape[0]}
    disk_space.check_space(
        directory, sum(4 * n * c for n, c in shapes.values()),
        "the scores of the test images, while they are judged,",
    )
    with contextlib.ExitStack() as stack:
        yield [
            VerticalJudge(
                test, v, stack.enter_context(score_spill.ScoreSpill(directory, *shape))
            )
            for v, shape in shapes.items()
        ]


def summarise(space: LabelSpace, verdicts: dict[int, Verdict]) -> tuple[dict, dict]:
    """Computes per-vertical average precision (pvap), its mean (mpvap) and what goes with them.

    Gao et al. (2017), section 4.1.

    Args:
      space: label space of all classes.
      verdicts: by vertical id; verticals without test examples have none and are left out.

    Returns:
      The metrics, all in 0–1, and the average precision by class id. Classes that no test label
      names have none; ``ancestor_ap`` judges those of them that are ancestors, by smeared labels.
    """
    vertical_ap = {
        space.verticals[v]: float(np.mean(verdict.class_ap[~np.isnan(verdict.class_ap)]))
        for v, verdict in verdicts.items()
    }
    ancestor_ap = np.concatenate([verdict.ancestor_ap for verdict in verdicts.values()])
    return {
        "mean_vertical_ap": float(np.mean(list(vertical_ap.values()))),
        "vertical_ap": vertical_ap,
        "mean_vertical_top1": float(np.mean([verdict.top1 for verdict in verdicts.values()])),
        "ancestor_ap": float(np.mean(ancestor_ap)) if len(ancestor_ap) else None,
    }, {
        class_id: None if np.isnan(value) else round(float(value), 6)
        for verdict in verdicts.values()
        for class_id, value in zip(verdict.classes, verdict.class_ap, strict=True)
    }
