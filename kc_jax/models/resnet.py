"""ResNet with bottleneck blocks, as torchvision and timm have it."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from kc_jax.models.colours import imagenet_normalise

BATCH_NORM_EPSILON = 1e-5
MOMENTUM = 0.9  # PyTorch counts the other way and calls it 0.1.
EXPANSION = 4

he_normal = nn.initializers.variance_scaling(2.0, "fan_out", "normal")


class NormalizedConvolution(nn.Module):
    """Convolution without bias, padded to keep the size, and batch normalization.

    Attributes:
      features: output channels.
      kernel_size: height and width of the kernel, odd.
      stride: stride in both directions.
      scale_init: initializer of the normalization's scale.
      dtype: type of the computation; parameters and statistics are float32.
    """

    features: int
    kernel_size: int
    stride: int = 1
    scale_init: Any = nn.initializers.ones
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, train: bool) -> jax.Array:
        """Applies both to `images` [B, H, W, C]; `train` normalizes by the batch."""
        images = nn.Conv(
            self.features,
            (self.kernel_size, self.kernel_size),
            self.stride,
            padding=self.kernel_size // 2,
            use_bias=False,
            kernel_init=he_normal,
            dtype=self.dtype,
            name="convolution",
        )(images)
        # In float32, because Flax's normalization otherwise mixes types.
        images = nn.BatchNorm(
            use_running_average=not train,
            momentum=MOMENTUM,
            epsilon=BATCH_NORM_EPSILON,
            scale_init=self.scale_init,
            name="batch_norm",
        )(images.astype(jnp.float32))
        return images.astype(self.dtype)


class BottleneckBlock(nn.Module):
    """Three convolutions, 1×1, 3×3 and 1×1, beside a shortcut.

    Attributes:
      features: channels of the first two convolutions; the last has four times as many.
      stride: of the 3×3 convolution and the shortcut.
      dtype: type of the computation.
    """

    features: int
    stride: int
    dtype: Any

    @nn.compact
    def __call__(self, images: jax.Array, train: bool) -> jax.Array:
        """Applies the block to `images` [B, H, W, C]."""
        features, wide = self.features, EXPANSION * self.features

        def convolve(inputs, *options, name, **more):
            layer = NormalizedConvolution(*options, dtype=self.dtype, name=name, **more)
            return layer(inputs, train)

        inner = nn.relu(convolve(images, features, 1, name="unit_1"))
        inner = nn.relu(convolve(inner, features, 3, self.stride, name="unit_2"))
        # A block begins as its shortcut, which lets deep networks start to learn.
        inner = convolve(inner, wide, 1, scale_init=nn.initializers.zeros, name="unit_3")
        if self.stride > 1 or images.shape[-1] != wide:
            images = convolve(images, wide, 1, self.stride, name="shortcut")
        return nn.relu(inner + images)


class Stage(nn.Module):
    """Bottleneck blocks of one width, of which the first may halve height and width.

    Attributes:
      size: blocks.
      features: see `BottleneckBlock`.
      stride: of the first block.
      dtype: type of the computation.
    """

    size: int
    features: int
    stride: int
    dtype: Any

    @nn.compact
    def __call__(self, images: jax.Array, train: bool) -> jax.Array:
        """Applies the blocks to `images` [B, H, W, C]."""
        for index in range(self.size):
            stride = 1 if index else self.stride
            block = BottleneckBlock(self.features, stride, self.dtype, name=f"block_{index}")
            images = block(images, train)
        return images


class ResNet(nn.Module):
    """Extracts features with a ResNet (He et al. 2016), mean-pooled over the last map.

    The 3×3 convolution of a block has its stride, as in torchvision and timm ("version 1.5").
    Images are rescaled to ImageNet's mean and deviation first, as weights of theirs expect.

    Attributes:
      stage_sizes: blocks of each stage; the default is ResNet-50, (3, 4, 23, 3) is ResNet-101.
      width: channels of the stem; 32 of them give 1,024 features, the default 64 give 2,048.
      dtype: type of the computation; parameters, statistics and features are float32.

    Raises:
      ValueError: there is no stage, or one without blocks.
    """

    stage_sizes: tuple[int, ...] = (3, 4, 6, 3)
    width: int = 64
    dtype: Any = jnp.float32

    def __post_init__(self):
        if not self.stage_sizes or min(self.stage_sizes) < 1:
            raise ValueError(f"stage_sizes must be positive numbers: {self.stage_sizes}")
        super().__post_init__()

    @nn.compact
    def __call__(self, images: jax.Array, train: bool) -> jax.Array:
        """Computes the features of images.

        Args:
          images: f32[B, H, W, 3], −1 to 1, or f32[B, H, W, 1].
          train: whether to normalize by the batch's statistics and to update the running ones
            (collection `batch_stats`, to be made mutable) instead of using these.

        Returns:
          Features, f32[B, D].

        Raises:
          ImageChannelsError: the images have neither 1 nor 3 channels.
        """
        images = imagenet_normalise(images).astype(self.dtype)
        stem = NormalizedConvolution(self.width, 7, 2, dtype=self.dtype, name="stem")
        images = nn.relu(stem(images, train))
        images = nn.max_pool(
            images, window_shape=(3, 3), strides=(2, 2), padding=((1, 1), (1, 1))
        )
        for index, size in enumerate(self.stage_sizes):
            features, stride = self.width * 2**index, 2 if index else 1
            stage = Stage(size, features, stride, self.dtype, name=f"stage_{index + 1}")
            images = stage(images, train)
        return images.mean(axis=(1, 2), dtype=jnp.float32)
