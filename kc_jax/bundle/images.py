"""From an image file to the pixels that a bundle takes, with a limit for what strangers send."""

import numpy as np

from kc_jax.bundle.loaded import Bundle
from kc_jax.data.images import fit_square

MAX_PIXELS = 50_000_000  # Decoding holds some 4 bytes a pixel.


def read_square(bundle: Bundle, encoded: bytes, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decodes an image file as the bundle's network was shown images in training.

    Args:
      bundle: for side and channels.
      encoded: the file's bytes.
      max_pixels: more are refused by the file's header, before anything is decoded.

    Returns:
      u8[side, side, channels].

    Raises:
      data.images.BadImageError: this is no image, or a damaged or too large one.
    """
    return fit_square(encoded, bundle.side, bundle.channels, max_pixels)
