"""Trains one specialist per vertical."""

import jax

from kc_jax import artifacts
from kc_jax.config import Config, ConfigError
from kc_jax.data import sources
from kc_jax.stages import processes, tasks, training
from kc_jax.workdir import Workdir


def run(config: Config, workdir: Workdir) -> bool:
    """Trains the teachers that are not there yet; tells whether there was anything to do.

    Gao et al. (2017), section 3.1, Eq. 1: each sees the images of its vertical only, with smeared
    labels.

    Raises:
      ConfigError: several processes are wanted where one must own the devices.
    """
    space = sources.load_label_space(config.data)
    source = sources.open_source(config.data, "train")
    missing = []
    for vertical_id, name in enumerate(space.verticals):
        own = space.restrict(vertical_id)
        inputs = tasks.task_inputs(config, config.teachers, own, source, workdir)
        if not artifacts.is_complete(workdir.teacher(name), inputs):
            missing.append((config, workdir, vertical_id))
    num_processes = _num_processes(config.running.teacher_processes, len(missing))
    processes.run_each(_train, missing, num_processes)
    return bool(missing)


def _num_processes(wanted: int, num_teachers: int) -> int:
    on_cpu = jax.default_backend() == "cpu"
    if wanted > 1 and not on_cpu:
        raise ConfigError(
            f"config.running.teacher_processes is {wanted} but the devices are "
            f"{jax.default_backend()}s, which one process owns; set it to 0 or 1"
        )
    if not wanted:
        wanted = processes.num_cores() if on_cpu else 1
    return max(1, min(wanted, num_teachers))


def _train(config: Config, workdir: Workdir, vertical_id: int) -> None:
    space = sources.load_label_space(config.data)
    source = sources.open_source(config.data, "train")
    name = space.verticals[vertical_id]
    training.train_network(config, tasks.Task(
        title=f"teacher {vertical_id + 1}/{space.num_verticals} {name}",
        directory=workdir.teacher(name),
        training=config.teachers,
        space=space.restrict(vertical_id),
        record_ids=source.records_of(space, vertical_id),
        targets=tasks.hard_targets(source, space, config.teachers, vertical_id),
        seed=config.seed + 1 + vertical_id,
        verticals=(vertical_id,),
    ), workdir)
