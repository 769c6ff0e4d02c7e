"""A network of other make, in an ONNX file with a JSON file beside it that says how it is asked."""

import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Sequence
from typing import Annotated

import numpy as np

from kc_jax import artifacts
from kc_jax.core import log_odds
from kc_jax.core.label_space import LabelSpace
from kc_jax.errors import UserError
from kc_jax.options import Above, Not, OneOf, Positive, build_part

PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")
TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


class OnnxError(UserError, ValueError):
    """Says what is wrong with an ONNX file or the file beside it, and what to do."""


@dataclasses.dataclass(frozen=True)
class Declaration:
    """Says what a network takes and gives; NAME.json beside NAME.onnx has these keys.

    Attributes:
      input_layout: ``NCHW`` or ``NHWC``.
      image_size: height and width that it takes, pixels.
      scale: of the pixels: they are 0 to ``scale`` before ``mean`` and ``std``, so 1.0 or 255.0.
      mean: subtracted from each channel; one value, or one a channel.
      std: divides each channel after that.
      output: ``logits``, each class's own yes or no; ``probabilities``; or ``softmax``, logits that
        a softmax over the outputs is to follow.
      classes: what each output stands for, the paths of the vertical's classes, or their names;
        empty where outputs are in the order of their ids.
    """

    input_layout: Annotated[str, OneOf("NCHW", "NHWC")]
    image_size: Positive
    scale: Annotated[float, Above(0)]
    mean: tuple[float, ...]
    std: tuple[Annotated[float, Not(0)], ...]
    output: Annotated[str, OneOf("logits", "probabilities", "softmax")]
    classes: tuple[str, ...]


class OnnxNetwork:
    """Asks an ONNX file about images.

    Args:
      path: of the ONNX file.
      space: label space of its classes.
      channels: of the images.
      batch_size: images it will be asked about at once.

    Attributes:
      image_size: height and width of the images it takes, pixels.

    Raises:
      OnnxError: a file is missing, or does not fit the images, the classes or the batches.
    """

    def __init__(self, path: pathlib.Path, space: LabelSpace, channels: int, batch_size: int):
        self._path, self._num_classes = path, space.num_classes
        self._declared = _read_declaration(path, channels)
        self.image_size = self._declared.image_size
        self._order = self._output_order(space)
        self._session = _open_session(path)
        wanted = self._axes(np.array([batch_size, self.image_size, self.image_size, channels]))
        self._check_input(wanted)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Gives the log-odds of the classes.

        Args:
          images: f32[B, image_size, image_size, channels], −1 to 1.

        Returns:
          f32[B, C], by class id.

        Raises:
          OnnxError: the network gives something else than so many values of its kind.
        """
        declared = self._declared
        pixels = (images + 1.0) * (declared.scale / 2)
        ready = (pixels - np.float32(declared.mean)) / np.float32(declared.std)
        if declared.input_layout == "NCHW":
            ready = ready.transpose(0, 3, 1, 2)
        (taken,) = self._session.get_inputs()
        (values,) = self._session.run(None, {taken.name: ready.astype(TYPES[taken.type])})
        if values.shape != (len(images), self._num_classes):
            raise OnnxError(
                f"{self._path} gives {values.shape} for {len(images)} images; expected "
                f"({len(images)}, {self._num_classes}), an output for each class of its vertical"
            )
        if not np.all(log_odds.is_valid(values, declared.output)):
            raise OnnxError(
                f"{self._path} gives values that are no {declared.output}, from {values.min()} to "
                f"{values.max()}; set 'output' in {beside(self._path)} to what it gives"
            )
        return log_odds.CONVERSIONS[declared.output](values)[:, self._order]

    def _axes(self, nhwc: np.ndarray) -> list[int]:
        places = [0, 3, 1, 2] if self._declared.input_layout == "NCHW" else [0, 1, 2, 3]
        return nhwc[places].tolist()

    def _check_input(self, wanted: list[int]) -> None:
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 1:
            raise OnnxError(
                f"{self._path} has {len(inputs)} inputs and {len(outputs)} outputs; expected one "
                "of each"
            )
        taken, given = inputs[0], outputs[0]
        if taken.type not in TYPES:
            raise OnnxError(
                f"{self._path} takes {taken.type}; expected one of {', '.join(TYPES)}"
            )
        fits = len(taken.shape) == 4 and all(
            not isinstance(has, int) or has == needs
            for has, needs in zip(taken.shape, wanted, strict=True)
        )
        if not fits:
            raise OnnxError(
                f"{self._path} takes images {taken.shape}; expected {wanted}, from "
                "config.soft_targets.batch_size, 'image_size' and 'input_layout' in "
                f"{beside(self._path)}, and config.data.channels"
            )
        if isinstance(given.shape[-1], int) and given.shape[-1] != self._num_classes:
            raise OnnxError(
                f"{self._path} has {given.shape[-1]} outputs; expected {self._num_classes}, one "
                "for each class of its vertical"
            )

    def _output_order(self, space: LabelSpace) -> np.ndarray:
        """Finds the output of each class: i64[C]."""
        names = self._declared.classes
        if not names:
            return np.arange(space.num_classes)
        own = space.paths if set(names) <= set(space.paths) else space.names
        if sorted(names) != sorted(own):
            odd = sorted(set(names) ^ set(own))
            raise OnnxError(
                f"{beside(self._path)} has other 'classes' than the vertical's {len(own)}: "
                f"{', '.join(map(repr, odd[:3])) or 'one of them twice'}; expected the path or the "
                "name of each class once, in the order of the outputs"
            )
        return np.array([names.index(name) for name in own])


def beside(path: pathlib.Path) -> pathlib.Path:
    """Names the file that says how the network of an ONNX file is asked."""
    return path.with_suffix(".json")


def fingerprint(path: pathlib.Path) -> str:
    """Hashes an ONNX file, weights that it keeps beside it, and what is declared of it.

    Args:
      path: of the ONNX file.

    Raises:
      OnnxError: a file is missing.
    """
    files = [*_require([path, beside(path)]), *sorted(path.parent.glob(f"{path.name}?*"))]
    digests = []
    for name in files:
        with name.open("rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    return artifacts.fingerprint(digests)


def _require(paths: Sequence[pathlib.Path]) -> Sequence[pathlib.Path]:
    for path in paths:
        if not path.is_file():
            raise OnnxError(
                f"{path} is missing; every vertical needs an ONNX file and, beside it, a JSON file "
                f"of the same name with the keys {', '.join(_KEYS)}"
            )
    return paths


_KEYS = [field.name for field in dataclasses.fields(Declaration)]


def _read_declaration(path: pathlib.Path, channels: int) -> Declaration:
    _, where = _require([path, beside(path)])
    try:
        options = {"classes": [], **json.loads(where.read_text(encoding="utf-8"))}
    except (ValueError, TypeError) as error:
        raise OnnxError(
            f"{where} is no JSON object: {error}; expected one with the keys {', '.join(_KEYS)}"
        ) from None
    declared = build_part(Declaration, options, str(where))
    for key in ("mean", "std"):
        values = getattr(declared, key)
        if len(values) not in (1, channels):
            raise OnnxError(
                f"{where} has the {key!r} {list(values)}; expected a number, or one for each of "
                f"{channels} channels, in a list"
            )
    return declared


def _open_session(path: pathlib.Path):
    try:
        import onnxruntime
    except ImportError:
        raise OnnxError(
            f"{path} is asked by onnxruntime, which is not installed: pip install 'kc_jax[onnx]'"
        ) from None
    providers = [name for name in PROVIDERS if name in onnxruntime.get_available_providers()]
    try:
        return onnxruntime.InferenceSession(str(path), providers=providers)
    except Exception as error:  # Its exceptions have no base of their own.
        reason = " ".join(str(error).split())
        raise OnnxError(f"{path} is no network that onnxruntime can run: {reason}") from None
