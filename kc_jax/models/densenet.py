"""DenseNets for images of 32 pixels, with bottlenecks and compression ("DenseNet-BC")."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from kc_jax.models.inception import ImageSizeError, mean_pool
from kc_jax.models.pooling import global_mean
from kc_jax.models.resnet import batch_norm, he_normal

BLOCKS = 3
BOTTLENECK = 4  # Channels between a layer's two convolutions, over those that it adds.
COMPRESSION = 2  # Channels before a transition over those after it.


class PreactivatedConvolution(nn.Module):
    """Batch normalization, ReLU and a convolution without bias, padded to keep the size.

    Attributes:
      features: output channels.
      kernel_size: height and width of the kernel, odd.
      dtype: type of the computation; parameters and statistics are float32.
    """

    features: int
    kernel_size: int
    dtype: Any

    @nn.compact
    def __call__(self, images: jax.Array, train: bool) -> jax.Array:
        """Applies all three to `images` [B, H, W, C]; `train` normalizes by the batch."""
        images = nn.relu(batch_norm(images, train)).astype(self.dtype)
        return _convolution(self.features, self.kernel_size, self.dtype, "convolution")(images)


class DenseLayer(nn.Module):
    """Adds channels that two convolutions, 1×1 and 3×3, make of all those before.

    Attributes:
      growth: channels added.
      dtype: type of the computation.
    """

    growth: int
    dtype: Any

    @nn.compact
    def __call__(self, images: jax.Array, train: bool) -> jax.Array:
        """Maps `images` [B, H, W, C] to [B, H, W, C + growth]."""
        wide = BOTTLENECK * self.growth
        inner = PreactivatedConvolution(wide, 1, self.dtype, name="unit_1")(images, train)
        inner = PreactivatedConvolution(self.growth, 3, self.dtype, name="unit_2")(inner, train)
        return jnp.concatenate([images, inner], axis=-1)


class DenseBlock(nn.Module):
    """Layers, each of which sees the outputs of all before.

    Attributes:
      size: layers.
      growth: channels that each adds.
      dtype: type of the computation.
    """

    size: int
    growth: int
    dtype: Any

    @nn.compact
    def __call__(self, images: jax.Array, train: bool) -> jax.Array:
        """Maps `images` [B, H, W, C] to [B, H, W, C + size · growth]."""
        for index in range(self.size):
            images = DenseLayer(self.growth, self.dtype, name=f"layer_{index}")(images, train)
        return images


class DenseNet(nn.Module):
    """Extracts features with a DenseNet-BC of 6·n + 4 layers (Huang et al. 2017).

    A 3×3 stem of twice the growth, then three blocks of n layers of two convolutions each. Between
    blocks a 1×1 convolution halves the channels and mean pooling halves height and width. The mean
    over the last map gives the features: 342 for 100 layers, 2,190 for 190 of growth 40.

    Attributes:
      depth: layers, those of a classifier on top included; 100 and 190 in Yang et al. (2018).
      growth: channels that each layer adds; 12 and 40.
      dtype: type of the computation; parameters, statistics and features are float32.

    Raises:
      ValueError: the depth is not 6·n + 4, or the growth is not positive.
    """

    depth: int = 100
    growth: int = 12
    dtype: Any = jnp.float32

    def __post_init__(self):
        if self.depth < 10 or self.depth % 6 != 4:
            raise ValueError(f"depth must be 6·n + 4, as 40, 100 and 190 are: {self.depth}")
        if self.growth < 1:
            raise ValueError(f"growth must be positive: {self.growth}")
        super().__post_init__()

    @nn.compact
    def __call__(self, images: jax.Array, train: bool) -> jax.Array:
        """Computes the features of images.

        Args:
          images: f32[B, H, W, channels].
          train: whether to normalize by the batch's statistics and to update the running ones
            (collection `batch_stats`, to be made mutable) instead of using these.

        Returns:
          Features, f32[B, D].

        Raises:
          ImageSizeError: the images are too small for the pooling.
        """
        least = 2 ** (BLOCKS - 1)
        if min(images.shape[1:3]) < least:
            height, width = images.shape[1:3]
            raise ImageSizeError(
                f"images are {height}×{width}; {BLOCKS} blocks need at least {least} pixels in "
                "height and width (config.data.image_size)"
            )
        stem = _convolution(2 * self.growth, 3, self.dtype, "stem")
        images = stem(images.astype(self.dtype))
        for number in range(1, BLOCKS + 1):
            if number > 1:
                transition = PreactivatedConvolution(
                    images.shape[-1] // COMPRESSION, 1, self.dtype, name=f"transition_{number - 1}"
                )
                images = mean_pool(transition(images, train), 2, 2, "VALID")
            block = DenseBlock(self.depth // 6, self.growth, self.dtype, name=f"block_{number}")
            images = block(images, train)
        return global_mean(nn.relu(batch_norm(images, train)))


def _convolution(features: int, size: int, dtype, name: str) -> nn.Conv:
    """Makes a convolution without bias, padded to keep the size."""
    return nn.Conv(
        features, (size, size), padding=size // 2, use_bias=False, kernel_init=he_normal,
        dtype=dtype, name=name,
    )
