"""Trains one network for all classes from the teachers' soft targets."""

import sys

import numpy as np

from kc_jax import artifacts
from kc_jax.config import Config, ConfigError, Training
from kc_jax.data import sources
from kc_jax.data.soft_target_store import SoftTargetStore
from kc_jax.data.targets import mix
from kc_jax.stages import tasks, training
from kc_jax.stages.storing import store_inputs
from kc_jax.workdir import Workdir


def run(config: Config, workdir: Workdir) -> bool:
    """Trains the student; tells whether there was anything to do.

    Gao et al. (2017), Eq. 2, with `config.student.distill_weight` of soft targets and the rest of
    labels: 1 is the paper's student, 0 one that learns from labels alone. An image whose labels are
    not known (`config.data.labelled_share`) has soft targets alone.

    Raises:
      ConfigError: classes are to be balanced whose images are not known.
    """
    space = sources.load_label_space(config.data)
    source = sources.open_source(config.data, "train")
    student = config.student
    upstream = {}
    if student.distill_weight:
        store = store_inputs(config, workdir, space, source)
        upstream["soft_targets"] = artifacts.fingerprint(store)
    directory = workdir.student(student.name)
    inputs = tasks.task_inputs(config, student, space, source, workdir, **upstream)
    if tasks.is_trained(directory, inputs, space):
        return False
    if not student.distill_weight:
        _say_what_is_unused(student, source, workdir)
    targets, num_views = tasks.hard_targets(source, space, student), None
    records = source.labelled
    if student.distill_weight:
        _check_balance(student, source)
        soft = SoftTargetStore(workdir.soft_targets, space, store)
        weight = np.ones(len(source))  # Who has no labels has soft targets alone.
        weight[source.labelled] = student.distill_weight
        targets = mix(targets, soft, weight)
        records, num_views = np.arange(len(source)), soft.num_views
    task = tasks.Task(
        title=student.name,
        directory=directory,
        training=student,
        space=space,
        record_ids=records,
        targets=targets,
        num_views=num_views,
        seed=config.seed,
        verticals=tuple(range(space.num_verticals)),
    )
    training.train_network(config, task, workdir)
    return True


def _say_what_is_unused(student: Training, source: sources.Source, workdir: Workdir) -> None:
    unused = [f"the soft targets in {workdir.soft_targets}"] * workdir.soft_targets.exists()
    if source.unlabelled:
        unused.append(f"{len(source.unlabelled)} images without labels")
    if unused:
        print(
            f"{student.name} learns from labels alone: config.student.distill_weight is 0, so "
            f"{' and '.join(unused)} are not read", file=sys.stderr,
        )


def _check_balance(student: Training, source: sources.Source) -> None:
    if student.balance == "class" and source.unlabelled:
        raise ConfigError(
            "config.student.balance is 'class', but the classes of "
            f"{len(source.unlabelled)} of {len(source)} training images are not known; set it to "
            "'vertical' or 'none'"
        )
