"""From the bytes of an image file to the square of pixels that all networks are shown."""

import contextlib
import io
import math
import os
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
# Of others the header is not trusted: Pillow decodes an ICO's pictures as it opens it, and gives
# PostScript to a program.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
# A JPEG is decoded at a fraction of its size where that leaves this many times the side wanted.
DECODE_MARGIN = 2
TOO_LARGE, UNDECODABLE, UNREADABLE = "too large", "undecodable", "unreadable"


class BadImageError(ValueError):
    """Says why an image cannot be used.

    Attributes:
      kind: `TOO_LARGE`, `UNDECODABLE`, or, of a file, `UNREADABLE`.
      detail: what is the matter with it.
    """

    def __init__(self, kind: str, detail: str):
        super().__init__(f"{kind}: {detail}")
        self.kind, self.detail = kind, detail


def name_of(path: str) -> str:
    """Gives a file's path as text that can be written, whatever bytes are in it."""
    return os.fsencode(path).decode("utf-8", "replace")


def fit_square(
    encoded: bytes, side: int, channels: int, max_pixels: float = math.inf
) -> np.ndarray:
    """Decodes an image file, turns it upright, scales its shorter side and cuts out the middle.

    Of an animation the first picture is taken, what is transparent becomes white, and grey of 16
    bits keeps its upper 8.

    Args:
      encoded: the file's bytes.
      side: height and width wanted, pixels.
      channels: 1 for grey, 3 for colour.
      max_pixels: of the image, height times width.

    Returns:
      u8[side, side, channels].

    Raises:
      BadImageError: it is no image, damaged, too large, or of a kind that cannot be shown.
    """
    with _opened(encoded, max_pixels) as image:
        image.draft(None, (DECODE_MARGIN * side, DECODE_MARGIN * side))
        square = ImageOps.fit(_upright(image, "L" if channels == 1 else "RGB"), (side, side))
    return np.asarray(square).reshape(side, side, channels)


def check(encoded: bytes, max_pixels: int) -> None:
    """Decodes all of an image file.

    Args:
      encoded: the file's bytes.
      max_pixels: of the image, height times width.

    Raises:
      BadImageError: as of `fit_square`.
    """
    with _opened(encoded, max_pixels) as image:
        _upright(image, "RGB")


@contextlib.contextmanager
def _opened(encoded: bytes, max_pixels: float) -> Iterator[Image.Image]:
    """Opens an image whose header keeps the limit; what fails meanwhile is a `BadImageError`."""
    try:
        with Image.open(io.BytesIO(encoded), formats=FORMATS) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise BadImageError(
                    TOO_LARGE, f"{width} x {height} pixels; at most {max_pixels:,} are taken"
                )
            yield image
    except BadImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadImageError(TOO_LARGE, str(error)) from None
    except UnidentifiedImageError:
        detail = "not an image of a known format" if encoded else "empty"
        raise BadImageError(UNDECODABLE, detail) from None
    except Exception as error:  # Decoders of damaged files raise whatever comes up.
        raise BadImageError(UNDECODABLE, str(error) or type(error).__name__) from None


def _upright(image: Image.Image, mode: str) -> Image.Image:
    """Gives an image as a person would see it, in mode ``L`` or ``RGB``."""
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode == "F":
        raise BadImageError(UNDECODABLE, "pixels are floating-point numbers")
    if image.mode.startswith("I"):
        image = Image.fromarray((np.clip(np.asarray(image), 0, 0xFFFF) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        ground = Image.new("RGBA", image.size, "white")
        ground.alpha_composite(image.convert("RGBA"))
        image = ground
    return image.convert(mode)
