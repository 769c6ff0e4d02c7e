"""A backbone with the papers' top layers: images in, logits out."""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
from flax import linen as nn

from kc_jax.core.head_spec import HeadSpec
from kc_jax.models.heads import Bottleneck, Logits, Pace, Trunk


class Classifier(nn.Module):
    """Names what is in an image.

    Its parameters lie under ``backbone``, ``trunk``, ``bottleneck``, ``logits`` and, where it is
    self-paced, ``pace``: the parts that learning rates, initialisation from another checkpoint
    and the cost table speak of.

    Attributes:
      backbone: module that maps (images f32[B, H, W, channels], train) to f32[B, D].
      head: widths and connections of trunk and bottleneck.
      sizes: class count of each vertical.
      prior: probability of a class at the start.
      kernel_stddev: see `Logits`.
      pace: options of `Pace`, or None for logits that are not self-paced.
      dtype: type of the computation; parameters and logits are f32.
    """

    backbone: nn.Module
    head: HeadSpec
    sizes: Sequence[int]
    prior: float
    kernel_stddev: float = 0.0
    pace: Mapping[str, object] | None = None
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, train: bool) -> jax.Array:
        """Maps images f32[B, H, W, channels] to logits f32[B, C].

        Args:
          images: normalised images.
          train: whether batch normalisation uses and updates the batch's statistics.
        """
        num_verticals = len(self.sizes)
        features = self.backbone(images, train)
        trunk = Trunk(self.head, num_verticals, self.dtype, name="trunk")(features)
        bottleneck = Bottleneck(self.head, num_verticals, self.dtype, name="bottleneck")(trunk)
        logits = Logits(self.sizes, self.kernel_stddev, self.prior, self.dtype, name="logits")(
            bottleneck
        )
        if self.pace is not None:
            logits = Pace(self.sizes, **self.pace, name="pace")(logits)
        return jnp.concatenate(logits, axis=-1)
