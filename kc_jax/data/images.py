"""From the bytes of an image file to the square of pixels that all networks are shown."""

import io

import numpy as np
from PIL import Image, ImageOps


def fit_square(encoded: bytes, side: int, channels: int) -> np.ndarray:
    """Decodes an image file, scales its shorter side and cuts out the middle.

    Args:
      encoded: the file's bytes.
      side: height and width wanted, pixels.
      channels: 1 for grey, 3 for colour.

    Returns:
      u8[side, side, channels].
    """
    with Image.open(io.BytesIO(encoded)) as image:
        square = ImageOps.fit(image.convert("L" if channels == 1 else "RGB"), (side, side))
    return np.asarray(square).reshape(side, side, channels)
