"""The configuration as frozen dataclasses, one per part, built from an ml_collections file."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from kc_jax.config.images import Data, Evaluation, SoftTargets
from kc_jax.config.networks import (
    Generations,
    Model,
    Multipliers,
    Optimizer,
    SelfPaced,
    Structure,
    Student,
    Tolerance,
    Training,
)
from kc_jax.config.running import Mesh, Running
from kc_jax.core import tolerance
from kc_jax.options import ConfigError, Seed, build_part

__all__ = [
    "Config", "ConfigError", "Data", "Evaluation", "Generations", "Mesh", "Model", "Multipliers",
    "Optimizer", "Running", "SelfPaced", "SoftTargets", "Structure", "Student", "Tolerance",
    "Training", "build",
]



@dataclasses.dataclass(frozen=True)
class Config:
    """Says everything about a run.

    Attributes:
      name: of the run; it writes to ``runs/NAME`` unless ``--workdir`` says otherwise.
      seed: of initial variables and of the records' order.
      stages: to run, in order, unless ``--stages`` names others.
      data: what images there are and how they are seen.
      model: what all networks share.
      generalist: how the baseline is trained.
      teachers: how every specialist is trained.
      soft_targets: what is kept of the teachers.
      generations: how generations are trained.
      student: how the one network for all classes is trained.
      structure: how auxiliary heads are grown on one of them.
      evaluation: how test images are judged.
      mesh: how devices are laid out.
      running: how a run is watched and saved.
    """

    name: str
    seed: Seed
    stages: tuple[str, ...]
    data: Data
    model: Model
    generalist: Training
    teachers: Training
    soft_targets: SoftTargets
    generations: Generations
    student: Student
    structure: Structure
    evaluation: Evaluation
    mesh: Mesh
    running: Running


def build(options: Mapping[str, Any]) -> Config:
    """Builds and checks the configuration.

    Args:
      options: nested mapping, such as an `ml_collections.ConfigDict`.

    Raises:
      ConfigError: on an unknown, missing, wrongly typed or impossible option.
    """
    config = build_part(Config, options)
    _check_together(config)
    return config


def _check_together(config: Config) -> None:
    _check_losses(config)
    if config.model.backbone_freeze and not config.model.backbone_init_from:
        raise ConfigError(
            "config.model.backbone_freeze is True but config.model.backbone_init_from is empty, so "
            "a backbone of random weights would never learn; name the weights to keep"
        )
    for name in ("generalist", "teachers"):
        if getattr(config, name).distill_weight:
            raise ConfigError(
                f"config.{name}.distill_weight is {getattr(config, name).distill_weight}; "
                "soft targets exist only for the student, so it must be 0"
            )
    if config.generalist.init_from == "generalist":
        raise ConfigError(
            "config.generalist.init_from is 'generalist'; it must be 'scratch' or the folder of "
            "another run's network"
        )


def _check_losses(config: Config) -> None:
    for name in ("generalist", "teachers", "student", "generations"):
        training = getattr(config, name)
        if training.loss == "softmax":
            if training.label_smearing:
                raise ConfigError(
                    f"config.{name}.label_smearing is True but config.{name}.loss is 'softmax', "
                    "which takes one class of each image; set one of them otherwise"
                )
        if name != "generations" and training.temperature != 1:
            raise ConfigError(
                f"config.{name}.temperature is {training.temperature}; it softens what a softmax "
                "of config.generations learns from another, and specialists' soft targets have "
                "none, so it must be 1.0"
            )
        try:
            tolerance.weight_of(training.tolerance.confidence, training.tolerance.num_similar)
        except ValueError as error:
            raise ConfigError(f"config.{name}.tolerance.confidence: {error}") from None
    for path, found, wanted in (
        ("teachers.loss", config.teachers.loss, "sigmoid"),
        ("student.loss", config.student.loss, "sigmoid"),
        ("generations.loss", config.generations.loss, "softmax"),
        ("generations.init_from", config.generations.init_from, "scratch"),
    ):
        if found != wanted:
            raise ConfigError(f"config.{path} is {found!r}; it must be {wanted!r}")
