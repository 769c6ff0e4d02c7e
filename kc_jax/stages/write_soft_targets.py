"""Asks every teacher about the images of its vertical and stores the top-K soft targets."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from kc_jax import artifacts
from kc_jax.artifacts import Workdir
from kc_jax.config import Config
from kc_jax.core import soft_targets
from kc_jax.core.label_space import LabelSpace
from kc_jax.data import batches, soft_target_store, sources
from kc_jax.stages import networks
from kc_jax.train import hooks


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
    with hooks.progress("soft targets", total, 0, config.running.print_every_seconds) as show:
        done = 0
        for vertical_id, record_ids in records.items():
            directory = workdir.soft_targets_of(space.verticals[vertical_id])
            parts = _teacher_parts(config, workdir, space, source, vertical_id, record_ids)
            facts = soft_target_store.write_vertical(
                directory,
                record_ids=record_ids,
                num_classes=space.sizes[vertical_id],
                num_views=config.soft_targets.num_views,
                top_k=config.soft_targets.top_k,
                parts=_watched(parts, done, show),
            )
            artifacts.complete(directory, **facts)
            done += len(record_ids) * config.soft_targets.num_views
    return True


def _watched(parts: Iterable, done: int, show: Callable) -> Iterator:
    for ids, probs in parts:
        done += len(ids)
        show(done)
        yield ids, probs


def store_inputs(
    config: Config, workdir: Workdir, space: LabelSpace, source: sources.Source
) -> list[dict]:
    """Lists for each vertical what its soft targets depend on."""
    return [
        soft_target_store.store_inputs(
            teacher=artifacts.fingerprint_of(workdir.teacher(name), "train_teachers"),
            data=source.fingerprint,
            label_space=space.fingerprint,
            views=networks.view_inputs(config, "train"),
            top_k=config.soft_targets.top_k,
            num_views=config.soft_targets.num_views,
        )
        for name in space.verticals
    ]


def _teacher_parts(config, workdir, space, source, vertical_id: int, record_ids: np.ndarray):
    """Yields the top K of successive batches of one vertical's records and views."""
    options = config.soft_targets
    name = space.verticals[vertical_id]
    predict = networks.load_predictor(
        config, workdir.teacher(name), "train_teachers", space.restrict(vertical_id), source.split,
        options.batch_size,
    )
    for batch in batches.inference_batches(
        source, record_ids, batch_size=options.batch_size, num_views=options.num_views
    ):
        logits = predict(batch)[batch["mask"]]
        yield soft_targets.top_k(logits, options.top_k)
