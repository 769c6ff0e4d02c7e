"""ConvNeXt, as torchvision and timm have it."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from kc_jax.models.colours import imagenet_normalise
from kc_jax.models.inception import ImageSizeError
from kc_jax.models.pooling import global_mean

LAYER_NORM_EPSILON = 1e-6
LAYER_SCALE = 1e-6  # Of a block's own part at the start.
PATCH = 4

truncated_normal = nn.initializers.truncated_normal(0.02)


class LayerNorm(nn.Module):
    """Layer normalization over the channels, in float32; its output has the type of its input."""

    @nn.compact
    def __call__(self, inputs: jax.Array) -> jax.Array:
        """Normalizes `inputs` [..., C]."""
        # The fast variance, of squares less the squared mean, loses digits where the mean is large.
        norm = nn.LayerNorm(LAYER_NORM_EPSILON, use_fast_variance=False, name="layer_norm")
        return norm(inputs.astype(jnp.float32)).astype(inputs.dtype)


class Block(nn.Module):
    """A 7×7 convolution of each channel, then two dense layers at each place, beside a shortcut.

    Attributes:
      dtype: type of the computation; parameters are float32.
    """

    dtype: Any

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """Applies the block to `images` [B, H, W, C]."""
        width = images.shape[-1]
        options = {"kernel_init": truncated_normal, "dtype": self.dtype}
        inner = nn.Conv(
            width, (7, 7), padding=3, feature_group_count=width, name="depthwise", **options
        )(images)
        inner = LayerNorm(name="norm")(inner)
        inner = nn.gelu(nn.Dense(4 * width, name="expand", **options)(inner), approximate=False)
        inner = nn.Dense(width, name="project", **options)(inner)
        start = nn.initializers.constant(LAYER_SCALE)
        scale = self.param("layer_scale", start, (width,), jnp.float32)
        return images + inner * scale.astype(self.dtype)[None, None, None]


class Stage(nn.Module):
    """Blocks of one width; but for the first stage, a 2×2 convolution that halves comes before.

    Attributes:
      size: blocks.
      width: channels.
      halves: whether height and width are halved.
      dtype: type of the computation.
    """

    size: int
    width: int
    halves: bool
    dtype: Any

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """Applies the blocks to `images` [B, H, W, C]."""
        if self.halves:
            images = LayerNorm(name="downsample_norm")(images)
            images = _patches(self.width, 2, self.dtype, "downsample")(images)
        for index in range(self.size):
            images = Block(self.dtype, name=f"block_{index}")(images)
        return images


class ConvNeXt(nn.Module):
    """Extracts features with a ConvNeXt (Liu et al. 2022), mean-pooled, then normalized.

    Images are rescaled to ImageNet's mean and deviation first, as weights of torchvision's and
    timm's expect. There is no stochastic depth.

    Attributes:
      stage_sizes: blocks of each stage; the defaults are ConvNeXt-T, of 768 features.
      widths: channels of each stage.
      dtype: type of the computation; parameters, normalizations and features are float32.

    Raises:
      ValueError: the two are of different lengths, or a number is not positive.
    """

    stage_sizes: tuple[int, ...] = (3, 3, 9, 3)
    widths: tuple[int, ...] = (96, 192, 384, 768)
    dtype: Any = jnp.float32

    def __post_init__(self):
        sizes = (*self.stage_sizes, *self.widths)
        if not sizes or min(sizes) < 1 or len(self.stage_sizes) != len(self.widths):
            raise ValueError(
                "stage_sizes and widths must be equally many positive numbers: "
                f"{self.stage_sizes} and {self.widths}"
            )
        super().__post_init__()

    @nn.compact
    def __call__(self, images: jax.Array, train: bool) -> jax.Array:
        """Computes the features of images.

        Args:
          images: f32[B, H, W, 3], −1 to 1, or f32[B, H, W, 1].
          train: taken for the signature that all backbones share; it changes nothing here.

        Returns:
          Features, f32[B, D].

        Raises:
          ImageChannelsError: the images have neither 1 nor 3 channels.
          ImageSizeError: the images are too small for the stages.
        """
        del train
        least = PATCH * 2 ** (len(self.stage_sizes) - 1)
        if min(images.shape[1:3]) < least:
            height, width = images.shape[1:3]
            raise ImageSizeError(
                f"images are {height}×{width}; {len(self.stage_sizes)} stages need at least "
                f"{least} pixels in height and width (config.data.image_size)"
            )
        images = imagenet_normalise(images).astype(self.dtype)
        images = _patches(self.widths[0], PATCH, self.dtype, "stem")(images)
        images = LayerNorm(name="stem_norm")(images)
        for index, (size, width) in enumerate(zip(self.stage_sizes, self.widths, strict=True)):
            images = Stage(size, width, index > 0, self.dtype, name=f"stage_{index}")(images)
        return LayerNorm(name="norm")(global_mean(images))


def _patches(features: int, size: int, dtype, name: str) -> nn.Conv:
    """Makes a convolution of patches that do not overlap."""
    return nn.Conv(
        features, (size, size), size, padding="VALID", kernel_init=truncated_normal, dtype=dtype,
        name=name,
    )
