"""Whom to ask for soft targets: specialists trained here, or ONNX files of yours."""

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Protocol

import jax
import numpy as np

from kc_jax import artifacts
from kc_jax.config import Config
from kc_jax.core.label_space import LabelSpace
from kc_jax.data.batches import Batch
from kc_jax.models import onnx_network
from kc_jax.stages import networks
from kc_jax.workdir import Workdir


class Teachers(Protocol):
    """Knows a teacher for each vertical of a label space."""

    def fingerprint(self, vertical_id: int) -> str:
        """Fingerprints a vertical's teacher."""

    def load(self, vertical_id: int) -> Callable[[Batch], np.ndarray]:
        """Loads a vertical's teacher as a function (host batch) → log-odds f32[B, C_v]."""


def find(config: Config, workdir: Workdir, space: LabelSpace) -> Teachers:
    """Gives the teachers that the configuration names.

    Args:
      config: of the run.
      workdir: where those trained here are.
      space: label space of all classes.
    """
    if config.soft_targets.onnx_teachers:
        return OnnxTeachers(config, space)
    return TrainedTeachers(config, workdir, space)


@dataclasses.dataclass(frozen=True)
class TrainedTeachers:
    """Holds the specialists that `train_teachers` trained."""

    config: Config
    workdir: Workdir
    space: LabelSpace

    def fingerprint(self, vertical_id: int) -> str:
        return artifacts.fingerprint_of(self._directory(vertical_id), "train_teachers")

    def load(self, vertical_id: int) -> Callable[[Batch], np.ndarray]:
        return networks.load_predictor(
            self.config, self._directory(vertical_id), "train_teachers",
            self.space.restrict(vertical_id), "train", self.config.soft_targets.batch_size,
        )

    def _directory(self, vertical_id: int) -> pathlib.Path:
        return self.workdir.teacher(self.space.verticals[vertical_id])


@dataclasses.dataclass(frozen=True)
class OnnxTeachers:
    """Holds ONNX files that are named after the verticals; each sees views of its own size."""

    config: Config
    space: LabelSpace

    def fingerprint(self, vertical_id: int) -> str:
        return onnx_network.fingerprint(self._path(vertical_id))

    def load(self, vertical_id: int) -> Callable[[Batch], np.ndarray]:
        network = onnx_network.OnnxNetwork(
            self._path(vertical_id), self.space.restrict(vertical_id), self.config.data.channels,
            self.config.soft_targets.batch_size,
        )
        views = jax.jit(networks.split_views(self.config, "train", network.image_size))

        def ask(batch: Batch) -> np.ndarray:
            return network(np.asarray(views(batch["image"], batch["record_id"], batch["view"])))

        return ask

    def _path(self, vertical_id: int) -> pathlib.Path:
        name = artifacts.safe_name(self.space.verticals[vertical_id])
        return pathlib.Path(self.config.soft_targets.onnx_teachers) / f"{name}.onnx"
