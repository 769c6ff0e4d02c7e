"""The configuration as frozen dataclasses, one per part, built from an ml_collections file."""

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any

from kc_jax.core import tolerance
from kc_jax.core.head_spec import HeadSpec
from kc_jax.options import (
    Above,
    AtLeast,
    Below,
    ConfigError,
    Constraint,
    Increasing,
    NameOtherThan,
    Not,
    NotNegative,
    OneOf,
    Positive,
    Seed,
    Share,
    SomeOf,
    build_part,
)


class Beginning(Constraint):
    """Takes what a network may start from."""

    def __str__(self):
        return "scratch, generalist, or the folder of a trained network, with a / in it"

    def allows(self, value) -> bool:
        return value in ("scratch", "generalist") or "/" in value


class Head(Constraint):
    """Takes what `core.head_spec` reads."""

    def __str__(self):
        return "in the papers' notation"

    def check(self, path: str, value) -> None:
        try:
            HeadSpec.parse(value)
        except ValueError as error:
            raise ConfigError(f"{path}: {error}") from None


Multiplier = Annotated[float, AtLeast(0)]
View = Annotated[str, OneOf(
    "glyph", "glyph_centre", "photo", "photo_centre", "small_photo", "small_photo_centre",
    "jittered_photo", "jittered_photo_centre",
)]


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
      verticals: ``given``, those of the source; ``discovered``, clusters of what a network
        confuses, which is trained first; ``permuted``, clusters of the same sizes with classes
        dealt to them at random, for comparison; or a CSV of clusters, as learn_structure writes it.
      image_size: height and width the network sees, pixels.
      channels: colour channels of an image.
      augmentation: the view drawn of the square in the middle of each training image: ``glyph`` of
        a white on black mask, ``photo``, a crop of random area, ``small_photo``, padded by 4 pixels
        and shifted, or ``jittered_photo``, turned, stretched, cropped and coloured at random; the
        last three are mirrored half the time, and the ``_centre`` of each leaves nothing to chance.
      test_augmentation: the view drawn of each test image.
      seed: of views.
      test_views: fixed views of each judged image.
      judged_on: ``test``, or ``validation`` to choose settings: a part of the training records that
        no network learns from then stands in for the test records.
      hold_out: whether that part is taken out of the training records where judged on ``test`` too,
        for clusters of classes to be found on.
      validation_share: of the training records, the part that is held out, by hash.
      label_noise: of the training records, the part whose labels are swapped for others of their
        verticals, to see what methods make of wrong labels; judged images keep theirs.
      labelled_share: of the training records, the part whose labels are known, by hash; of the
        others the verticals alone are, so that soft targets teach them and nothing else does.
      synthetic: nothing is read: noise takes the place of images, and every network is trained on
        one batch that lies on the device. For timing; works without images, as with ``declared``.
      num_records: of a split, where ``synthetic``; otherwise the source says.
      read_threads: that read, decode and assemble batches; no result depends on it.
      on_device: whether all training images are read first and lie on every device, which must have
        room for them: 4 KiB for a glyph of 64 × 64 pixels. No result depends on it.
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
    test_share: Share
    max_pixels: Positive
    prepared: str
    num_classes: Positive
    num_verticals: Positive
    verticals: str
    image_size: Positive
    channels: Positive
    augmentation: View
    test_augmentation: View
    seed: Seed
    test_views: Positive
    judged_on: Annotated[str, OneOf("test", "validation")]
    hold_out: bool
    validation_share: Share
    label_noise: Share
    labelled_share: Share
    synthetic: bool
    num_records: Positive
    read_threads: Positive
    on_device: bool


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
    kernel_stddev: Annotated[float, AtLeast(0)]
    compute_dtype: Annotated[str, OneOf("float32", "bfloat16")]


@dataclasses.dataclass(frozen=True)
class Multipliers:
    """Multiplies the learning rate of the network's parts; 0 keeps a part's parameters.

    Attributes:
      backbone: for the layers that turn an image into features.
      trunk: for the first top layer.
      bottleneck: for the second top layer.
      logits: for the layer that names classes.
      pace: for the scaling factors of self-paced logits.
      auxiliary: for auxiliary heads, with their logits.
    """

    backbone: Multiplier
    trunk: Multiplier
    bottleneck: Multiplier
    logits: Multiplier
    pace: Multiplier
    auxiliary: Multiplier


@dataclasses.dataclass(frozen=True)
class Optimizer:
    """Says how parameters move, at a scheduled rate.

    Attributes:
      kind: ``adagrad``, or ``sgd`` with Nesterov's momentum.
      learning_rate: at its height.
      initial_accumulator: start of Adagrad's sums of squares. Gradients are means over the
        batch, so rare classes in a large one want less: `glyph100k`, of 256 images instead of 32,
        takes a 64th.
      momentum: of ``sgd``: what is left of its velocity at the next step.
      clip_norm: norm of all gradients together beyond which they are scaled down to it; 0 never
        does. Gradients then lie in memory together.
      weight_decay: share of every parameter that is added to its gradient first.
      schedule: ``constant``; ``linear`` or ``cosine`` decay to 0; or ``steps``, divided by 10 at
        each milestone.
      warmup: share of the steps over which the rate rises from 0.
      milestones: shares of the training's steps, its warm-up among them.
      multipliers: of the rate, part by part.
    """

    kind: Annotated[str, OneOf("adagrad", "sgd")]
    learning_rate: Annotated[float, Above(0)]
    initial_accumulator: Annotated[float, AtLeast(0)]
    momentum: Annotated[float, AtLeast(0), Below(1)]
    clip_norm: Annotated[float, AtLeast(0)]
    weight_decay: Annotated[float, AtLeast(0)]
    schedule: Annotated[str, OneOf("constant", "linear", "cosine", "steps")]
    warmup: Share
    milestones: Annotated[tuple[Annotated[float, Above(0), Below(1)], ...], Increasing()]
    multipliers: Multipliers


@dataclasses.dataclass(frozen=True)
class SelfPaced:
    """Says whether and how logits are paced; see `core.self_paced`.

    Attributes:
      level: ``none``, ``vertical`` or ``class``.
      initial: ``sqrt_size``, ``prior`` or ``constant``.
      scale: multiplies the initial mean.
      deviation: standard deviation of the initial values.
    """

    level: Annotated[str, OneOf("none", "vertical", "class")]
    initial: Annotated[str, OneOf("sqrt_size", "prior", "constant")]
    scale: float
    deviation: Annotated[float, AtLeast(0)]


@dataclasses.dataclass(frozen=True)
class Tolerance:
    """Says how much a network is to leave to the classes next to the first; see `core.tolerance`.

    Attributes:
      confidence: score of the first class that it is taught to stop at, above 1/K and up to 1,
        which is no tolerance.
      num_similar: K, the first class and those next to it that share the rest.
    """

    confidence: float
    num_similar: Annotated[int, AtLeast(2)]


@dataclasses.dataclass(frozen=True)
class Training:
    """Says how one network is trained.

    Attributes:
      head: the top layers in the papers' notation, such as ``FC4096-SC512``, or ``linear``: none.
      init_from: ``scratch``, ``generalist``, or the folder of a network of another run, whose
        classes may differ: verticals and classes that both have start from what it knows.
      init_parts: parts that start from there: of backbone, trunk, bottleneck, logits.
      num_epochs: passes over the network's training images.
      batch_size: images a step, of all devices together.
      microbatches: parts of a batch taken one after the other, whose gradients add up.
      balance: ``vertical`` or ``class`` shows images of rare ones more often, ``none`` all alike.
      balance_strength: s of a share in proportion to n^(1 − s) for n images: 0 changes nothing, 1
        makes shares equal.
      label_smearing: whether positives include all their ancestors.
      loss: ``sigmoid``, a yes or no for each class, or ``softmax``, one class of all.
      tolerance: of a network that is to teach.
      distill_weight: share of what the teacher says in the target, the rest being the labels.
      temperature: that softens teacher and student where a softmax is distilled, which is in
        `generations` alone; 1 does nothing.
      optimizer: how parameters move.
      self_paced: whether logits are paced.
    """

    head: Annotated[str, Head()]
    init_from: Annotated[str, Beginning()]
    init_parts: Annotated[tuple[str, ...], SomeOf("backbone", "trunk", "bottleneck", "logits")]
    num_epochs: Annotated[float, Above(0)]
    batch_size: Positive
    microbatches: Positive
    balance: Annotated[str, OneOf("none", "vertical", "class")]
    balance_strength: Share
    label_smearing: bool
    loss: Annotated[str, OneOf("sigmoid", "softmax")]
    tolerance: Tolerance
    distill_weight: Share
    temperature: Annotated[float, Above(0)]
    optimizer: Optimizer
    self_paced: SelfPaced


@dataclasses.dataclass(frozen=True)
class Student(Training):
    """Adds the student's name, under which several students share a working directory.

    Attributes:
      name: a word of letters, digits and underscores; the folder under ``students/``.
    """

    name: Annotated[str, NameOtherThan("generalist", "specialists", "teachers")]


@dataclasses.dataclass(frozen=True)
class Generations(Training):
    """Says how generations are trained, each the teacher of the next (Yang et al. 2018).

    The first, the patriarch, learns from labels alone and is the one that ``tolerance`` is for.

    Attributes:
      name: under which several processes share a working directory.
      num_generations: that follow the patriarch.
      teacher_signal: ``computed`` asks the teacher about every batch; ``stored`` asks it once and
        keeps as many views and scores as ``soft_targets`` says.
    """

    name: Annotated[str, NameOtherThan("generalist")]
    num_generations: Positive
    teacher_signal: Annotated[str, OneOf("computed", "stored")]


@dataclasses.dataclass(frozen=True)
class Structure:
    """Says how auxiliary heads are grown on a trained network (Warde-Farley et al. 2015).

    Attributes:
      name: under which the augmented network lies among the students.
      base: the network: ``generalist``, or the name of a student or of such a network.
      answers: whose: ``network``, the base's, of held-out images, or ``soft_targets``, what
        teachers said of the training images, in their own verticals, with no further inference;
        ``verticals`` asks nobody and takes each vertical for a cluster.
      similarity: what makes classes alike in answers: ``confusions``, being among the best
        where the other is the truth, or ``co_detections``, being among the best together.
      top_k: names of an image that count as its best.
      num_clusters: into which the classes are divided, with a head each; 0 grows none.
      largest: the size that no cluster may pass, as a multiple of the mean; 0 sets no limit.
      permuted: whether classes are dealt to the clusters at random, for comparison.
      widths: units of the hidden layers of each head.
      attach: what the heads see: ``backbone``, its features, or ``trunk``, its units.
      learn: ``heads``, the new ones and the classifier layer, or ``all``, to fine-tune a network.
      num_epochs: passes over the training images.
      batch_size: images a step, of all devices together.
      microbatches: parts of a batch taken one after the other, whose gradients add up.
      optimizer: how parameters move.
    """

    name: Annotated[str, NameOtherThan("generalist", "specialists", "teachers")]
    base: Annotated[str, NameOtherThan("specialists", "teachers")]
    answers: Annotated[str, OneOf("network", "soft_targets", "verticals")]
    similarity: Annotated[str, OneOf("confusions", "co_detections")]
    top_k: Positive
    num_clusters: Annotated[int, AtLeast(0), Not(1)]
    largest: Multiplier
    permuted: bool
    widths: tuple[Positive, ...]
    attach: Annotated[str, OneOf("backbone", "trunk")]
    learn: Annotated[str, OneOf("heads", "all")]
    num_epochs: Annotated[float, Above(0)]
    batch_size: Positive
    microbatches: Positive
    optimizer: Optimizer


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

    top_k: Positive
    num_views: Positive
    batch_size: Positive
    verify_records: Positive
    onnx_teachers: str
    predictions: str
    prediction_kind: Annotated[str, OneOf("probabilities", "logits")]
    missing: Annotated[str, OneOf("refuse", "labels")]


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Says how test images are judged.

    Attributes:
      batch_size: images a step, of all devices together.
      at_k: how many names the mean average precision at K looks at.
      gallery_size: test images on the report's page of examples.
      confusions: pairs of classes taken for one another that are shown of each vertical and of all.
      wanted_precision: share of right names among those that reach a vertical's threshold.
    """

    batch_size: Positive
    at_k: Positive
    gallery_size: NotNegative
    confusions: NotNegative
    wanted_precision: Share


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

    data: Annotated[int, AtLeast(-1), Not(0)]
    model: Positive
    layout: Annotated[str, OneOf("auto", "per_vertical", "tiled")]
    tile: NotNegative


@dataclasses.dataclass(frozen=True)
class Running:
    """Says how a run is watched and saved.

    Attributes:
      checkpoint_every_steps: between checkpoints of one training.
      log_every_steps: between lines of metrics.jsonl.
      may_leave_out: steps of one training whose loss or gradients are not finite that may change
        nothing, before it ends; 0 leaves none out, and needs less memory.
      print_every_seconds: between progress lines where there is no terminal.
      teacher_processes: that train teachers at once, each on its share of the cores; 0 takes one
        for every core, and one where the devices are not CPUs. Each needs memory of its own.
      sinks: where the lines of metrics.jsonl go besides: some of ``tensorboard`` and ``wandb``.
      vertical: the only one, by name or number from 0, whose teacher train_teachers trains, for
        jobs of one vertical each that share a working directory; empty trains all.
    """

    checkpoint_every_steps: Positive
    log_every_steps: Positive
    may_leave_out: NotNegative
    print_every_seconds: Annotated[float, Above(0)]
    teacher_processes: NotNegative
    sinks: Annotated[tuple[str, ...], SomeOf("tensorboard", "wandb")]
    vertical: str


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
