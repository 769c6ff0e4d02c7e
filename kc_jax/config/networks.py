"""What networks there are and how they learn."""

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any

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
    OneOf,
    Positive,
    Share,
    SomeOf,
)

Multiplier = Annotated[float, AtLeast(0)]


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
