"""How devices are laid out, and how a run is watched and saved."""

import dataclasses
from typing import Annotated

from kc_jax.options import Above, AtLeast, Not, NotNegative, OneOf, Positive, SomeOf


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
