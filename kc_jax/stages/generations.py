"""One generation: how it is trained, where it lies, and what its teacher tells it.

Yang et al. (2018), sections 3.1 and 3.3.
"""

import dataclasses
import pathlib
from collections.abc import Iterator

import numpy as np

from kc_jax import artifacts, hosts
from kc_jax.config import Config, Generations, Tolerance, Training
from kc_jax.core import log_odds, quantisation, soft_targets
from kc_jax.core.label_space import LabelSpace
from kc_jax.data import sources, vertical_store
from kc_jax.data.sources import Source
from kc_jax.data.targets import SoftTargets, beside
from kc_jax.stages import asking, networks, tasks, training
from kc_jax.workdir import Workdir

MADE_BY = "run_generations"
STRICT = Tolerance(confidence=1.0, num_similar=2)


def name_of(options: Training) -> str:
    """Names a process as the paper does, D(confidence of the patriarch, λ)."""
    return f"D({options.tolerance.confidence}, {options.distill_weight})"


def settings_of(options: Generations) -> dict:
    """Gives what a process may differ in from another besides its D, its name and its length."""
    told = ("name", "num_generations", "tolerance", "distill_weight")
    settings = {key: x for key, x in dataclasses.asdict(options).items() if key not in told}
    return {**settings, "num_similar": options.tolerance.num_similar}


def training_of(config: Config, generation: int) -> Training:
    """Gives how a generation is trained: the patriarch tolerant, its successors taught.

    Args:
      config: of the run.
      generation: from 0, the patriarch.
    """
    options = config.generations
    shared = {
        field.name: getattr(options, field.name) for field in dataclasses.fields(Training)
    }
    if generation:
        return Training(**{**shared, "tolerance": STRICT})
    return Training(**{**shared, "distill_weight": 0.0, "temperature": 1.0})


def train(config: Config, workdir: Workdir, generation: int) -> bool:
    """Trains a generation after the one before it; tells whether there was anything to do."""
    space = sources.load_label_space(config.data)
    source = sources.open_source(config.data, "train")
    directory = workdir.generation(config.generations.name, generation)
    options = training_of(config, generation)
    seed = int(np.random.SeedSequence((config.seed, generation)).generate_state(1)[0])
    upstream = {}
    is_taught = bool(generation and options.distill_weight)
    if is_taught:
        teacher = workdir.generation(config.generations.name, generation - 1)
        upstream["teacher"] = artifacts.fingerprint_of(teacher, MADE_BY)
        if config.generations.teacher_signal == "stored":
            upstream["soft_targets"] = artifacts.fingerprint(
                _signal_inputs(config, teacher, space, source, options.temperature)
            )
    inputs = {
        **tasks.task_inputs(config, options, space, source, workdir, **upstream),
        "generation": generation,
    }
    if tasks.is_trained(directory, inputs, space):
        return False
    task = tasks.Task(
        title=f"{config.generations.name} {generation}",
        directory=directory,
        training=options,
        space=space,
        record_ids=source.labelled,
        targets=tasks.hard_targets(source, space, options),
        seed=seed,
        verticals=tuple(range(space.num_verticals)),
    )
    if is_taught:
        signals = {"computed": _with_computed, "stored": _with_stored}
        with_signal = signals[config.generations.teacher_signal]
        task = with_signal(config, task, teacher, space, source)
    training.train_network(config, task, workdir)
    return True


def _with_computed(
    config: Config, task: tasks.Task, teacher: pathlib.Path, space: LabelSpace, source: Source
) -> tasks.Task:
    """Lets the teacher look at every batch, the same views as the student's."""
    del source
    ask = networks.load_on_devices(config, teacher, MADE_BY, space, "train")
    return dataclasses.replace(
        task, signal=lambda batch: {**batch, "teacher_logits": ask(batch)}
    )


def _with_stored(
    config: Config, task: tasks.Task, teacher: pathlib.Path, space: LabelSpace, source: Source
) -> tasks.Task:
    """Reads what the teacher said of a number of views, which the student sees in turn."""
    signal = stored_signal(config, teacher, space, source, task.training.temperature)
    return dataclasses.replace(
        task, targets=beside(task.targets, signal), num_views=config.soft_targets.num_views
    )


def stored_signal(
    config: Config, teacher: pathlib.Path, space: LabelSpace, source: Source, temperature: float
) -> SoftTargets:
    """Writes a teacher's first scores of every view beside it, unless they are there; reads them.

    Args:
      config: of the run; its soft targets say how many scores and views.
      teacher: directory of a generation.
      space: label space of all classes.
      source: of the training records.
      temperature: at which the softmax is taken.

    Returns:
      The function from record ids and views, i64[B] each, to class ids i32[B, K] and scores f32.
    """
    options = config.soft_targets
    inputs = _signal_inputs(config, teacher, space, source, temperature)
    directory = teacher / "scores"

    def write() -> None:
        if artifacts.is_complete(directory, inputs):
            return
        facts = vertical_store.write_vertical(
            directory,
            record_ids=np.arange(len(source)),
            num_classes=space.num_classes,
            num_views=options.num_views,
            top_k=options.top_k,
            parts=_scores(config, teacher, space, source, temperature),
        )
        artifacts.complete(directory, **facts)

    hosts.first_alone(write)
    store = vertical_store.VerticalStore(directory, space.num_classes, inputs, MADE_BY)

    def read(record_ids: np.ndarray, views: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        ids, levels = store(record_ids, views)
        return ids, quantisation.probabilities_of(levels)

    return read


def _signal_inputs(
    config: Config, teacher: pathlib.Path, space: LabelSpace, source: Source, temperature: float
) -> dict:
    return vertical_store.store_inputs(
        teacher=artifacts.fingerprint([artifacts.fingerprint_of(teacher, MADE_BY), temperature]),
        data=source.fingerprint,
        label_space=space.fingerprint,
        views=networks.view_inputs(config, "train"),
        top_k=config.soft_targets.top_k,
        num_views=config.soft_targets.num_views,
    )


def _scores(
    config: Config, teacher: pathlib.Path, space: LabelSpace, source: Source, temperature: float
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields the first classes of successive views, and the log-odds of their softmax scores."""
    options = config.soft_targets
    predict = networks.load_predictor(
        config, teacher, MADE_BY, space, "train", options.batch_size
    )
    for _, _, logits in asking.answers(
        config, predict, source, np.arange(len(source)), title="teacher's scores",
        batch_size=options.batch_size, num_views=options.num_views,
    ):
        yield soft_targets.top_k(log_odds.of_softmax(logits / temperature), options.top_k)
