"""The networks that turn images into features, by name."""

import dataclasses
import difflib
from collections.abc import Iterable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from kc_jax.models.cifar_resnet import CifarResNet
from kc_jax.models.convnext import ConvNeXt
from kc_jax.models.densenet import DenseNet
from kc_jax.models.inception import ImageSizeError, InceptionV2, mean_pool
from kc_jax.models.resnet import ResNet, ResNet18

GROUPS = 8


class SmallConvNet(nn.Module):
    """Extracts features from small images with a few convolutions.

    A stem of 8×8 kernels with stride 4, then 3×3 convolutions; each without bias and followed by
    group normalization (8 groups) and ReLU. A 2×2 mean pooling and flattening end it: 32×32 images
    give 4·4·96 = 1,536 features.

    Attributes:
      features: output channels of the stem and of each 3×3 convolution, multiples of 8.
      dtype: type of the computation; parameters and features are float32.

    Raises:
      ValueError: `features` is empty or holds a number that is not a positive multiple of 8.
    """

    features: tuple[int, ...] = (64, 96, 96)
    dtype: Any = jnp.float32

    def __post_init__(self):
        if not self.features or any(size < 1 or size % GROUPS for size in self.features):
            raise ValueError(f"features must be positive multiples of {GROUPS}: {self.features}")
        super().__post_init__()

    @nn.compact
    def __call__(self, images: jax.Array, train: bool) -> jax.Array:
        """Computes the features of images.

        Args:
          images: f32[B, H, W, channels].
          train: taken for the signature that all backbones share; it changes nothing here.

        Returns:
          Features, f32[B, D].

        Raises:
          ValueError: the images are less than 5 pixels high or wide, too small for the pooling.
        """
        del train
        images = images.astype(self.dtype)
        for index, size in enumerate(self.features):
            kernel_size, stride = ((3, 3), 1) if index else ((8, 8), 4)
            images = nn.Conv(
                size,
                kernel_size,
                stride,
                use_bias=False,
                dtype=self.dtype,
                name=f"convolution_{index}",
            )(images)
            # In float32, because Flax's normalization otherwise mixes types.
            images = images.astype(jnp.float32)
            images = nn.GroupNorm(GROUPS, name=f"group_norm_{index}")(images)
            images = nn.relu(images).astype(self.dtype)
        if min(images.shape[1:3]) < 2:
            height, width = images.shape[1:3]
            raise ImageSizeError(
                f"the last map is {height}×{width}, smaller than the 2×2 pooling; images need at "
                "least 5 pixels in height and width (config.data.image_size)"
            )
        images = mean_pool(images, 2, 2, "VALID")
        return images.reshape(images.shape[0], -1).astype(jnp.float32)


BACKBONES: dict[str, type[nn.Module]] = {
    "cifar_resnet": CifarResNet,
    "convnext_tiny": ConvNeXt,
    "densenet": DenseNet,
    "inception_v2": InceptionV2,
    "resnet18": ResNet18,
    "resnet50": ResNet,
    "small_conv": SmallConvNet,
}


def make_backbone(name: str, **options: Any) -> nn.Module:
    """Builds the backbone of a name.

    Args:
      name: a key of `BACKBONES`.
      **options: the attributes of its module, such as `base="mixed_3c"` for "inception_v2" or
        `features=(64, 96, 96)` for "small_conv". Lists become tuples.

    Returns:
      A module that is called as `(images, train)`, f32[B, H, W, channels] and bool, and returns
      features f32[B, D].

    Raises:
      ValueError: the name, an option or an option's value is unknown.
    """
    if name not in BACKBONES:
        raise ValueError(_unknown("backbone", name, BACKBONES))
    backbone = BACKBONES[name]
    defaults = {field.name: field.default for field in dataclasses.fields(backbone)}
    choices = defaults.keys() - {"parent", "name"}
    for option, value in options.items():
        if option not in choices:
            raise ValueError(_unknown(f"option of backbone {name!r}", option, choices))
        options[option] = value = tuple(value) if isinstance(value, list) else value
        if not _is_alike(value, defaults[option]):
            raise ValueError(
                f"option {option!r} of backbone {name!r} is {value!r}; expected something like "
                f"{defaults[option]!r}"
            )
    return backbone(**options)


def _is_alike(value: Any, default: Any) -> bool:
    """Tells whether an option's value is of the kind of its default; of other kinds it is."""
    if isinstance(default, tuple) and default:
        return isinstance(value, tuple) and all(_is_alike(each, default[0]) for each in value)
    if isinstance(default, float):
        return type(value) in (int, float)
    return type(value) is type(default) or not isinstance(default, bool | int | str)


def _unknown(kind: str, given: str, choices: Iterable[str]) -> str:
    """Says that a name is unknown, what the choices are and which of them is the nearest."""
    choices = sorted(choices)
    nearest = difflib.get_close_matches(given, choices, n=1)
    question = f"; did you mean {nearest[0]!r}?" if nearest else ""
    return f"unknown {kind} {given!r}; the choices are {', '.join(choices)}{question}"
