"""A backbone with the papers' top layers: images in, logits out."""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax.sharding import Mesh

from kc_jax import sharding
from kc_jax.core.auxiliary import AuxiliarySpec
from kc_jax.core.head_spec import HeadSpec
from kc_jax.core.tiled_layout import TiledLayout
from kc_jax.models import tiled_head
from kc_jax.models.auxiliary import AuxiliaryLogits, AuxiliaryStack
from kc_jax.models.heads import Bottleneck, Logits, Pace, Trunk


class Classifier(nn.Module):
    """Names what is in an image.

    Its parameters lie under ``backbone``, ``trunk``, ``bottleneck``, ``logits`` and, where it is
    self-paced, ``pace``: the parts that learning rates, initialisation from another checkpoint
    and the cost table speak of. A linear head has no ``trunk`` and no ``bottleneck``. Auxiliary
    heads lie under ``auxiliary_0`` and ``auxiliary_0_logits``, and so on.

    Attributes:
      backbone: module that maps (images f32[B, H, W, channels], train) to f32[B, D].
      head: widths and connections of trunk and bottleneck.
      sizes: class count of each vertical.
      prior: probability of a class at the start.
      kernel_stddev: see `Logits`.
      pace: options of `Pace`, or None for logits that are not self-paced.
      dtype: type of the computation; parameters and logits are f32.
      frozen: parts that do not learn; a frozen backbone infers in training too, so that its
        statistics stay.
      auxiliary: heads beside the top layers, whose logits are added to theirs.
      layout: of the logits in tiles, or None for a kernel of each vertical's own.
      mesh: on which the tiles lie.
    """

    backbone: nn.Module
    head: HeadSpec
    sizes: Sequence[int]
    prior: float
    kernel_stddev: float = 0.0
    pace: Mapping[str, object] | None = None
    dtype: jnp.dtype = jnp.float32
    frozen: tuple[str, ...] = ()
    auxiliary: tuple[AuxiliarySpec, ...] = ()
    layout: TiledLayout | None = None
    mesh: Mesh | None = None

    @nn.compact
    def __call__(self, images: jax.Array, train: bool) -> jax.Array:
        """Maps images f32[B, H, W, channels] to logits f32[B, C], or f32[B, tiles, tile].

        Args:
          images: normalised images.
          train: whether batch normalisation uses and updates the batch's statistics.
        """
        features = self.backbone(images, train and "backbone" not in self.frozen)
        if self.layout is not None:
            return self._tiled(features)
        num_verticals = len(self.sizes)
        trunk = Trunk(self.head, num_verticals, self.dtype, name="trunk")(features)
        bottleneck = Bottleneck(self.head, num_verticals, self.dtype, name="bottleneck")(trunk)
        logits = Logits(self.sizes, self.kernel_stddev, self.prior, self.dtype, name="logits")(
            bottleneck
        )
        if self.auxiliary:
            total = jnp.concatenate(logits, axis=-1) + self._auxiliary_logits(features, trunk)
            logits = jnp.split(total, np.cumsum(self.sizes)[:-1], axis=-1)
        if self.pace is not None:
            logits = Pace(self.sizes, **self.pace, name="pace")(logits)
        return jnp.concatenate(logits, axis=-1)

    def _auxiliary_logits(self, features: jax.Array, trunk: jax.Array) -> jax.Array:
        total = 0.0
        for number, spec in enumerate(self.auxiliary):
            name = f"auxiliary_{number}"
            seen = features if spec.attach == "backbone" else trunk
            hidden = AuxiliaryStack(spec, self.dtype, name=name)(seen)
            total += AuxiliaryLogits(
                spec, self.kernel_stddev, self.dtype, name=f"{name}_logits"
            )(hidden)
        return total

    def _tiled(self, features: jax.Array) -> jax.Array:
        layout, mesh = self.layout, self.mesh
        trunk = Trunk(self.head, layout.num_slots, self.dtype, name="trunk")(features)
        trunk = sharding.constrain_activations(mesh, trunk)
        bottleneck = Bottleneck(self.head, layout.num_slots, self.dtype, name="bottleneck")(trunk)
        bottleneck = sharding.constrain_activations(mesh, bottleneck)
        logits = tiled_head.TiledLogits(layout, mesh, self.dtype, name="logits")(bottleneck)
        if self.pace is not None:
            logits = tiled_head.TiledPace(layout, mesh, self.pace["level"], name="pace")(logits)
        return logits


def from_logical(model: Classifier, tree):
    """Lays out a tree of logical parameters, or a training state, as the model computes with them.

    Args:
      model: for the layout.
      tree: parameters by part, or anything that holds such.
    """
    return _convert(model, tree, tiled_head.from_logical)


def to_logical(model: Classifier, tree):
    """Undoes `from_logical`: what checkpoints hold, the same for every layout."""
    return _convert(model, tree, tiled_head.to_logical)


def _convert(model: Classifier, tree, convert):
    if model.layout is None:
        return tree
    level = model.pace["level"] if model.pace is not None else None

    def is_params(node):
        return isinstance(node, dict) and "logits" in node

    return jax.tree.map(
        lambda node: convert(model.layout, node, level) if is_params(node) else node,
        tree, is_leaf=is_params,
    )
