"""Trains one specialist per vertical."""

import difflib
from collections.abc import Sequence

import jax
import numpy as np

from kc_jax import hosts, run_lock
from kc_jax.artifacts import safe_name
from kc_jax.config import Config, ConfigError
from kc_jax.core.label_space import LabelSpace
from kc_jax.data import sources
from kc_jax.stages import processes, tasks, training
from kc_jax.workdir import Workdir


def run(config: Config, workdir: Workdir) -> bool:
    """Trains the teachers that are not there yet; tells whether there was anything to do.

    Where `config.running.vertical` names one, it trains that one alone.

    Gao et al. (2017), section 3.1, Eq. 1: each sees the images of its vertical only, with smeared
    labels.

    Raises:
      ConfigError: several processes are wanted where one must own the devices, or there is no
        such vertical.
      WorkdirInUseError: another run trains one of them.
    """
    space = sources.load_label_space(config.data)
    source = sources.open_source(config.data, "train")
    missing = [
        (config, workdir, vertical_id)
        for vertical_id in _wanted(config.running.vertical, space)
        if not _is_trained(config, workdir, space, source, vertical_id)
    ]
    num_processes = _num_processes(config.running.teacher_processes, len(missing))
    processes.run_each(_train, missing, num_processes)
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


def _num_processes(wanted: int, num_teachers: int) -> int:
    on_cpu = jax.default_backend() == "cpu" and hosts.size() == 1
    if wanted > 1 and not on_cpu:
        raise ConfigError(
            f"config.running.teacher_processes is {wanted} but the devices are "
            f"{jax.default_backend()}s, which one process owns; set it to 0 or 1"
        )
    if not wanted:
        wanted = processes.num_cores() if on_cpu else 1
    return max(1, min(wanted, num_teachers))


def _is_trained(
    config: Config, workdir: Workdir, space: LabelSpace, source: sources.Source, vertical_id: int
) -> bool:
    own = space.restrict(vertical_id)
    inputs = tasks.task_inputs(config, config.teachers, own, source, workdir)
    with _locked(workdir, space.verticals[vertical_id]):
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
        training.train_network(config, task, workdir)
