"""The ResNets for images of 32 pixels, as He et al. (2016) have them for CIFAR."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from kc_jax.models.pooling import global_mean
from kc_jax.models.resnet import NormalizedConvolution, Stage

WIDTHS = (16, 32, 64)


class CifarResNet(nn.Module):
    """Extracts features with a ResNet of 6·n + 2 layers (Yang et al. 2018, section 4.1).

    A 3×3 stem, then three stages of n basic blocks each, of which the later two halve height and
    width, as He et al. (2016) have it, in the stride of their first convolution. Shortcuts have no
    parameters. The mean over the last map gives 64 features.

    Attributes:
      depth: layers, those of a classifier on top included: 20, 32, 44, 56, 74, 92 or 110.
      dtype: type of the computation; parameters, statistics and features are float32.

    Raises:
      ValueError: the depth is not 6·n + 2.
    """

    depth: int = 20
    dtype: Any = jnp.float32

    def __post_init__(self):
        if self.depth < 8 or self.depth % 6 != 2:
            raise ValueError(
                f"depth must be 6·n + 2, as 20, 32, 44, 56, 74, 92 and 110 are: {self.depth}"
            )
        super().__post_init__()

    @nn.compact
    def __call__(self, images: jax.Array, train: bool) -> jax.Array:
        """Computes the features of images.

        Args:
          images: f32[B, H, W, channels].
          train: whether to normalize by the batch's statistics and to update the running ones
            (collection `batch_stats`, to be made mutable) instead of using these.

        Returns:
          Features, f32[B, 64].
        """
        stem = NormalizedConvolution(WIDTHS[0], 3, dtype=self.dtype, name="stem")
        images = nn.relu(stem(images.astype(self.dtype), train))
        for index, width in enumerate(WIDTHS):
            images = Stage(
                self.depth // 6, "basic", width, 2 if index else 1, projects=False,
                dtype=self.dtype, name=f"stage_{index + 1}",
            )(images, train)
        return global_mean(images)
