"""Writing soft targets, and knowing what they depend on: what the stages about them share."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from kc_jax import artifacts
from kc_jax.config import Config
from kc_jax.core import soft_targets
from kc_jax.core.label_space import LabelSpace
from kc_jax.core.log_odds import LIMIT
from kc_jax.data import vertical_store
from kc_jax.data.sources import Source
from kc_jax.progress import show_progress
from kc_jax.stages import networks, teachers
from kc_jax.workdir import Workdir

# Of image-views, in manifests: shares, and sums of the scores of classes that are not the image's.
MEANS = ("mass_kept", "first_is_label", "label_kept", "secondary_mass", "first_secondary_mass")

# (vertical id, its records i64[n]) → record ids [b] and log-odds f32[b, C_v], views outermost.
Answers = Callable[[int, np.ndarray], Iterator[tuple[np.ndarray, np.ndarray]]]


def store_inputs(
    config: Config, workdir: Workdir, space: LabelSpace, source: Source
) -> list[dict]:
    """Lists for each vertical what the soft targets in a working directory must depend on.

    Where they were imported, that is what was imported; else the teachers that are configured.

    Args:
      config: of the run.
      workdir: of the run.
      space: label space of all classes.
      source: of the training records.

    Raises:
      MissingArtifactError: predictions are not imported yet, or a teacher is missing.
    """
    if config.soft_targets.predictions and not workdir.imported.exists():
        raise artifacts.MissingArtifactError(
            f"{workdir.imported} is missing but config.soft_targets.predictions is set; run the "
            "stage import_soft_targets first"
        )
    if workdir.imported.exists():
        return imported_inputs(config, space, source, artifacts.read_json(workdir.imported))
    return taught_inputs(config, space, source, teachers.find(config, workdir, space))


def taught_inputs(
    config: Config, space: LabelSpace, source: Source, asked: teachers.Teachers
) -> list[dict]:
    """Lists for each vertical what soft targets that teachers give depend on."""
    fingerprints = [asked.fingerprint(v) for v in range(space.num_verticals)]
    return _inputs(config, space, source, fingerprints, has_views=True)


def imported_inputs(
    config: Config, space: LabelSpace, source: Source, origin: dict
) -> list[dict]:
    """Lists for each vertical what imported soft targets depend on.

    Args:
      config: of the run.
      space: label space of all classes.
      source: of the training records.
      origin: ``fingerprint`` of the predictions, and whether they are of single views:
        ``has_views``.
    """
    fingerprints = [origin["fingerprint"]] * space.num_verticals
    return _inputs(config, space, source, fingerprints, has_views=origin["has_views"])


def _inputs(
    config: Config, space: LabelSpace, source: Source, fingerprints: Sequence[str], has_views: bool
) -> list[dict]:
    return [
        vertical_store.store_inputs(
            teacher=fingerprint,
            data=source.fingerprint,
            label_space=space.fingerprint,
            views=networks.view_inputs(config, "train") if has_views else None,
            top_k=config.soft_targets.top_k,
            num_views=config.soft_targets.num_views if has_views else 1,
        )
        for fingerprint in fingerprints
    ]


def unwritten(workdir: Workdir, space: LabelSpace, all_inputs: list[dict]) -> list[int]:
    """Lists the verticals whose soft targets are yet to be written.

    Args:
      workdir: of the run.
      space: label space of all classes.
      all_inputs: for each vertical what its soft targets depend on.

    Raises:
      StaleArtifactError: there are some that depend on something else.
    """
    return [
        v for v, name in enumerate(space.verticals)
        if not artifacts.is_complete(workdir.soft_targets_of(name), all_inputs[v])
    ]


def write(
    config: Config, workdir: Workdir, space: LabelSpace, source: Source, all_inputs: list[dict],
    todo: Sequence[int], answers: Answers,
) -> None:
    """Writes the top K of what is said of the images of verticals.

    Args:
      config: of the run.
      workdir: where to write.
      space: label space of all classes.
      source: of the training records.
      all_inputs: for each vertical what its soft targets depend on.
      todo: the verticals to write.
      answers: what is said of a vertical's records.
    """
    records = {v: source.records_of(space, v) for v in todo}
    total = sum(len(r) * all_inputs[v]["num_views"] for v, r in records.items())
    top_k = config.soft_targets.top_k
    num_similar = config.teachers.tolerance.num_similar
    with show_progress("soft targets", total, 0, config.running.print_every_seconds) as show:
        done = 0
        for vertical_id, record_ids in records.items():
            directory = workdir.soft_targets_of(space.verticals[vertical_id])
            num_views = all_inputs[vertical_id]["num_views"]
            tally = _Tally(space, vertical_id, source.labels, num_similar)
            kept = _kept(answers(vertical_id, record_ids), top_k, tally)
            facts = vertical_store.write_vertical(
                directory,
                record_ids=record_ids,
                num_classes=space.sizes[vertical_id],
                num_views=num_views,
                top_k=top_k,
                parts=_watched(kept, done, show),
            )
            facts["num_labelled"] = sum(1 for r in record_ids if source.labels[r])
            artifacts.complete(directory, num_similar=num_similar, **facts, **tally.means())
            done += len(record_ids) * num_views


def _watched(parts: Iterable, done: int, show: Callable) -> Iterator:
    for ids, log_odds in parts:
        done += len(ids)
        show(done)
        yield ids, log_odds


def _kept(answers: Iterable, top_k: int, tally: "_Tally") -> Iterator:
    for records, logits in answers:
        ids, log_odds = soft_targets.top_k(logits, top_k)
        tally.add(records, logits, ids, log_odds)
        yield ids, log_odds


class _Tally:
    """Averages over image-views what is said of a vertical's soft targets in its manifest.

    Images whose labels are not known do not count.
    """

    def __init__(
        self, space: LabelSpace, vertical_id: int, labels: tuple[tuple[int, ...], ...],
        num_similar: int,
    ):
        self._space, self._classes = space, space.classes_of(vertical_id)
        self._labels, self._num_similar = labels, num_similar
        self._sums, self._count = np.zeros(len(MEANS)), 0

    def add(self, records, logits, ids, log_odds) -> None:
        known = [place for place, r in enumerate(records) if self._labels[r]]
        records, logits, ids, log_odds = (
            np.asarray(part)[known] for part in (records, logits, ids, log_odds)
        )
        labels = [self._labels[r] for r in records]
        ids = np.where(log_odds < -LIMIT, -1, ids)  # A class that nobody predicted.
        rank = soft_targets.label_rank(ids, list(map(self._own, labels)))
        mass = soft_targets.kept_mass(logits, log_odds)
        right = [self._own(self._space.smear(known)) for known in labels]
        others = soft_targets.secondary_mass(logits, right, self._num_similar)
        values = (mass, rank == 0, rank < ids.shape[-1], *others)
        self._sums += [np.sum(value, dtype=np.float64) for value in values]
        self._count += len(ids)

    def _own(self, class_ids) -> set[int]:
        return {c - self._classes.start for c in class_ids if c in self._classes}

    def means(self) -> dict[str, float]:
        return dict(zip(MEANS, np.round(self._sums / self._count, 6).tolist(), strict=True))
