"""Inception-V2: the base network of both of the knowledge concentration paper's experiments."""

import functools
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from kc_jax.errors import UserError
from kc_jax.models.pooling import global_mean

BATCH_NORM_EPSILON = 0.001

he_normal = nn.initializers.variance_scaling(2.0, "fan_in", "truncated_normal")
truncated_normal = nn.initializers.truncated_normal


def mean_pool(images: jax.Array, size: int, stride: int, padding: str) -> jax.Array:
    """Averages square windows; padding does not count towards the mean.

    `flax.linen.avg_pool` does the same, but not under strict dtype promotion.

    Args:
      images: maps, f[B, H, W, C].
      size: height and width of a window.
      stride: step between windows in both directions.
      padding: "SAME" or "VALID".

    Returns:
      Means, f[B, h, w, C] in the type of `images`.
    """
    options = ((size, size), (stride, stride), padding)
    counts = nn.pool(jnp.ones((1, *images.shape[1:3], 1), images.dtype), 0.0, lax.add, *options)
    return nn.pool(images, 0.0, lax.add, *options) / counts


class ImageSizeError(UserError, ValueError):
    """Says that images are too small for a network, and how large they must be."""


class Mixed(NamedTuple):
    """One row of the layer table: a block of parallel branches, concatenated.

    Attributes:
      branches: channels of the convolutions of each branch; a branch starts with a 1×1 convolution
        and goes on with 3×3 ones.
      pool: "average" or "max", the 3×3 pooling of the last branch.
      projection: channels of the 1×1 convolution after the pooling, 0 for none.
      stride: stride of the pooling and of the last convolution of each branch.
    """

    branches: tuple[tuple[int, ...], ...]
    pool: str
    projection: int
    stride: int


MIXED_BLOCKS: dict[str, Mixed] = {
    "Mixed_3b": Mixed(((64,), (64, 64), (64, 96, 96)), "average", 32, 1),
    "Mixed_3c": Mixed(((64,), (64, 96), (64, 96, 96)), "average", 64, 1),
    "Mixed_4a": Mixed(((128, 160), (64, 96, 96)), "max", 0, 2),
    "Mixed_4b": Mixed(((224,), (64, 96), (96, 128, 128)), "average", 128, 1),
    "Mixed_4c": Mixed(((192,), (96, 128), (96, 128, 128)), "average", 128, 1),
    "Mixed_4d": Mixed(((160,), (128, 160), (128, 160, 160)), "average", 96, 1),
    "Mixed_4e": Mixed(((96,), (128, 192), (160, 192, 192)), "average", 96, 1),
    "Mixed_5a": Mixed(((128, 192), (192, 256, 256)), "max", 0, 2),
    "Mixed_5b": Mixed(((352,), (192, 320), (160, 224, 224)), "average", 128, 1),
    "Mixed_5c": Mixed(((352,), (192, 320), (192, 224, 224)), "max", 128, 1),
}

# The last block of each base. The paper's "Mixed_3c" is 28×28×256 (section 4.2), but in the layer
# table that is the map that enters Mixed_3c, the output of Mixed_3b; Mixed_3c's own has 320
# channels. The stated 256 features decide.
LAST_BLOCKS = {"mixed_3c": "Mixed_3b", "mixed_5c": "Mixed_5c"}


class ConvolutionBlock(nn.Module):
    """Convolution without bias, batch normalization without scale, ReLU.

    Attributes:
      features: output channels.
      kernel_size: height and width of the kernel.
      stride: stride in both directions.
      depth_multiplier: if not 0, the convolution is separable: a depthwise one with this many
        channels per input channel, then a 1×1 one.
      kernel_init: initializer of the kernels.
      momentum: decay of the running statistics.
      dtype: type of the computation; parameters are float32.
    """

    features: int
    kernel_size: tuple[int, int] = (1, 1)
    stride: int = 1
    depth_multiplier: int = 0
    kernel_init: Any = he_normal
    momentum: float = 0.9997
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, train: bool) -> jax.Array:
        """Applies the block to `images` [B, H, W, C]; `train` normalizes by the batch."""
        convolution = functools.partial(
            nn.Conv, use_bias=False, kernel_init=self.kernel_init, dtype=self.dtype
        )
        kernel_size, stride = self.kernel_size, self.stride
        if self.depth_multiplier:
            channels = images.shape[-1]
            images = convolution(
                channels * self.depth_multiplier,
                kernel_size,
                stride,
                feature_group_count=channels,
                name="depthwise",
            )(images)
            kernel_size, stride = (1, 1), 1
        images = convolution(self.features, kernel_size, stride, name="convolution")(images)
        # Flax's normalization mixes types where its input is not float32, which strict dtype
        # promotion forbids.
        images = nn.BatchNorm(
            use_running_average=not train,
            momentum=self.momentum,
            epsilon=BATCH_NORM_EPSILON,
            use_scale=False,
            name="batch_norm",
        )(images.astype(jnp.float32))
        return nn.relu(images).astype(self.dtype)


class ConvolutionBranch(nn.Module):
    """A 1×1 convolution and the 3×3 ones that follow it.

    Attributes:
      features: output channels of each convolution.
      stride: stride of the last one.
      momentum: decay of the running statistics.
      dtype: type of the computation.
    """

    features: tuple[int, ...]
    stride: int
    momentum: float
    dtype: Any

    @nn.compact
    def __call__(self, images: jax.Array, train: bool) -> jax.Array:
        """Applies the branch to `images` [B, H, W, C]."""
        last = len(self.features) - 1
        for index, features in enumerate(self.features):
            stride = self.stride if index == last else 1
            reduces = index == 0 and last > 0
            size = 1 if index == 0 else 3
            position = "1a" if stride > 1 else "0" + "abc"[index]
            images = ConvolutionBlock(
                features,
                kernel_size=(size, size),
                stride=stride,
                kernel_init=truncated_normal(0.09) if reduces else he_normal,
                momentum=self.momentum,
                dtype=self.dtype,
                name=f"Conv2d_{position}_{size}x{size}",
            )(images, train)
        return images


class PoolBranch(nn.Module):
    """A 3×3 pooling and the 1×1 convolution that follows it, if any.

    Attributes:
      pool: "average" or "max".
      features: output channels of the convolution, 0 for none.
      stride: stride of the pooling.
      momentum: decay of the running statistics.
      dtype: type of the computation.
    """

    pool: str
    features: int
    stride: int
    momentum: float
    dtype: Any

    @nn.compact
    def __call__(self, images: jax.Array, train: bool) -> jax.Array:
        """Applies the branch to `images` [B, H, W, C]."""
        if self.pool == "average":
            images = mean_pool(images, 3, self.stride, "SAME")
        else:
            strides = (self.stride, self.stride)
            images = nn.max_pool(images, window_shape=(3, 3), strides=strides, padding="SAME")
        if not self.features:
            return images
        return ConvolutionBlock(
            self.features,
            kernel_init=truncated_normal(0.1),
            momentum=self.momentum,
            dtype=self.dtype,
            name="Conv2d_0b_1x1",
        )(images, train)


class InceptionBlock(nn.Module):
    """Parallel branches over one map, concatenated along the channels.

    Attributes:
      block: the row of the layer table.
      momentum: decay of the running statistics.
      dtype: type of the computation.
    """

    block: Mixed
    momentum: float = 0.9997
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, train: bool) -> jax.Array:
        """Applies the block to `images` [B, H, W, C]."""
        block, shared = self.block, (self.block.stride, self.momentum, self.dtype)
        branches = [
            ConvolutionBranch(features, *shared, name=f"Branch_{index}")
            for index, features in enumerate(block.branches)
        ]
        name = f"Branch_{len(branches)}"
        branches.append(PoolBranch(block.pool, block.projection, *shared, name=name))
        return jnp.concatenate([branch(images, train) for branch in branches], axis=-1)


class InceptionV2(nn.Module):
    """Extracts features with Inception-V2 (knowledge concentration, sections 4.1 and 4.2).

    The layers, their names and their initial scales are those of TF-Slim's `inception_v2`, but for
    the first convolution, which is batch-normalized like the others (TF-Slim gives it a bias).
    Under `jit` with the batch sharded over devices, batch statistics are those of the whole batch.

    Attributes:
      base: "mixed_5c", the whole network, mean-pooled to 3×3×1024 and flattened (9,216 features
        for 224×224 images); or "mixed_3c", cut where the map is 28×28×256 and mean-pooled to 256.
      momentum: decay of the running batch statistics.
      dtype: type of the computation; parameters, statistics and features are float32.

    Raises:
      ValueError: `base` is not one of the two.
    """

    base: str = "mixed_5c"
    momentum: float = 0.9997
    dtype: Any = jnp.float32

    def __post_init__(self):
        if self.base not in LAST_BLOCKS:
            choices = ", ".join(sorted(LAST_BLOCKS))
            raise ValueError(f"unknown base {self.base!r}; the choices are {choices}")
        super().__post_init__()

    @nn.compact
    def __call__(self, images: jax.Array, train: bool) -> jax.Array:
        """Computes the features of images.

        Args:
          images: f32[B, H, W, 3].
          train: whether to normalize by the batch's statistics and to update the running ones
            (collection `batch_stats`, to be made mutable) instead of using these.

        Returns:
          Features, f32[B, D].

        Raises:
          ValueError: with base "mixed_5c", the images are too small for a 3×3 map.
        """
        images = self._stem(images.astype(self.dtype), train)
        for name, block in MIXED_BLOCKS.items():
            images = InceptionBlock(block, self.momentum, self.dtype, name=name)(images, train)
            if name == LAST_BLOCKS[self.base]:
                break
        if self.base == "mixed_3c":
            return global_mean(images)
        height, width = images.shape[1:3]
        if min(height, width) < 3:
            raise ImageSizeError(
                f"the Mixed_5c map is {height}×{width}, smaller than the 3×3 pooling window; "
                "images need at least 65 pixels in height and width"
            )
        images = mean_pool(images, 3, 2, "VALID")
        return images.reshape(images.shape[0], -1).astype(jnp.float32)

    def _stem(self, images: jax.Array, train: bool) -> jax.Array:
        """Reduces [B, H, W, 3] to an eighth of the height and width and 192 channels."""
        block = functools.partial(ConvolutionBlock, momentum=self.momentum, dtype=self.dtype)
        images = block(
            64, (7, 7), 2, 8, kernel_init=truncated_normal(1.0), name="Conv2d_1a_7x7"
        )(images, train)
        images = nn.max_pool(images, window_shape=(3, 3), strides=(2, 2), padding="SAME")
        images = block(64, kernel_init=truncated_normal(0.1), name="Conv2d_2b_1x1")(images, train)
        images = block(192, (3, 3), name="Conv2d_2c_3x3")(images, train)
        return nn.max_pool(images, window_shape=(3, 3), strides=(2, 2), padding="SAME")
