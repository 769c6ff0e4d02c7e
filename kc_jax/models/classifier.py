"""A backbone with the papers' top layers: images in, logits out."""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.sharding import Mesh

from kc_jax import sharding
from kc_jax.core.head_spec import HeadSpec
from kc_jax.core.tiled_layout import TiledLayout
from kc_jax.models import tiled_head
from kc_jax.models.heads import Bottleneck, Logits, Pace, Trunk


class Classifier(nn.Module):
    """Names what is in an image.

    Its parameters lie under ``backbone``, ``trunk``, ``bottleneck``, ``logits`` and, where it is
    self-paced, ``pace``: the parts that learning rates, initialisation from another checkpoint
    and the cost table speak of. A linear head has no ``trunk`` and no ``bottleneck``.

    Attributes:
      backbone: module that maps (images f32[B, H, W, channels], train) to f32[B, D].
      head: widths and connections of trunk and bottleneck.
      sizes: class count of each vertical.
      prior: probability of a class at the start.
      kernel_stddev: see `Logits`.
      pace: options of `Pace`, or None for logits that are not self-paced.
      dtype: type of the computation; parameters and logits are f32.
      freeze_backbone: whether the backbone infers in training too, so that its statistics stay.
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
    freeze_backbone: bool = False
    layout: TiledLayout | None = None
    mesh: Mesh | None = None

    @property
    def frozen(self) -> tuple[str, ...]:
        """Names the parts that do not learn."""
        return ("backbone",) if self.freeze_backbone else ()

    @nn.compact
    def __call__(self, images: jax.Array, train: bool) -> jax.Array:
        """Maps images f32[B, H, W, channels] to logits f32[B, C], or f32[B, tiles, tile].

        Args:
          images: normalised images.
          train: whether batch normalisation uses and updates the batch's statistics.
        """
        features = self.backbone(images, train and not self.freeze_backbone)
        if self.layout is not None:
            return self._tiled(features)
        num_verticals = len(self.sizes)
        trunk = Trunk(self.head, num_verticals, self.dtype, name="trunk")(features)
        bottleneck = Bottleneck(self.head, num_verticals, self.dtype, name="bottleneck")(trunk)
        logits = Logits(self.sizes, self.kernel_stddev, self.prior, self.dtype, name="logits")(
            bottleneck
        )
        if self.pace is not None:
            logits = Pace(self.sizes, **self.pace, name="pace")(logits)
        return jnp.concatenate(logits, axis=-1)

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
