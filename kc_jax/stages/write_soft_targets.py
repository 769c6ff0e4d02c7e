"""Asks every teacher about the images of its vertical and stores the top-K soft targets."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from kc_jax import artifacts
from kc_jax.artifacts import Workdir
from kc_jax.config import Config
from kc_jax.core import soft_targets
from kc_jax.core.label_space import LabelSpace
from kc_jax.data import batches, sources, vertical_store
from kc_jax.errors import UserError
from kc_jax.progress import show_progress
from kc_jax.stages import networks


class NonFiniteLogitsError(UserError, RuntimeError):
    """Says whose teacher gives something else than numbers, and what to try."""


def run(config: Config, workdir: Workdir) -> bool:
    """Writes the soft targets that are not there yet; tells whether there was anything to do.

    Gao et al. (2017), section 3.1: p = G(T(F_map(z)), s), of which the top K are kept.
    """
    space = sources.load_label_space(config.data)
    source = sources.open_source(config.data, "train")
    all_inputs = store_inputs(config, workdir, space, source)
    todo = [
        v for v, name in enumerate(space.verticals)
        if not artifacts.is_complete(workdir.soft_targets_of(name), all_inputs[v])
    ]
    if not todo:
        return False
    records = {v: source.records_of(space, v) for v in todo}
    total = sum(len(r) for r in records.values()) * config.soft_targets.num_views
    with show_progress("soft targets", total, 0, config.running.print_every_seconds) as show:
        done = 0
        for vertical_id, record_ids in records.items():
            directory = workdir.soft_targets_of(space.verticals[vertical_id])
            tally = _Tally(space.classes_of(vertical_id), source.labels)
            answers = teacher_logits(config, workdir, space, source, vertical_id, record_ids)
            facts = vertical_store.write_vertical(
                directory,
                record_ids=record_ids,
                num_classes=space.sizes[vertical_id],
                num_views=config.soft_targets.num_views,
                top_k=config.soft_targets.top_k,
                parts=_watched(_kept(answers, config.soft_targets.top_k, tally), done, show),
            )
            artifacts.complete(directory, **facts, **tally.means())
            done += len(record_ids) * config.soft_targets.num_views
    return True


def _watched(parts: Iterable, done: int, show: Callable) -> Iterator:
    for ids, log_odds in parts:
        done += len(ids)
        show(done)
        yield ids, log_odds


def store_inputs(
    config: Config, workdir: Workdir, space: LabelSpace, source: sources.Source
) -> list[dict]:
    """Lists for each vertical what its soft targets depend on."""
    return [
        vertical_store.store_inputs(
            teacher=artifacts.fingerprint_of(workdir.teacher(name), "train_teachers"),
            data=source.fingerprint,
            label_space=space.fingerprint,
            views=networks.view_inputs(config, "train"),
            top_k=config.soft_targets.top_k,
            num_views=config.soft_targets.num_views,
        )
        for name in space.verticals
    ]


def teacher_logits(
    config: Config, workdir: Workdir, space: LabelSpace, source: sources.Source, vertical_id: int,
    record_ids: np.ndarray,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Asks the teacher of a vertical about every stored view of records, views outermost.

    Args:
      config: of the run.
      workdir: where the teachers are.
      space: label space of all classes.
      source: of the records.
      vertical_id: whose teacher.
      record_ids: i64[n].

    Yields:
      record ids i32[b] and logits f32[b, C_v].

    Raises:
      NonFiniteLogitsError: the teacher gives NaN or infinity.
    """
    options = config.soft_targets
    name = space.verticals[vertical_id]
    predict = networks.load_predictor(
        config, workdir.teacher(name), "train_teachers", space.restrict(vertical_id), source.split,
        options.batch_size,
    )
    for batch in batches.inference_batches(
        source, record_ids, batch_size=options.batch_size, num_views=options.num_views
    ):
        records, logits = batch["record_id"][batch["mask"]], predict(batch)[batch["mask"]]
        finite = np.all(np.isfinite(logits), axis=-1)
        if not np.all(finite):
            raise NonFiniteLogitsError(
                f"the teacher of vertical {name!r} gives logits that are not finite for record "
                f"{records[~finite][0]}; train it anew with --redo=train_teachers and a lower "
                "--config.teachers.optimizer.learning_rate, and look at the image"
            )
        yield records, logits


def _kept(answers: Iterable, top_k: int, tally: "_Tally") -> Iterator:
    for records, logits in answers:
        ids, log_odds = soft_targets.top_k(logits, top_k)
        tally.add(records, logits, ids, log_odds)
        yield ids, log_odds


class _Tally:
    """Averages over image-views what is said of a vertical's soft targets in its manifest."""

    def __init__(self, classes: range, labels: tuple[tuple[int, ...], ...]):
        self._classes, self._labels = classes, labels
        self._sums, self._count = np.zeros(3), 0

    def add(self, records, logits, ids, log_odds) -> None:
        known = [
            {c - self._classes.start for c in self._labels[r] if c in self._classes}
            for r in records
        ]
        rank = soft_targets.label_rank(ids, known)
        mass = soft_targets.kept_mass(logits, log_odds)
        self._sums += [np.sum(share) for share in (mass, rank == 0, rank < ids.shape[-1])]
        self._count += len(ids)

    def means(self) -> dict[str, float]:
        means = np.round(self._sums / self._count, 6).tolist()
        return dict(zip(("mass_kept", "first_is_label", "label_kept"), means, strict=True))
