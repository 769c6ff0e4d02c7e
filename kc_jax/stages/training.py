"""Training one network: what the training stages share."""

import dataclasses
import functools
import itertools
import sys
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from kc_jax import artifacts, preemption, sharding
from kc_jax.config import Config
from kc_jax.core import alignment as alignments
from kc_jax.data import sources
from kc_jax.data.batches import Batch, records_of_step, train_batches
from kc_jax.models.classifier import Classifier
from kc_jax.progress import show_progress
from kc_jax.stages import backbone_weights, balancing, networks, resident, tasks, watching
from kc_jax.stages.tasks import Start, Task
from kc_jax.train import checkpoint, feed, hooks, layout, objective, optimizer, sinks, step
from kc_jax.train.loop import fit
from kc_jax.train.state import TrainState, count, digest, make_state
from kc_jax.train.transfer import transfer
from kc_jax.workdir import Workdir

BESIDE = (artifacts.LABEL_SPACE, artifacts.AUXILIARY, artifacts.TRAINING_LOG)  # The checkpoints.


def train_network(config: Config, task: Task, workdir: Workdir) -> None:
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
    if task.auxiliary:
        specs = [dataclasses.asdict(spec) for spec in task.auxiliary]
        artifacts.write_json(task.directory / artifacts.AUXILIARY, specs)
    pipeline_speed = None if config.data.synthetic else feed.images_per_second(
        _host_batches(config, task, mesh, 0)
    )
    with checkpoint.Checkpoints(
        task.directory / artifacts.CHECKPOINTS, owner=artifacts.owner_of(task.directory)
    ) as checkpoints:
        if checkpoints.latest_step is not None:
            state = checkpoints.restore(state)
            print(f"{task.title}: going on from step {int(state.step)}", file=sys.stderr)
        state, facts = _run_steps(
            config, task, model, mesh, state, train_step, checkpoints, num_steps
        )
    artifacts.complete(
        task.directory,
        files=[name for name in BESIDE if (task.directory / name).exists()],
        digest=digest(sharding.gathered(state.variables)),
        params=count(state.params),
        num_steps=num_steps,
        images_seen=num_steps * training.batch_size,
        pipeline_images_per_second=pipeline_speed,
        **facts,
    )


def begin(
    config: Config, task: Task, workdir: Workdir, mesh: Mesh
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
    logical = networks.build_model(
        config.model, training, task.space, config.seed, task.auxiliary, task.frozen
    )
    model = networks.lay_out(logical, config.mesh, mesh)
    tx = _optimizer(training.optimizer)
    state = make_state(initial_variables(config, task, logical, workdir), tx, model.frozen)
    state = jax.device_put(state, sharding.head_shardings(mesh, state))
    views = networks.split_views(config, "train")
    return model, state, step.make_train_step(
        model, objective.objective_of(model, training), tx, views, mesh, training.microbatches,
        model.frozen, config.running.may_leave_out > 0,
    )


def _run_steps(
    config: Config, task: Task, model: Classifier, mesh: Mesh, state: TrainState,
    train_step: Callable, checkpoints, num_steps: int,
) -> tuple[TrainState, dict[str, Any]]:
    """Takes the steps that are left, watched and saved; gives the state and the time they took."""
    training, running, first_step = task.training, config.running, int(state.step)
    schedule = optimizer.make_schedule(training.optimizer, num_steps)

    records = (
        task.title, task.directory, sources.open_source(config.data, "train"),
        functools.partial(_records_of_step, config, task),
    )
    spikes, left_out = (
        hooks.StepNotes(task.directory / name, first_step)
        for name in (artifacts.LOSS_SPIKES, artifacts.STEPS_LEFT_OUT)
    )
    looks = {"every_steps": running.log_every_steps, "num_steps": num_steps}
    watch = hooks.LossWatch(
        watching.loss_explainer(*records), may_leave_out=running.may_leave_out,
        left_out=left_out, note_spike=watching.spike_noter(*records, spikes),
        go_on=watching.going_on(task.directory, lambda: checkpoints.latest_step), **looks,
    )

    def save(step_number: int, state: TrainState) -> None:
        watch.check(step_number, state)
        checkpoints.save(step_number, layout.logical(model, state))

    with (
        feed.Feed(device_batches(config, task, mesh, first_step)) as batches,
        sinks.open_sinks(running.sinks, _watched(config, task, first_step)) as write,
        show_progress(task.title, num_steps, first_step, running.print_every_seconds) as show,
        preemption.deferred(),
    ):
        meter = feed.Meter(batches, training.batch_size)
        epoch_steps = len(task.record_ids) / training.batch_size
        log = hooks.MetricsLog(
            write,
            seconds=hooks.seconds_before(task.directory / artifacts.TRAINING_LOG, first_step),
            meter=meter,
            extra=watching.further_values(task.space, epoch_steps, schedule, model.layout),
            **looks,
        )
        state = fit(
            layout.place(model, mesh, state),
            batches,
            train_step,
            learning_rate=schedule,
            num_steps=num_steps,
            hooks=[
                watch,
                log,
                hooks.checkpoint_hook(save, running.checkpoint_every_steps),
                hooks.preemption_hook(save, task.title),
                hooks.progress_hook(show, log),
                batches.pace,
            ],
        )
        save(num_steps, state)
        hooks.end_if_asked(f"{task.title} is saved at its last step")
    facts = {"seconds": log.seconds, "loss_spikes": len(spikes), "steps_left_out": len(left_out)}
    return layout.logical(model, state), {**facts, **meter.total()}


def _watched(config: Config, task: Task, first_step: int) -> sinks.Network:
    return sinks.Network(
        title=task.title,
        group=config.name,
        directory=task.directory,
        first_step=first_step,
        verticals=task.space.verticals,
        config=dataclasses.asdict(config),
    )


def _records_of_step(config: Config, task: Task, number: int) -> tuple[np.ndarray, np.ndarray]:
    number = 1 if config.data.synthetic else number  # See `device_batches`.
    source = sources.open_source(config.data, "train")
    return records_of_step(task.record_ids, number, **_order(config, source, task))


def _order(config: Config, source: sources.Source, task: Task) -> dict[str, Any]:
    space = sources.load_label_space(config.data)
    return {
        "batch_size": task.training.batch_size,
        "seed": task.seed,
        "num_views": task.num_views,
        "sampler": balancing.sampler_of(
            space, source, task.training, task.record_ids, task.verticals
        ),
    }


def _host_batches(config: Config, task: Task, mesh: Mesh, first_step: int) -> Iterator[Batch]:
    source = sources.open_source(config.data, "train")
    return train_batches(
        source,
        task.record_ids,
        task.targets,
        **_order(config, source, task),
        start_step=first_step,
        read_threads=config.data.read_threads,
        with_images=not config.data.on_device,
        rows=sharding.own_rows(mesh, task.training.batch_size),
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
        first = next(_host_batches(config, task, mesh, 0))
        found = itertools.repeat(sharding.put_batch(mesh, first))
    else:
        batches = _host_batches(config, task, mesh, first_step)
        found = (sharding.put_batch(mesh, batch) for batch in batches)
    if config.data.on_device:
        found = map(resident.image_adder(config.data, mesh), found)
    return map(task.signal, found) if task.signal else found


_optimizer = functools.cache(optimizer.make_optimizer)


def initial_variables(
    config: Config, task: Task, model: Classifier, workdir: Workdir
) -> dict[str, Any]:
    """Makes a network's variables before the first step.

    They are drawn at random; then `config.model.backbone_init_from` gives the backbone; then the
    network that the task starts from gives the parts that it takes from there.

    Args:
      config: of the run.
      task: what to learn.
      model: in its logical form.
      workdir: where the generalist lies.
    """
    variables = backbone_weights.put(
        config.model, networks.init_variables(config, model, task.seed)
    )
    start = task.start
    if start is None and task.training.init_from == "generalist":
        start = Start(workdir.generalist, "train_generalist", task.training.init_parts)
    if start is None and tasks.is_folder(task.training.init_from):
        start = tasks.start_elsewhere(task.training, task.space)
    if start is None:
        return variables
    source = networks.load_variables(start.directory, start.made_by)
    alignment = start.alignment or alignments.same(task.verticals, task.space.sizes)
    return transfer(variables, source, start.parts, alignment)
