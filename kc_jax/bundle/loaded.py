"""A bundle in memory: images in, logits and names out."""

import dataclasses
import difflib
import json
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import jax
import numpy as np
import safetensors.numpy
from jax import export

from kc_jax.bundle import files
from kc_jax.bundle.calibration import Calibration
from kc_jax.core import label_space as label_spaces
from kc_jax.core.average_precision import best_classes
from kc_jax.core.label_space import LabelSpace
from kc_jax.core.log_odds import sigmoid
from kc_jax.errors import UserError


class UnknownVerticalError(UserError, ValueError):
    """Says which vertical a bundle does not have, and which it has."""


class ImageShapeError(UserError, ValueError):
    """Says what shape and type a batch of images has to have."""


@dataclasses.dataclass(frozen=True)
class Ancestor:
    """Holds a class that another belongs to, and how probable it is itself."""

    class_id: int
    name: str
    probability: float


@dataclasses.dataclass(frozen=True)
class Name:
    """Holds one name that an image was given.

    Attributes:
      class_id: of the label space.
      name: of the class.
      vertical: that it belongs to.
      probability: calibrated where the bundle has a calibration.
      logit: of the network.
      above_threshold: whether the probability reaches the vertical's threshold, which none does
        where the vertical has none; None where the bundle has no calibration.
      ancestors: of the class, nearest first.
    """

    class_id: int
    name: str
    vertical: str
    probability: float
    logit: float
    above_threshold: bool | None
    ancestors: tuple[Ancestor, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Bundle:
    """Names what is in images; see `Bundle.load`.

    Attributes:
      directory: that it was loaded from.
      space: C classes with their names, verticals and ancestors.
      side: height and width of the images it takes, pixels.
      channels: of these images: 1 for grey, 3 for colour.
      calibration: of its logits.
      is_calibrated: whether the bundle brought a calibration; else logits are log-odds as they are.
      named: bool[C], the classes that training labels name; others, such as ancestors that no image
        is labelled with, are never a first name.
      metrics: what was found when the network was judged.
      manifest: of the bundle.
    """

    directory: pathlib.Path
    space: LabelSpace
    side: int
    channels: int
    calibration: Calibration
    is_calibrated: bool
    named: np.ndarray
    metrics: dict[str, Any]
    manifest: dict[str, Any]
    _call: Any = dataclasses.field(repr=False)
    _weights: dict[str, jax.Array] = dataclasses.field(repr=False)

    @classmethod
    def load(cls, path: str | pathlib.Path) -> "Bundle":
        """Loads the folder that the stage export wrote, after comparing all checksums.

        Needs JAX, NumPy, safetensors and Pillow, and none of the network's code.

        Raises:
          BundleError: a file is missing, torn, or of another version.
        """
        directory = pathlib.Path(path)
        manifest = files.verify(directory)

        def read(name):
            return json.loads((directory / name).read_text(encoding="utf-8"))

        space = label_spaces.read_json(directory / files.LABEL_SPACE)
        is_calibrated = files.CALIBRATION in manifest["files"]
        preprocessing = read(files.PREPROCESSING)
        program = export.deserialize(bytearray((directory / files.PROGRAM).read_bytes()))
        return cls(
            directory=directory,
            space=space,
            side=preprocessing["side"],
            channels=preprocessing["channels"],
            calibration=Calibration.from_json(
                read(files.CALIBRATION) if is_calibrated else None, space
            ),
            is_calibrated=is_calibrated,
            named=np.array(read(files.TRAINING_IMAGES)) > 0,
            metrics=read(files.METRICS),
            manifest=manifest,
            _call=jax.jit(program.call),
            _weights=jax.device_put(safetensors.numpy.load_file(directory / files.WEIGHTS)),
        )

    @property
    def name(self) -> str:
        return self.manifest["name"]

    def classify(self, images: np.ndarray) -> jax.Array:
        """Asks the network; returns at once, and waits where the result is read.

        Every number of images compiles once.

        Args:
          images: u8[B, side, side, channels]; see `kc_jax.bundle.images.read_square`.

        Returns:
          Logits f32[B, C], in the order of the label space.

        Raises:
          ImageShapeError: they have another shape or type.
        """
        shape = (self.side, self.side, self.channels)
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != shape:
            raise ImageShapeError(
                f"the images are {images.dtype}{list(images.shape)}; expected uint8[B, "
                f"{', '.join(map(str, shape))}], as kc_jax.bundle.images.read_square gives them"
            )
        return self._call(self._weights, images)

    def listed(self, text: str) -> list[str]:
        """Reads names of verticals: one, which may have commas in it, or several between commas."""
        names = [text] if text in self.space.verticals else text.split(",")
        return [name for name in names if name]

    def vertical_ids(self, names: Iterable[str]) -> list[int]:
        """Finds verticals by name.

        Raises:
          UnknownVerticalError: there is none of a name.
        """
        known = {name: v for v, name in enumerate(self.space.verticals)}
        ids = []
        for name in names:
            if name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {close[0]!r}? " if close else ""
                raise UnknownVerticalError(
                    f"vertical {name!r} is unknown; {hint}Verticals: {', '.join(known)}"
                )
            ids.append(known[name])
        return ids

    def names(
        self, logits: np.ndarray, top: int = 5, verticals: Sequence[str] = ()
    ) -> list[list[Name]]:
        """Gives the most probable names of each image, best first.

        Args:
          logits: f32[B, C], of `classify`.
          top: names wanted of each image.
          verticals: that names are taken from (Gao et al. 2017, section 4.1: the logits are pruned
            to a vertical's classes); all where empty.

        Raises:
          UnknownVerticalError: there is no such vertical.
        """
        logits = np.asarray(logits)
        log_odds = self.calibration.log_odds(logits)
        candidates = self._candidates(verticals)
        best = candidates[best_classes(log_odds[:, candidates], min(top, len(candidates)))]
        return [
            [self._name(int(c), logits[row], log_odds[row]) for c in class_ids]
            for row, class_ids in enumerate(best)
        ]

    def _candidates(self, verticals: Sequence[str]) -> np.ndarray:
        named = self.named
        if verticals:
            wanted = self.vertical_ids(verticals)
            named = named & np.isin(self.space.vertical_of_class, wanted)
        return np.flatnonzero(named)

    def _name(self, class_id: int, logits: np.ndarray, log_odds: np.ndarray) -> Name:
        def probability(c: int) -> float:
            return float(sigmoid(log_odds[c]))

        space, threshold = self.space, self.calibration.threshold[class_id]
        return Name(
            class_id=class_id,
            name=space.names[class_id],
            vertical=space.verticals[space.vertical_of_class[class_id]],
            probability=probability(class_id),
            logit=float(logits[class_id]),
            above_threshold=(
                bool(probability(class_id) >= threshold) if self.is_calibrated else None
            ),
            ancestors=tuple(
                Ancestor(c, space.names[c], probability(c)) for c in space.ancestors[class_id]
            ),
        )
