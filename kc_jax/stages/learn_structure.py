"""Grows auxiliary heads for the classes that a trained network confuses.

Self-informed structure learning, Warde-Farley et al. (2015).
"""

import dataclasses
import pathlib

import numpy as np

from kc_jax import artifacts
from kc_jax.artifacts import Workdir
from kc_jax.config import Config, ConfigError, Training
from kc_jax.core.auxiliary import AuxiliarySpec
from kc_jax.data import sources
from kc_jax.stages import clusters, networks, training

MADE_BY = "learn_structure"


def run(config: Config, workdir: Workdir) -> bool:
    """Finds clusters and trains the augmented network; tells whether there was anything to do.

    It lies among the students, so that whatever judges, exports and uses these does it too. Its
    base may be such a network itself, whose heads are kept.

    Raises:
      MissingArtifactError: the base network is not trained yet.
      ConfigError: it cannot have such heads.
    """
    options = config.structure
    space = sources.load_label_space(config.data)
    base, made_by = _base(workdir, options.base)
    base_training = networks.recorded_options(base, made_by).training
    if options.attach == "trunk" and base_training.head.startswith(("SC", "linear")):
        raise ConfigError(
            f"config.structure.attach is 'trunk', but {base} has the head {base_training.head}, "
            "whose verticals share no trunk; set it to 'backbone'"
        )
    auxiliary = networks.recorded_auxiliary(base)
    did_any = False
    upstream = {options.base if options.base == "generalist" else "base": (
        artifacts.fingerprint_of(base, made_by)
    )}
    if options.num_clusters:
        found = workdir.clusters(options.name)
        did_any = clusters.find(config, workdir, base, made_by, space)
        members = clusters.read(found, space)
        try:
            spec = AuxiliarySpec(members, options.widths, options.attach)
        except ValueError as error:
            raise ConfigError(f"config.structure: {error}") from None
        auxiliary = (*auxiliary, spec)
        upstream["clusters"] = artifacts.fingerprint_of(found, MADE_BY)
    trained = _training(config, base_training)
    source = sources.open_source(config.data, "train")
    directory = workdir.student(options.name)
    inputs = {
        **training.task_inputs(config, trained, space, source, workdir, **upstream),
        "widths": options.widths, "attach": options.attach, "learn": options.learn,
    }
    if artifacts.is_complete(directory, inputs):
        return did_any
    kept, frozen = _parts(options.learn, base, made_by)
    task = training.Task(
        title=options.name,
        directory=directory,
        training=trained,
        space=space,
        record_ids=np.arange(len(source)),
        targets=training.hard_targets(source, space, trained),
        seed=config.seed,
        verticals=tuple(range(space.num_verticals)),
        start=training.Start(base, made_by, kept),
        auxiliary=auxiliary,
        frozen=frozen,
    )
    training.train_network(config, task, workdir)
    return True


def _base(workdir: Workdir, name: str) -> tuple[pathlib.Path, str]:
    if name == "generalist":
        return workdir.generalist, "train_generalist"
    return workdir.student(name), f"{MADE_BY} or train_student"


def _training(config: Config, base: Training) -> Training:
    """Gives how the base was trained, but for what the structure says itself."""
    options = config.structure
    return dataclasses.replace(
        base, init_from="scratch", distill_weight=0.0, num_epochs=options.num_epochs,
        batch_size=options.batch_size, microbatches=options.microbatches,
        optimizer=options.optimizer,
    )


def _parts(
    learn: str, base: pathlib.Path, made_by: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names the base's parts that are kept, and those that are frozen (section 2).

    The classifier layer, with the logits of earlier heads, is drawn and learnt anew, unless the
    whole network is fine-tuned.
    """
    parts = tuple(networks.load_variables(base, made_by)["params"])
    if learn == "all":
        return parts, ()
    earlier = tuple(part for part in parts if not part.endswith("logits") and part != "pace")
    return earlier, earlier
