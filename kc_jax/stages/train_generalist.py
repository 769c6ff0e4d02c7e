"""Trains one network on all classes without the papers' method: the baseline."""

from kc_jax.config import Config
from kc_jax.data import sources
from kc_jax.stages import tasks, training
from kc_jax.workdir import Workdir


def run(config: Config, workdir: Workdir) -> bool:
    """Trains the generalist; tells whether there was anything to do."""
    space = sources.load_label_space(config.data)
    source = sources.open_source(config.data, "train")
    inputs = tasks.task_inputs(config, config.generalist, space, source, workdir)
    if tasks.is_trained(workdir.generalist, inputs, space):
        return False
    tasks.check_records(config)
    task = tasks.Task(
        title="generalist",
        directory=workdir.generalist,
        training=config.generalist,
        space=space,
        record_ids=source.labelled,
        targets=tasks.hard_targets(source, space, config.generalist),
        seed=config.seed,
        verticals=tuple(range(space.num_verticals)),
    )
    training.train_network(config, task, workdir)
    return True
