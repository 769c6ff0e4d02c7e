"""Grows auxiliary heads for the classes that a trained network confuses.

Self-informed structure learning, Warde-Farley et al. (2015).
"""

import dataclasses
import functools
import pathlib
from collections.abc import Sequence

from kc_jax import artifacts, hosts
from kc_jax.config import Config, ConfigError, Structure, Training
from kc_jax.core.auxiliary import AuxiliarySpec
from kc_jax.core.head_spec import HeadSpec
from kc_jax.data import sources
from kc_jax.stages import clusters, networks, tasks, training
from kc_jax.workdir import Workdir

STAGE = "learn_structure"
GENERALIST = "generalist"


def run(config: Config, workdir: Workdir) -> bool:
    """Finds clusters and trains the augmented network; tells whether there was anything to do.

    It lies among the students, so that whatever judges, exports and uses these does it too. Its
    base may be such a network itself, whose heads are kept.

    Raises:
      MissingArtifactError: the base network is not trained yet.
      StaleArtifactError: it was trained on other records or classes, or has another backbone.
      ConfigError: it cannot have such heads.
    """
    options = config.structure
    space = sources.load_label_space(config.data)
    source = sources.open_source(config.data, "train")
    base, made_by = base_of(workdir, options)
    trained = _training(config, networks.recorded_options(base, made_by).training)
    inputs = tasks.task_inputs(config, trained, space, source, workdir)
    _check(config, trained, base, artifacts.manifest_of(base, made_by)["inputs"], inputs)
    auxiliary, did_any = networks.recorded_auxiliary(base), False
    fingerprint = artifacts.fingerprint_of(base, made_by)
    inputs |= {
        "base": {"name": options.base, "fingerprint": fingerprint},
        "widths": options.widths, "attach": options.attach, "learn": options.learn,
        networks.MADE_BY: STAGE,
    }
    if options.base == GENERALIST:
        inputs[GENERALIST] = fingerprint
    if options.num_clusters:
        find = functools.partial(clusters.find, config, workdir, base, made_by, space)
        did_any = hosts.first_alone(find)
        members = clusters.read(workdir.clusters(options.name), space)
        auxiliary = (*auxiliary, make_spec(options, members, trained.head))
        inputs["clusters"] = artifacts.fingerprint(members)
    directory = workdir.student(options.name)
    _check_name(directory)
    if tasks.is_trained(directory, inputs, space):
        return did_any
    kept, frozen = _parts(options.learn, base, made_by)
    task = tasks.Task(
        title=options.name,
        directory=directory,
        training=trained,
        space=space,
        record_ids=source.labelled,
        targets=tasks.hard_targets(source, space, trained),
        seed=config.seed,
        verticals=tuple(range(space.num_verticals)),
        start=tasks.Start(base, made_by, kept),
        auxiliary=auxiliary,
        frozen=frozen,
    )
    training.train_network(config, task, workdir)
    return True


def make_spec(options: Structure, members: Sequence[int], head: str) -> AuxiliarySpec:
    """Describes the heads that are to grow.

    Args:
      options: of the structure.
      members: the cluster of each class.
      head: of the base network, in the papers' notation.

    Raises:
      ConfigError: there cannot be such heads.
    """
    spec = HeadSpec.parse(head)
    if options.attach == "trunk" and (spec.trunk_structured or not spec.trunk_width):
        raise ConfigError(
            f"config.structure.attach is 'trunk', but the base network's head is {head}, which has "
            "no trunk that all verticals share; set it to 'backbone'"
        )
    try:
        return AuxiliarySpec(tuple(members), options.widths, options.attach)
    except ValueError as error:
        raise ConfigError(f"config.structure: {error}") from None


def _check_name(directory: pathlib.Path) -> None:
    if (directory / artifacts.MANIFEST).exists() and networks.maker_of(directory) != STAGE:
        raise ConfigError(
            f"config.structure.name is {directory.name!r}, but {directory} is a student that was "
            "trained without new heads; give the structure another name"
        )


def base_of(workdir: Workdir, options: Structure) -> tuple[pathlib.Path, str]:
    """Gives the directory of the network that is to grow heads, and the stage that makes it.

    Raises:
      ConfigError: it would grow on itself.
    """
    if options.base == GENERALIST:
        return workdir.generalist, "train_generalist"
    if options.base == options.name:
        raise ConfigError(
            f"config.structure.name and .base are both {options.name!r}; a network cannot grow on "
            "itself: give the new one another name"
        )
    directory = workdir.student(options.base)
    is_begun = (directory / artifacts.MANIFEST).exists()
    return directory, networks.maker_of(directory) if is_begun else f"{STAGE} or train_student"


def _training(config: Config, base: Training) -> Training:
    """Gives how the base was trained, but from labels and as the structure says."""
    options = config.structure
    return dataclasses.replace(
        base, init_from="scratch", distill_weight=0.0, num_epochs=options.num_epochs,
        batch_size=options.batch_size, microbatches=options.microbatches,
        optimizer=options.optimizer,
    )


def _check(
    config: Config, trained: Training, base: pathlib.Path, found: dict, wanted: dict
) -> None:
    """Refuses before anything is computed what would end badly."""
    shared = ("records", "label_space", "views", "model")
    differences = artifacts.describe_differences(
        *(artifacts.as_json({key: inputs[key] for key in shared}) for inputs in (found, wanted))
    )
    if differences:
        raise artifacts.StaleArtifactError(
            f"{base} was made from other inputs:\n  " + "\n  ".join(differences)
            + "\nTrain it anew, or take the configuration that it was trained with"
        )
    if trained.loss != "sigmoid":
        raise ConfigError(
            f"{base} is a softmax network, to which no heads are added; train it with the loss "
            "'sigmoid'"
        )
    if config.mesh.model != 1 or config.mesh.layout == "tiled":
        raise ConfigError(
            "auxiliary heads are not laid out in tiles; set config.mesh.model to 1 and "
            "config.mesh.layout to 'auto'"
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
