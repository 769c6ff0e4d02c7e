"""Trains one specialist per vertical."""

import difflib
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool

import jax
import numpy as np

from kc_jax import hosts, run_lock
from kc_jax.artifacts import safe_name
from kc_jax.config import Config, ConfigError
from kc_jax.core.label_space import LabelSpace
from kc_jax.data import sources
from kc_jax.errors import UserError
from kc_jax.models.backbones import BACKBONES
from kc_jax.stages import processes, tasks, training
from kc_jax.workdir import Workdir


def run(config: Config, workdir: Workdir) -> bool:
    """Trains the teachers that are not there yet; tells whether there was anything to do.

    Where `config.running.vertical` names one, it trains that one alone.

    Gao et al. (2017), section 3.1, Eq. 1: each sees the images of its vertical only, with smeared
    labels.

    Raises:
      ConfigError: several processes are wanted where one must own the devices or they cannot have
        the backbone, or there is no such vertical.
      WorkdirInUseError: another run trains one of them.
      UserError: one of several processes was killed.
    """
    space = sources.load_label_space(config.data)
    source = sources.open_source(config.data, "train")
    missing = [
        (config, workdir, vertical_id)
        for vertical_id in _wanted(config.running.vertical, space)
        if not _is_trained_alone(config, workdir, space, source, vertical_id)
    ]
    num_processes = _num_processes(config, len(missing))
    try:
        processes.run_each(_train, missing, num_processes)
    except BrokenProcessPool:
        raise UserError(
            f"one of {num_processes} processes that train teachers was killed, perhaps for want of "
            "memory; the same command goes on, and fewer at once need less: "
            "--config.running.teacher_processes=1"
        ) from None
    return bool(missing)


def _wanted(vertical: str, space: LabelSpace) -> Sequence[int]:
    if not vertical:
        return range(space.num_verticals)
    if vertical in space.verticals:
        return [space.verticals.index(vertical)]
    if vertical.isdecimal() and int(vertical) < space.num_verticals:
        return [int(vertical)]
    close = difflib.get_close_matches(vertical, space.verticals, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise ConfigError(
        f"config.running.vertical is {vertical!r}; {hint}expected the name of one of the "
        f"{space.num_verticals} verticals, or its number from 0 to {space.num_verticals - 1}"
    )


def _num_processes(config: Config, num_teachers: int) -> int:
    wanted = config.running.teacher_processes
    obstacle = _why_one_process(config.model.backbone)
    if wanted > 1 and obstacle:
        raise ConfigError(
            f"config.running.teacher_processes is {wanted}, but {obstacle}; set it to 0 or 1"
        )
    if not wanted:
        wanted = 1 if obstacle else processes.num_cores()
    return max(1, min(wanted, num_teachers))


def _why_one_process(backbone: str) -> str:
    """Says why one process has to train all teachers; empty where several can."""
    if jax.default_backend() != "cpu" or hosts.size() > 1:
        return f"the devices are {jax.default_backend()}s, which one process owns"
    if BACKBONES[backbone].__module__.split(".")[0] != __package__.split(".")[0]:
        return f"the backbone {backbone!r} is your own, which other processes do not register"
    return ""


def _is_trained_alone(
    config: Config, workdir: Workdir, space: LabelSpace, source: sources.Source, vertical_id: int
) -> bool:
    with _locked(workdir, space.verticals[vertical_id]):
        return _is_trained(config, workdir, space, source, vertical_id)


def _is_trained(
    config: Config, workdir: Workdir, space: LabelSpace, source: sources.Source, vertical_id: int
) -> bool:
    """Tells whether a vertical's teacher is trained, with its lock in hand."""
    own = space.restrict(vertical_id)
    inputs = tasks.task_inputs(config, config.teachers, own, source, workdir)
    return tasks.is_trained(workdir.teacher(space.verticals[vertical_id]), inputs, own)


def _locked(workdir: Workdir, name: str):
    """Keeps other runs from a vertical's teacher; of several processes the first does."""
    return hosts.by_first(lambda: run_lock.locked(workdir.teachers, f"{safe_name(name)}.lock"))


def _train(config: Config, workdir: Workdir, vertical_id: int) -> None:
    space = sources.load_label_space(config.data)
    source = sources.open_source(config.data, "train")
    name = space.verticals[vertical_id]
    task = tasks.Task(
        title=f"teacher {vertical_id + 1}/{space.num_verticals} {name}",
        directory=workdir.teacher(name),
        training=config.teachers,
        space=space.restrict(vertical_id),
        record_ids=np.intersect1d(source.records_of(space, vertical_id), source.labelled),
        targets=tasks.hard_targets(source, space, config.teachers, vertical_id),
        seed=config.seed + 1 + vertical_id,
        verticals=(vertical_id,),
    )
    with _locked(workdir, name):
        # A run of this teacher alone may have ended meanwhile.
        if not _is_trained(config, workdir, space, source, vertical_id):
            training.train_network(config, task, workdir)
