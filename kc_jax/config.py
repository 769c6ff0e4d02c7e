"""The configuration as frozen dataclasses, one per part, built from an ml_collections file."""

import dataclasses
import difflib
import typing
from collections.abc import Mapping
from typing import Any

from kc_jax.core.head_spec import HeadSpec
from kc_jax.errors import UserError


class ConfigError(UserError, ValueError):
    """Names the option that is wrong, what was expected, and the remedy."""


@dataclasses.dataclass(frozen=True)
class Data:
    """Says what images there are and how they are seen.

    Attributes:
      source: where records come from: images of yours in a ``folder``, a ``manifest``, or a dataset
        of ``tfds`` or ``huggingface``, which are packed at first use; ``packed`` for a folder so
        made; ``glyph_tree``; or ``declared`` for a label space without images, which serves
        `describe` and timing alone.
      variant: the source's own variant, such as ``embedded``.
      directory: where the source's data lies; empty for its default, such as a cache in the home.
      manifest: CSV, JSON lines or Parquet with a row an image.
      dataset: name of the dataset of ``tfds`` or ``huggingface``.
      image_key: feature or column of the image.
      label_key: feature or column of a class, its name or id, or of a list of them.
      vertical_key: that of the classes' vertical, or path above it; empty where labels are paths or
        a label space says it.
      id_key: that of a record's name; empty takes its path or place.
      confidence_key: that of the labels' confidences; empty where all labels count.
      min_confidence: that a label needs to count.
      label_space: CSV of your label space; empty makes it of the labels.
      train_split: the source's split to learn from; several are written a+b.
      test_split: its split to test on; empty takes test, validation or val, and where there is none
        ``held_out``, a part of the images chosen by a hash of their names.
      test_share: of the images, where held out.
      max_pixels: of an image; larger ones are left out.
      prepared: folder for packed images; empty for one in the user's home.
      num_classes: classes of a ``declared`` label space without a CSV.
      num_verticals: its verticals, of sizes that differ by at most one.
      image_size: height and width the network sees, pixels.
      channels: colour channels of an image.
      augmentation: name of the random view drawn of each training image.
      test_augmentation: name of the view drawn of each test image.
      seed: of views.
      test_views: fixed views of each judged image.
      judged_on: ``test``, or ``validation`` to choose settings: a part of the training records that
        no network learns from then stands in for the test records.
      validation_share: of the training records, held out by hash where judged on ``validation``.
      synthetic: nothing is read: noise takes the place of images, and every network is trained on
        one batch that lies on the device. For timing; works without images, as with ``declared``.
      num_records: of a split, where ``synthetic``; otherwise the source says.
      read_threads: that read, decode and assemble training batches; no result depends on it.
    """

    source: str
    variant: str
    directory: str
    manifest: str
    dataset: str
    image_key: str
    label_key: str
    vertical_key: str
    id_key: str
    confidence_key: str
    min_confidence: float
    label_space: str
    train_split: str
    test_split: str
    test_share: float
    max_pixels: int
    prepared: str
    num_classes: int
    num_verticals: int
    image_size: int
    channels: int
    augmentation: str
    test_augmentation: str
    seed: int
    test_views: int
    judged_on: str
    validation_share: float
    synthetic: bool
    num_records: int
    read_threads: int


@dataclasses.dataclass(frozen=True)
class Model:
    """Says what all networks share.

    Attributes:
      backbone: name in `models.backbones.BACKBONES`.
      backbone_options: options of each backbone, by its name; those of the chosen one count.
      backbone_init_from: weights that every network's backbone starts from: a safetensors file
        with the names of torchvision or timm, or the directory of a trained network of this
        backbone; empty draws them. A network that starts from the generalist takes its backbone,
        where ``init_parts`` names that, from there.
      backbone_freeze: whether backbones stay as they start, their batch statistics too.
      kernel_stddev: see `models.heads.Logits`.
      compute_dtype: ``float32`` or ``bfloat16``; parameters are f32.
    """

    backbone: str
    backbone_options: Mapping[str, Mapping[str, Any]]
    backbone_init_from: str
    backbone_freeze: bool
    kernel_stddev: float
    compute_dtype: str


@dataclasses.dataclass(frozen=True)
class Multipliers:
    """Multiplies the learning rate of the network's parts; 0 keeps a part's parameters.

    Attributes:
      backbone: for the layers that turn an image into features.
      trunk: for the first top layer.
      bottleneck: for the second top layer.
      logits: for the layer that names classes.
      pace: for the scaling factors of self-paced logits.
    """

    backbone: float
    trunk: float
    bottleneck: float
    logits: float
    pace: float


@dataclasses.dataclass(frozen=True)
class Optimizer:
    """Says how parameters move: Adagrad at a scheduled rate.

    Attributes:
      learning_rate: at its height.
      initial_accumulator: start of Adagrad's sums of squares.
      schedule: ``constant``, ``linear`` or ``cosine`` decay to 0.
      warmup: share of the steps over which the rate rises from 0.
      multipliers: of the rate, part by part.
    """

    learning_rate: float
    initial_accumulator: float
    schedule: str
    warmup: float
    multipliers: Multipliers


@dataclasses.dataclass(frozen=True)
class SelfPaced:
    """Says whether and how logits are paced; see `core.self_paced`.

    Attributes:
      level: ``none``, ``vertical`` or ``class``.
      initial: ``sqrt_size`` or ``constant``.
      scale: multiplies the initial mean.
      deviation: standard deviation of the initial values.
    """

    level: str
    initial: str
    scale: float
    deviation: float


@dataclasses.dataclass(frozen=True)
class Training:
    """Says how one network is trained.

    Attributes:
      head: the top layers in the papers' notation, such as ``FC4096-SC512``, or ``linear``: none.
      init_from: ``scratch`` or ``generalist``.
      init_parts: parts that start from the generalist's: of backbone, trunk, bottleneck, logits.
      num_epochs: passes over the network's training images.
      batch_size: images a step.
      microbatches: parts of a batch taken one after the other, whose gradients add up.
      balance: ``vertical`` or ``class`` shows images of rare ones more often, ``none`` all alike.
      balance_strength: s of a share in proportion to n^(1 − s) for n images: 0 changes nothing, 1
        makes shares equal.
      label_smearing: whether positives include all their ancestors.
      distill_weight: share of the soft targets in the target, the rest being the labels.
      optimizer: how parameters move.
      self_paced: whether logits are paced.
    """

    head: str
    init_from: str
    init_parts: tuple[str, ...]
    num_epochs: float
    batch_size: int
    microbatches: int
    balance: str
    balance_strength: float
    label_smearing: bool
    distill_weight: float
    optimizer: Optimizer
    self_paced: SelfPaced


@dataclasses.dataclass(frozen=True)
class Student(Training):
    """Adds the student's name, under which several students share a working directory.

    Attributes:
      name: a word of letters, digits and underscores; the folder under ``students/``.
    """

    name: str


@dataclasses.dataclass(frozen=True)
class SoftTargets:
    """Says what is kept of the teachers.

    Attributes:
      top_k: probabilities kept of each vertical that an image belongs to.
      num_views: stored augmented views of each image; a distilled student sees these in turn.
      batch_size: images a step of inference.
      verify_records: records of each vertical that `verify_soft_targets` computes anew.
      onnx_teachers: folder with an ONNX file for each vertical, which `write_soft_targets` asks in
        place of teachers of ours; empty for these. docs/your_own_teachers.md describes it.
      predictions: Parquet or JSONL file, or a folder of them, for `import_soft_targets`.
      prediction_kind: what they hold: ``probabilities``, or ``logits``, whose sigmoid is meant.
      missing: what `import_soft_targets` does with images without predictions: ``refuse``, or
        ``labels``, which lets them be learnt from their labels.
    """

    top_k: int
    num_views: int
    batch_size: int
    verify_records: int
    onnx_teachers: str
    predictions: str
    prediction_kind: str
    missing: str


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Says how test images are judged.

    Attributes:
      batch_size: images a step.
      at_k: how many names the mean average precision at K looks at.
      gallery_size: test images on the report's page of examples.
      confusions: pairs of classes taken for one another that are shown of each vertical and of all.
      wanted_precision: share of right names among those that reach a vertical's threshold.
    """

    batch_size: int
    at_k: int
    gallery_size: int
    confusions: int
    wanted_precision: float


@dataclasses.dataclass(frozen=True)
class Mesh:
    """Says how devices, and the logits on them, are laid out.

    Attributes:
      data: devices that share a batch; -1 takes those that are left.
      model: devices that share the head, whole verticals each where that is even.
      layout: of the logits: ``per_vertical``, a kernel for each; ``tiled``, which can be shared; or
        ``auto``, the first on one ``model`` device and the second on more. Checkpoints fit all.
      tile: classes a tile; 0 takes the largest that pads at most a tenth.
    """

    data: int
    model: int
    layout: str
    tile: int


@dataclasses.dataclass(frozen=True)
class Running:
    """Says how a run is watched and saved.

    Attributes:
      checkpoint_every_steps: between checkpoints of one training.
      log_every_steps: between lines of metrics.jsonl.
      print_every_seconds: between progress lines where there is no terminal.
      teacher_processes: that train teachers at once, each on its share of the cores; 0 takes one
        for every core, and one where the devices are not CPUs. Each needs memory of its own.
      sinks: where the lines of metrics.jsonl go besides: some of ``tensorboard`` and ``wandb``.
    """

    checkpoint_every_steps: int
    log_every_steps: int
    print_every_seconds: float
    teacher_processes: int
    sinks: tuple[str, ...]


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
      student: how the one network for all classes is trained.
      evaluation: how test images are judged.
      mesh: how devices are laid out.
      running: how a run is watched and saved.
    """

    name: str
    seed: int
    stages: tuple[str, ...]
    data: Data
    model: Model
    generalist: Training
    teachers: Training
    soft_targets: SoftTargets
    student: Student
    evaluation: Evaluation
    mesh: Mesh
    running: Running


CHOICES = {
    "judged_on": ("test", "validation"),
    "layout": ("auto", "per_vertical", "tiled"),
    "schedule": ("constant", "linear", "cosine"),
    "level": ("none", "vertical", "class"),
    "balance": ("none", "vertical", "class"),
    "initial": ("sqrt_size", "constant"),
    "init_from": ("scratch", "generalist"),
    "compute_dtype": ("float32", "bfloat16"),
    "prediction_kind": ("probabilities", "logits"),
    "missing": ("refuse", "labels"),
    "input_layout": ("NCHW", "NHWC"),
    "output": ("logits", "probabilities", "softmax"),
}
POSITIVE = {
    "num_epochs", "batch_size", "microbatches", "learning_rate", "top_k", "num_views", "image_size",
    "channels", "test_views", "at_k", "checkpoint_every_steps", "log_every_steps", "num_classes",
    "num_verticals", "num_records", "print_every_seconds", "verify_records", "read_threads",
    "max_pixels",
}
LISTED = {
    "init_parts": ("backbone", "trunk", "bottleneck", "logits"),
    "sinks": ("tensorboard", "wandb"),
}
NOT_NEGATIVE = {"seed", "tile", "teacher_processes", "gallery_size", "confusions"}
SHARES = {
    "distill_weight", "warmup", "validation_share", "test_share", "wanted_precision",
    "balance_strength",
}


def build(options: Mapping[str, Any]) -> Config:
    """Builds and checks the configuration.

    Args:
      options: nested mapping, such as an `ml_collections.ConfigDict`.

    Raises:
      ConfigError: on an unknown, missing, wrongly typed or impossible option.
    """
    config = build_part(Config, options, "config")
    _check_together(config)
    return config


def describe_differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list:
    """Lists the leaves in which two nested mappings differ, as ``name: old → new``."""
    lines = []
    for key in sorted(old.keys() | new.keys()):
        name = f"{prefix}{key}"
        before, after = old.get(key), new.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            lines += describe_differences(before, after, f"{name}.")
        elif before != after:
            lines.append(f"{name}: {before!r} → {after!r}")
    return lines


def build_part(cls, options: Any, path: str = "config"):
    """Builds one part's dataclass.

    Args:
      cls: a dataclass of this module.
      options: nested mapping with exactly its fields.
      path: where the part stands, for errors.

    Raises:
      ConfigError: see `build`.
    """
    values = dict(_items(options, path))
    hints = typing.get_type_hints(cls)
    for key in values:
        if key not in hints:
            close = difflib.get_close_matches(key, hints, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else "."
            raise ConfigError(
                f"{path}.{key} is unknown{hint} Options here: {', '.join(hints)}"
            )
    missing = [key for key in hints if key not in values]
    if missing:
        raise ConfigError(f"{path}.{missing[0]} is missing; add it to the config file")
    return cls(**{key: _value(hints[key], values[key], f"{path}.{key}") for key in hints})


def _items(options: Any, path: str):
    if not hasattr(options, "items"):
        raise ConfigError(f"{path} is {options!r}; expected a group of options")
    return options.items()


def _value(hint, value, path: str):
    if dataclasses.is_dataclass(hint):
        return build_part(hint, value, path)
    origin = typing.get_origin(hint)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{path} is {value!r}; expected a list")
        _check_listed(path, value)
        return tuple(value)
    if origin is not None:
        _, inner = typing.get_args(hint)
        return {key: _value(inner, v, f"{path}.{key}") for key, v in _items(value, path)}
    if hint is Any:
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not hint:
        raise ConfigError(f"{path} is {value!r}; expected a value of type {hint.__name__}")
    _check_value(path, value)
    return value


def _check_value(path: str, value) -> None:
    key = path.rsplit(".", 1)[-1]
    if key in CHOICES and value not in CHOICES[key]:
        raise ConfigError(f"{path} is {value!r}; expected one of {', '.join(CHOICES[key])}")
    if key in POSITIVE and not value > 0:
        raise ConfigError(f"{path} is {value}; expected more than 0")
    if (key in NOT_NEGATIVE or ".multipliers." in path) and not value >= 0:
        raise ConfigError(f"{path} is {value}; expected at least 0")
    if key in SHARES and not 0 <= value <= 1:
        raise ConfigError(f"{path} is {value}; expected 0 to 1")
    if key == "head":
        try:
            HeadSpec.parse(value)
        except ValueError as error:
            raise ConfigError(f"{path}: {error}") from None


def _check_listed(path: str, values) -> None:
    known = LISTED.get(path.rsplit(".", 1)[-1])
    for value in values:
        if known and value not in known:
            raise ConfigError(f"{path} has {value!r}; expected some of {', '.join(known)}")


def _check_together(config: Config) -> None:
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
    if config.generalist.init_from != "scratch":
        raise ConfigError("config.generalist.init_from is 'generalist'; it must be 'scratch'")
    if not config.student.name.isidentifier() or config.student.name in (
        "generalist", "specialists", "teachers",
    ):
        raise ConfigError(
            f"config.student.name is {config.student.name!r}; expected a word of letters, digits "
            "and underscores other than generalist, specialists and teachers"
        )
