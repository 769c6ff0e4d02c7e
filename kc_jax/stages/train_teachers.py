"""Trains one specialist per vertical."""

from kc_jax import artifacts
from kc_jax.artifacts import Workdir
from kc_jax.config import Config
from kc_jax.data import sources
from kc_jax.stages import training


def run(config: Config, workdir: Workdir) -> bool:
    """Trains the teachers that are not there yet; tells whether there was anything to do.

    Gao et al. (2017), section 3.1, Eq. 1: each sees the images of its vertical only, with smeared
    labels.
    """
    space = sources.load_label_space(config.data)
    source = sources.open_source(config.data, "train")
    upstream = {"records": source.fingerprint}
    if config.teachers.init_from == "generalist":
        upstream["generalist"] = artifacts.fingerprint_of(workdir.generalist, "train_generalist")
    trained = False
    for vertical_id, name in enumerate(space.verticals):
        own = space.restrict(vertical_id)
        inputs = training.task_inputs(config, config.teachers, own, **upstream)
        directory = workdir.teacher(name)
        if artifacts.is_complete(directory, inputs):
            continue
        task = training.Task(
            title=f"teacher {vertical_id + 1}/{space.num_verticals} {name}",
            directory=directory,
            training=config.teachers,
            space=own,
            record_ids=source.records_of(space, vertical_id),
            targets=training.hard_targets(source, space, config.teachers, vertical_id),
            seed=config.seed + 1 + vertical_id,
            verticals=(vertical_id,),
        )
        training.train_network(config, task, workdir)
        trained = True
    return trained
