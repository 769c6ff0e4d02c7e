"""The scale of colours that networks pretrained on ImageNet expect."""

import jax
import jax.numpy as jnp

from kc_jax.errors import UserError

# Of ImageNet's training images, 0 to 1, red, green and blue: what torchvision and timm subtract
# from and divide by.
MEAN = (0.485, 0.456, 0.406)
STANDARD_DEVIATION = (0.229, 0.224, 0.225)


class ImageChannelsError(UserError, ValueError):
    """Says that images have another number of colours than a network takes."""


def imagenet_normalise(images: jax.Array) -> jax.Array:
    """Rescales images from −1..1 to ImageNet's mean 0 and standard deviation 1.

    Args:
      images: f32[B, H, W, 3], −1 to 1; or f32[B, H, W, 1], grey, which all three colours show.

    Returns:
      f32[B, H, W, 3].

    Raises:
      ImageChannelsError: the images have neither 1 nor 3 channels.
    """
    if images.shape[-1] not in (1, 3):
        raise ImageChannelsError(
            f"images have {images.shape[-1]} channels; this backbone takes 3, or 1 for grey "
            "(config.data.channels)"
        )
    mean, deviation = (
        jnp.asarray(values, jnp.float32)[None, None, None] for values in (MEAN, STANDARD_DEVIATION)
    )
    return ((images + 1.0) / 2.0 - mean) / deviation
