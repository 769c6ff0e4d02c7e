"""From an image file to the pixels that a bundle takes, with limits for what strangers send."""

import io

import numpy as np
from PIL import Image

from kc_jax.bundle.loaded import Bundle
from kc_jax.data.images import fit_square
from kc_jax.errors import UserError

MAX_PIXELS = 50_000_000  # Decoding holds some 4 bytes a pixel.


class BadImageError(UserError, ValueError):
    """Says why a file is not taken as an image."""


class TooManyPixelsError(BadImageError):
    """Says how many pixels an image has, and how many are allowed."""


def read_square(bundle: Bundle, encoded: bytes, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decodes an image file as the bundle's network was shown images in training.

    Args:
      bundle: for side and channels.
      encoded: the file's bytes.
      max_pixels: more are refused by the file's header, before anything is decoded.

    Returns:
      u8[side, side, channels].

    Raises:
      BadImageError: this is no image, or a damaged or too large one.
    """
    try:
        with Image.open(io.BytesIO(encoded)) as image:
            width, height = image.size
        if width * height <= max_pixels:
            return fit_square(encoded, bundle.side, bundle.channels)
    except Exception as error:  # Decoders raise anything from OSError to struct.error on garbage.
        raise BadImageError(_reason(error)) from None
    raise TooManyPixelsError(f"has {width} × {height} pixels; at most {max_pixels:,} are taken")


def _reason(error: Exception) -> str:
    if isinstance(error, Image.UnidentifiedImageError):
        return "is not an image of a known format"
    return f"cannot be decoded: {error}"
