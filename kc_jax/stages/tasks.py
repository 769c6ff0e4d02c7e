"""What one network is to learn: what the training stages share."""

import dataclasses
import pathlib
import sys
from collections.abc import Callable

import numpy as np

from kc_jax import artifacts, hosts
from kc_jax.config import Config, ConfigError, Model, Training
from kc_jax.core import label_space as label_spaces
from kc_jax.core.alignment import Alignment, align, describe
from kc_jax.core.auxiliary import AuxiliarySpec
from kc_jax.core.label_space import LabelSpace
from kc_jax.data import sources
from kc_jax.data.batches import Batch
from kc_jax.data.targets import Targets, label_targets
from kc_jax.stages import backbone_weights, networks
from kc_jax.train import checkpoint
from kc_jax.workdir import Workdir

ELSEWHERE = "that trains it, in its own --workdir,"

@dataclasses.dataclass(frozen=True)
class Start:
    """Says which network another one starts from.

    Attributes:
      directory: of the network.
      made_by: the stage that makes it, for the error.
      parts: that are copied.
      alignment: of the task's label space with the network's; None where the task says which of its
        verticals they are.
    """

    directory: pathlib.Path
    made_by: str
    parts: tuple[str, ...]
    alignment: Alignment | None = None


@dataclasses.dataclass(frozen=True)
class Task:
    """Says what one network is to learn.

    Attributes:
      title: for the person who watches.
      directory: of the network.
      training: how it is trained.
      space: its label space.
      record_ids: i64[n], the records it is trained on.
      targets: of a record and view, in ids of ``space``.
      num_views: views of a record shown in turn; None shows a new one every epoch.
      seed: of initial variables and the records' order.
      verticals: the verticals of ``space`` in the generalist's label space.
      signal: adds what a teacher says to a batch on the devices; None where nobody is asked.
      start: the network that it starts from; None for what ``training.init_from`` says.
      auxiliary: its auxiliary heads.
      frozen: parts that do not learn, besides those that the configuration freezes.
    """

    title: str
    directory: pathlib.Path
    training: Training
    space: LabelSpace
    record_ids: np.ndarray
    targets: Targets
    seed: int
    verticals: tuple[int, ...]
    num_views: int | None = None
    signal: Callable[[Batch], Batch] | None = None
    start: Start | None = None
    auxiliary: tuple[AuxiliarySpec, ...] = ()
    frozen: tuple[str, ...] = ()


def task_inputs(
    config: Config, training: Training, space: LabelSpace, source: sources.Source,
    workdir: Workdir, **upstream: str,
) -> dict:
    """Lists what a trained network depends on, for its manifest.

    Args:
      config: of the run.
      training: of the network.
      space: its label space.
      source: of the training records.
      workdir: where the generalist lies, if the network starts from it.
      **upstream: fingerprints of what else it learns from.

    Raises:
      MissingArtifactError: it starts from the generalist, which is not trained yet.
    """
    if is_folder(training.init_from):
        upstream["start"] = artifacts.fingerprint_of(pathlib.Path(training.init_from), ELSEWHERE)
    if training.init_from == "generalist":
        upstream["generalist"] = artifacts.fingerprint_of(workdir.generalist, "train_generalist")
    return {
        "seed": config.seed,
        "views": networks.view_inputs(config, "train"),
        "model": _model_inputs(config.model),
        "training": dataclasses.asdict(training),
        "label_space": space.fingerprint,
        "records": source.fingerprint,
        **upstream,
    }


def _model_inputs(model: Model) -> dict:
    """Gives the options that count: of the chosen backbone, and the content of its weights."""
    options = model.backbone_options.get(model.backbone)
    return {
        **dataclasses.asdict(model),
        "backbone_options": {model.backbone: options} if options else {},
        "backbone_init_from": backbone_weights.fingerprint(model.backbone_init_from),
    }


def is_folder(init_from: str) -> bool:
    """Tells whether a network starts from one of another run."""
    return init_from not in ("scratch", "generalist")


def start_elsewhere(training: Training, space: LabelSpace) -> Start:
    """Says what a network takes of one of another run, whose classes may be others.

    Args:
      training: of the network.
      space: its label space.
    """
    directory = pathlib.Path(training.init_from)
    artifacts.manifest_of(directory, ELSEWHERE)
    alignment = align(space, space_of(directory))
    return Start(directory, ELSEWHERE, training.init_parts, alignment)


def is_trained(directory: pathlib.Path, inputs: dict, space: LabelSpace) -> bool:
    """Tells whether a network is complete; see `artifacts.is_complete`.

    One that lacks the state it ended with is not, where there is an older one.

    Raises:
      StaleArtifactError: it was begun with other inputs; where these are other classes, it says
        which, and how to go on with what the network knows of the others.
    """
    try:
        return artifacts.is_complete(directory, inputs) and not _is_reopened(directory)
    except artifacts.StaleArtifactError as error:
        if not (directory / artifacts.LABEL_SPACE).exists():
            raise
        lines = describe(space, space_of(directory))
        if not lines:
            raise
        raise artifacts.StaleArtifactError(
            f"{error}\nIts label space differs:\n  " + "\n  ".join(lines)
            + "\nTo go on with what it knows of the classes that are left, take another --workdir "
            f"and --config.….init_from={directory.resolve()} with "
            "--config.….init_parts=\"('backbone', 'trunk', 'bottleneck', 'logits')\""
        ) from None


def _is_reopened(directory: pathlib.Path) -> bool:
    """Tells whether a network lacks its last state but has an older one, to be gone on from."""
    return hosts.first_alone(lambda: _reopen(directory))


def _reopen(directory: pathlib.Path) -> bool:
    manifest = artifacts.read_json(directory / artifacts.MANIFEST)
    newest = checkpoint.newest_step(directory / artifacts.CHECKPOINTS)
    last = manifest.get("num_steps", 0)
    if newest is None or newest >= last:
        return False
    print(
        f"{directory / artifacts.CHECKPOINTS} lacks the state of step {last}, with which the "
        f"training ended; it goes on from that of step {newest}", file=sys.stderr,
    )
    artifacts.begin(directory, manifest["inputs"])
    return True


def space_of(directory: pathlib.Path) -> LabelSpace:
    """Reads the label space that a network was trained with."""
    return label_spaces.read_json(artifacts.checked(directory / artifacts.LABEL_SPACE))


def check_records(config: Config) -> None:
    """Checks that every vertical has records to learn from, and to be judged on if that is asked.

    Args:
      config: of the run, whose verticals are found already.

    Raises:
      ConfigError: one has none.
    """
    judged = [config.data.judged_on] * ("evaluate" in config.stages)
    for split in ("train", *judged):
        sources.open_source(config.data, split)


def check_single_labels(source: sources.Source) -> None:
    """Checks that a softmax fits the records: each has one label.

    Raises:
      ConfigError: names a record that has none or several.
    """
    for record in source.labelled.tolist():
        if len(labels := set(source.labels[record])) != 1:
            raise ConfigError(
                f"record {record} of {source.split!r} has {len(labels)} labels; a softmax "
                "takes every image for exactly one; set the loss to 'sigmoid'"
            )


def hard_targets(
    source: sources.Source, space: LabelSpace, training: Training, vertical_id: int | None = None
) -> Targets:
    """Makes the targets that labels give, smeared where the training asks for it.

    Args:
      source: of the records.
      space: label space of all classes.
      training: for label smearing.
      vertical_id: keeps the labels of this vertical only, in ids of its own; None keeps all.

    Raises:
      ConfigError: the loss is a softmax, but a record has no label or several.
    """
    if training.loss == "softmax":
        check_single_labels(source)
    classes = range(space.num_classes) if vertical_id is None else space.classes_of(vertical_id)

    def positives(class_ids):
        smeared = space.smear(class_ids) if training.label_smearing else class_ids
        return [c - classes.start for c in smeared if c in classes]

    return label_targets([positives(class_ids) for class_ids in source.labels])
