"""Training one network: what the training stages share."""

import dataclasses
import functools
import itertools
import math
import pathlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from kc_jax import artifacts, sharding
from kc_jax.config import Config, Training
from kc_jax.core.label_space import LabelSpace
from kc_jax.data import sources
from kc_jax.data.batches import Batch, train_batches
from kc_jax.data.targets import Targets, label_targets
from kc_jax.models.classifier import Classifier
from kc_jax.progress import show_progress
from kc_jax.stages import networks
from kc_jax.train import checkpoint, feed, hooks, layout, objective, optimizer, step
from kc_jax.train.loop import fit
from kc_jax.train.state import TrainState, count, digest, make_state
from kc_jax.train.transfer import transfer


@dataclasses.dataclass(frozen=True)
class Task:
    """Says what one network is to learn.

    Attributes:
      title: for the person who watches.
      directory: of the network.
      training: how it is trained.
      space: its label space.
      record_ids: i64[n], the records it is trained on.
      targets: of a record and view, in ids of ``space``.
      num_views: views of a record shown in turn; None shows a new one every epoch.
      seed: of initial variables and the records' order.
      verticals: the verticals of ``space`` in the generalist's label space.
    """

    title: str
    directory: pathlib.Path
    training: Training
    space: LabelSpace
    record_ids: np.ndarray
    targets: Targets
    seed: int
    verticals: tuple[int, ...]
    num_views: int | None = None


def task_inputs(config: Config, training: Training, space: LabelSpace, **upstream: str) -> dict:
    """Lists what a trained network depends on, for its manifest.

    Args:
      config: of the run.
      training: of the network.
      space: its label space.
      **upstream: fingerprints of records and of other networks.
    """
    return {
        "seed": config.seed,
        "views": networks.view_inputs(config, "train"),
        "model": dataclasses.asdict(config.model),
        "training": dataclasses.asdict(training),
        "label_space": space.fingerprint,
        **upstream,
    }


def hard_targets(
    source: sources.Source, space: LabelSpace, training: Training, vertical_id: int | None = None
) -> Targets:
    """Makes the targets that labels give, smeared where the training asks for it.

    Args:
      source: of the records.
      space: label space of all classes.
      training: for label smearing.
      vertical_id: keeps the labels of this vertical only, in ids of its own; None keeps all.
    """
    classes = range(space.num_classes) if vertical_id is None else space.classes_of(vertical_id)

    def positives(class_ids):
        smeared = space.smear(class_ids) if training.label_smearing else class_ids
        return [c - classes.start for c in smeared if c in classes]

    return label_targets([positives(class_ids) for class_ids in source.labels])


def train_network(config: Config, task: Task, workdir: artifacts.Workdir) -> None:
    """Trains one network, going on from its newest checkpoint, and marks it complete.

    Args:
      config: of the run.
      task: what to learn.
      workdir: where the generalist lies, if the network starts from it.
    """
    training = task.training
    mesh = sharding.make_mesh(config.mesh.data, config.mesh.model)
    num_steps = max(
        1, round(training.num_epochs * len(task.record_ids) / training.batch_size)
    )
    model, state, train_step = begin(config, task, workdir, mesh)
    artifacts.write_text(task.directory / artifacts.LABEL_SPACE, task.space.to_json())
    pipeline_speed = None if config.data.synthetic else feed.images_per_second(
        _host_batches(config, task, 0)
    )
    with checkpoint.Checkpoints(task.directory / artifacts.CHECKPOINTS) as checkpoints:
        if checkpoints.latest_step is not None:
            state = checkpoints.restore(state)
            print(f"{task.title}: going on from step {int(state.step)}", file=sys.stderr)
        state, facts = _run_steps(
            config, task, model, mesh, state, train_step, checkpoints, num_steps
        )
    artifacts.complete(
        task.directory,
        digest=digest(state.variables),
        params=count(state.params),
        num_steps=num_steps,
        images_seen=num_steps * training.batch_size,
        pipeline_images_per_second=pipeline_speed,
        **facts,
    )


def begin(
    config: Config, task: Task, workdir: artifacts.Workdir, mesh: Mesh
) -> tuple[Classifier, TrainState, Callable]:
    """Makes a network, its logical state before the first step, and its training step.

    Args:
      config: of the run.
      task: what to learn.
      workdir: where the generalist lies, if the network starts from it.
      mesh: of the devices.
    """
    training = task.training
    sharding.check_batch_size(
        mesh, training.batch_size, f"batch_size of {task.title}", training.microbatches
    )
    logical = networks.build_model(config.model, training, task.space, config.seed)
    model = networks.lay_out(logical, config.mesh, mesh)
    tx = _optimizer(training.optimizer)
    state = make_state(_initial_variables(config, task, logical, workdir), tx)
    state = jax.device_put(state, sharding.head_shardings(mesh, state))
    views = networks.split_views(config, "train")
    return model, state, step.make_train_step(
        model, objective_of(model), tx, views, mesh, training.microbatches
    )


def _run_steps(
    config: Config, task: Task, model: Classifier, mesh: Mesh, state: TrainState,
    train_step: Callable, checkpoints, num_steps: int,
) -> tuple[TrainState, dict[str, Any]]:
    """Takes the steps that are left, watched and saved; gives the state and the time they took."""
    training, running, first_step = task.training, config.running, int(state.step)
    schedule = optimizer.make_schedule(training.optimizer, num_steps)

    def save(step_number: int, state: TrainState) -> None:
        checkpoints.save(step_number, layout.logical(model, state))

    with (
        feed.Feed(device_batches(config, task, mesh, first_step)) as batches,
        show_progress(task.title, num_steps, first_step, running.print_every_seconds) as show,
    ):
        meter = feed.Meter(batches, training.batch_size)
        log = hooks.MetricsLog(
            task.directory / artifacts.METRICS,
            first_step=first_step,
            every_steps=running.log_every_steps,
            num_steps=num_steps,
            meter=meter,
            extra=_further_values(task, model, schedule),
        )
        state = fit(
            layout.place(model, mesh, state),
            batches,
            train_step,
            learning_rate=schedule,
            num_steps=num_steps,
            hooks=[
                log,
                hooks.checkpoint_hook(save, running.checkpoint_every_steps),
                hooks.progress_hook(show, log),
                batches.pace,
            ],
        )
    save(num_steps, state)
    return layout.logical(model, state), {"seconds": log.seconds, **meter.total()}


def _host_batches(config: Config, task: Task, first_step: int) -> Iterator[Batch]:
    return train_batches(
        sources.open_source(config.data, "train"),
        task.record_ids,
        task.targets,
        batch_size=task.training.batch_size,
        seed=task.seed,
        num_views=task.num_views,
        start_step=first_step,
        read_threads=config.data.read_threads,
    )


def device_batches(config: Config, task: Task, mesh: Mesh, first_step: int) -> Iterator:
    """Yields a task's batches for ever, on the devices.

    Args:
      config: of the run; where its data is synthetic, every batch is the first.
      task: what to learn.
      mesh: of the devices.
      first_step: steps already done.
    """
    if config.data.synthetic:
        return itertools.repeat(sharding.put_batch(mesh, next(_host_batches(config, task, 0))))
    return (sharding.put_batch(mesh, batch) for batch in _host_batches(config, task, first_step))


_optimizer = functools.cache(optimizer.make_optimizer)


def objective_of(model: Classifier) -> objective.Objective:
    if model.layout is None:
        return objective.sigmoid
    return objective.make_tiled_sigmoid(model.layout, model.mesh)


def _initial_variables(config, task: Task, model, workdir):
    variables = networks.init_variables(config, model, task.seed)
    if task.training.init_from == "scratch":
        return variables
    source = networks.load_variables(workdir.generalist, "train_generalist")
    return transfer(variables, source, task.training.init_parts, task.verticals)


def _further_values(task: Task, model: Classifier, schedule: Callable) -> Callable:
    """Makes what a log line says besides metrics and speed."""
    epoch_steps = len(task.record_ids) / task.training.batch_size

    def extra(step_number: int, state) -> dict[str, Any]:
        values = {
            "epoch": round(step_number / epoch_steps, 3),
            "learning_rate": float(schedule(step_number)),
        }
        if "pace" in state.params:
            gamma = np.asarray(state.params["pace"]["gamma"])
            if gamma.ndim == 2:
                gamma = model.layout.in_class_order(gamma)
            values["pace"] = _pace_by_vertical(gamma, task.space)
        return values

    return extra


def _pace_by_vertical(gamma: np.ndarray, space: LabelSpace) -> list[float]:
    """Averages the scaling factors of each vertical and divides them by √N_v."""
    if len(gamma) != space.num_verticals:
        gamma = np.add.reduceat(gamma, space.starts[:-1]) / np.asarray(space.sizes)
    return [round(float(g) / math.sqrt(n), 5) for g, n in zip(gamma, space.sizes, strict=True)]
