"""ResNets of basic and of bottleneck blocks, as torchvision and timm have them."""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from kc_jax.models.colours import imagenet_normalise
from kc_jax.models.pooling import global_mean

BATCH_NORM_EPSILON = 1e-5
MOMENTUM = 0.9  # PyTorch counts the other way and calls it 0.1.

he_normal = nn.initializers.variance_scaling(2.0, "fan_out", "normal")


class Unit(NamedTuple):
    """One convolution of a block.

    Attributes:
      kernel_size: height and width of the kernel.
      expansion: output channels over those of the block's first convolution.
      strided: whether it has the block's stride.
    """

    kernel_size: int
    expansion: int
    strided: bool


BLOCKS: dict[str, tuple[Unit, ...]] = {
    "basic": (Unit(3, 1, True), Unit(3, 1, False)),
    "bottleneck": (Unit(1, 1, False), Unit(3, 1, True), Unit(1, 4, False)),
}


def batch_norm(images: jax.Array, train: bool, scale_init: Any = nn.initializers.ones) -> jax.Array:
    """Normalizes the channels, in a layer named ``batch_norm`` of the module that calls.

    Args:
      images: [B, H, W, C].
      train: whether by the batch, whose statistics then move the running ones.
      scale_init: initializer of the scale.

    Returns:
      f32[B, H, W, C]; Flax's normalization mixes types where its input is of another one.
    """
    norm = nn.BatchNorm(
        use_running_average=not train,
        momentum=MOMENTUM,
        epsilon=BATCH_NORM_EPSILON,
        scale_init=scale_init,
        name="batch_norm",
    )
    return norm(images.astype(jnp.float32))


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
        return batch_norm(images, train, self.scale_init).astype(self.dtype)


class ResidualBlock(nn.Module):
    """Convolutions, one after the other, beside a shortcut.

    Where sizes change, the shortcut is a 1×1 convolution; or it takes every other place and fills
    the further channels with zeros, which needs no parameters (option A of He et al. 2016).

    Attributes:
      block: a key of `BLOCKS`.
      features: channels of the first convolution.
      stride: of one of the 3×3 convolutions and the shortcut.
      projects: whether a shortcut that changes sizes is a convolution.
      dtype: type of the computation.
    """

    block: str
    features: int
    stride: int
    projects: bool
    dtype: Any

    @nn.compact
    def __call__(self, images: jax.Array, train: bool) -> jax.Array:
        """Applies the block to `images` [B, H, W, C]."""
        units = BLOCKS[self.block]
        wide = units[-1].expansion * self.features

        def convolve(inputs, *options, name, **more):
            layer = NormalizedConvolution(*options, dtype=self.dtype, name=name, **more)
            return layer(inputs, train)

        inner = images
        for number, (size, expansion, strided) in enumerate(units, start=1):
            last = number == len(units)
            inner = convolve(
                inner, expansion * self.features, size, self.stride if strided else 1,
                # A block begins as its shortcut, which lets deep networks start to learn.
                scale_init=nn.initializers.zeros if last else nn.initializers.ones,
                name=f"unit_{number}",
            )
            inner = inner if last else nn.relu(inner)
        if self.stride > 1 or images.shape[-1] != wide:
            if self.projects:
                images = convolve(images, wide, 1, self.stride, name="shortcut")
            else:
                images = images[:, :: self.stride, :: self.stride]
                further = (0, wide - images.shape[-1])
                images = jnp.pad(images, ((0, 0), (0, 0), (0, 0), further))
        return nn.relu(inner + images)


class Stage(nn.Module):
    """Blocks of one width, of which the first may halve height and width.

    Attributes:
      size: blocks.
      block: see `ResidualBlock`, as of the following ones.
      features: channels of each block's first convolution.
      stride: of the first block.
      projects: whether shortcuts that change sizes are convolutions.
      dtype: type of the computation.
    """

    size: int
    block: str
    features: int
    stride: int
    projects: bool
    dtype: Any

    @nn.compact
    def __call__(self, images: jax.Array, train: bool) -> jax.Array:
        """Applies the blocks to `images` [B, H, W, C]."""
        for index in range(self.size):
            stride = 1 if index else self.stride
            images = ResidualBlock(
                self.block, self.features, stride, self.projects, self.dtype,
                name=f"block_{index}",
            )(images, train)
        return images


class ResNet(nn.Module):
    """Extracts features with a ResNet (He et al. 2016), mean-pooled over the last map.

    The 3×3 convolution of a block has its stride, as in torchvision and timm ("version 1.5").
    Images are rescaled to ImageNet's mean and deviation first, as weights of theirs expect.

    Attributes:
      stage_sizes: blocks of each stage; the default is ResNet-50, (3, 4, 23, 3) is ResNet-101.
      width: channels of the stem; 32 of them give 1,024 features, the default 64 give 2,048.
      block: ``bottleneck``, or ``basic`` as in ResNet-18 and ResNet-34, whose features are a fourth
        as many.
      dtype: type of the computation; parameters, statistics and features are float32.

    Raises:
      ValueError: there is no stage, one without blocks, or no such block.
    """

    stage_sizes: tuple[int, ...] = (3, 4, 6, 3)
    width: int = 64
    block: str = "bottleneck"
    dtype: Any = jnp.float32

    def __post_init__(self):
        if not self.stage_sizes or min(self.stage_sizes) < 1:
            raise ValueError(f"stage_sizes must be positive numbers: {self.stage_sizes}")
        if self.block not in BLOCKS:
            raise ValueError(f"unknown block {self.block!r}; the choices are {', '.join(BLOCKS)}")
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
            images = Stage(
                size, self.block, features, stride, projects=True, dtype=self.dtype,
                name=f"stage_{index + 1}",
            )(images, train)
        return global_mean(images)


class ResNet18(ResNet):
    """Is the ResNet of basic blocks, two in each of four stages."""

    stage_sizes: tuple[int, ...] = (2, 2, 2, 2)
    block: str = "basic"
