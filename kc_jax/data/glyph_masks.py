"""Clean 64×64 masks of characters, drawn from the fonts that matplotlib installs.

No font is kept here: DejaVu (Bitstream Vera licence) and STIX (STIX Font License) are read at run
time from matplotlib's installation, whose LICENSE_DEJAVU and LICENSE_STIX go with any copied mask.
"""

from __future__ import annotations

import hashlib
import pathlib
from collections.abc import Collection, Iterable, Mapping

import matplotlib
from matplotlib import ft2font
from PIL import Image, ImageFont

from kc_jax.errors import UserError

MASK_SIZE = 64
FONT_SIZE = 56

FONTS_FROM = "matplotlib 3.11.2"
FACE_SHA256 = {
    "DejaVuSans": "3fdf69cabf06049ea70a00b5919340e2ce1e6d02b0cc3c4b44fb6801bd1e0d22",
    "DejaVuSans-Bold": "b184b89e3c1075f22f6b71575b6fc20d4972b3cfd3b23322ca6fd596dcaef167",
    "DejaVuSans-BoldOblique": "6edf0283160186af451cbee71e7b845f2e4cabf264bb992ce668c83c25465e6f",
    "DejaVuSans-Oblique": "ccdf74b350f11fd3dd5774de50e5e6346a1a5da1f5b7d5fb83590665e97a5213",
    "DejaVuSansMono": "602ec86b8948cfcd956482fe64f94c36c867770149ef2f791d4613f443bcecb3",
    "DejaVuSansMono-Bold": "baada9a5172fe20886251aff0433fc38461912d5daf07287e7bee56620a8da96",
    "DejaVuSansMono-BoldOblique": (
        "a69081c15c76c827e0a27a5a7f5c74b6135c843499955495ffa8c20d3a98288b"
    ),
    "DejaVuSansMono-Oblique": "28052813f7a709fc89f52d192dc995ef4f0fdc5c3d7b73a49d6849b1916d0cd0",
    "DejaVuSerif": "107244956e9962b9e96faccdc551825e0ae0898ae13737133e1b921a2fd35ffa",
    "DejaVuSerif-Bold": "c3753f2ed6bc673f15846dc45addbeb3b9c872f32fb18fd53a21f1bef1ed7676",
    "DejaVuSerif-BoldItalic": "d93efec7a9d2e826768d1a2ee95b95870e15e29599a84f3484af1de1cec2e181",
    "DejaVuSerif-Italic": "3e7994fbc54fa10ce3352a42d548fadd7d9cadb69cb1109bc9d960f6dac57f04",
    "STIXGeneral": "167378031e2dddc6216d67819c9260e9a06ffc4c478e4e23cb98a6fd44b183c2",
    "STIXGeneralBol": "e8533dc7083fa346bda1933d60ea4a83b67d0945bceaf1b3541f82b4a0e2c6a0",
    "STIXGeneralBolIta": "98788fd4ba48dfbb2bd026c0e20a247a8b06c7372879628b7a6bb0d5bb09736c",
    "STIXGeneralItalic": "6cfcb333d22b7c3c623bdfd40174f14c85c3d6731ca6166c1edc80140eae8527",
}


class FontMismatchError(UserError, ValueError):
    """Fonts on this machine do not draw the masks that the class list was made from."""


def font_directory() -> pathlib.Path:
    """Returns the folder of the TrueType fonts that matplotlib installed."""
    return pathlib.Path(matplotlib.get_data_path()) / "fonts" / "ttf"


def verified_fonts(directory: pathlib.Path | None = None) -> dict[str, pathlib.Path]:
    """Finds the 16 font files and checks their contents.

    Args:
      directory: where the `.ttf` files lie; matplotlib's own folder when None.

    Returns:
      Font file of every face, in the order of `FACE_SHA256`.

    Raises:
      FontMismatchError: a file is missing, or is not the file the class list was made from.
    """
    directory = font_directory() if directory is None else pathlib.Path(directory)
    fonts = {face: directory / f"{face}.ttf" for face in FACE_SHA256}
    for face, font in fonts.items():
        expected = FACE_SHA256[face]
        found = "no such file"
        if font.is_file():
            digest = hashlib.sha256(font.read_bytes()).hexdigest()
            found = f"sha256 {digest}"
        if found != f"sha256 {expected}":
            raise FontMismatchError(
                f"font file {font}: expected {face}.ttf as {FONTS_FROM} installs it "
                f"(sha256 {expected}), found {found}; install it with "
                f"`pip install --force-reinstall {FONTS_FROM.replace(' ', '==')}`"
            )
    return fonts


def draw_glyph(font: ImageFont.FreeTypeFont, codepoint: int) -> bytes | None:
    """Draws one character, white on black, centred and scaled down only if it does not fit.

    Args:
      font: a Pillow font of `FONT_SIZE` pixels with basic layout.
      codepoint: the character, which the font must have.

    Returns:
      The mask as MASK_SIZE * MASK_SIZE grey bytes in row order, or None for a blank glyph.
    """
    ink = font.getmask(chr(codepoint), mode="L")
    if ink.getbbox() is None:
        return None
    glyph = Image.frombytes("L", ink.size, bytes(ink))
    glyph = glyph.crop(glyph.getbbox())
    scale = MASK_SIZE / max(glyph.size)
    if scale < 1:
        size = [max(1, round(length * scale)) for length in glyph.size]
        glyph = glyph.resize(size, Image.Resampling.LANCZOS)
    mask = Image.new("L", (MASK_SIZE, MASK_SIZE))
    mask.paste(glyph, ((MASK_SIZE - glyph.width) // 2, (MASK_SIZE - glyph.height) // 2))
    return mask.tobytes()


def characters(fonts: Mapping[str, pathlib.Path]) -> set[int]:
    """Lists the codepoints that at least one font has.

    Args:
      fonts: font file of every face.

    Returns:
      The codepoints.
    """
    return {code for font in fonts.values() for code in ft2font.FT2Font(str(font)).get_charmap()}


def draw_masks(
    fonts: Mapping[str, pathlib.Path], codepoints: Collection[int]
) -> dict[int, dict[str, bytes]]:
    """Draws the given characters in every face that has them.

    Args:
      fonts: font file of every face.
      codepoints: characters to draw; those that no face has are left out.

    Returns:
      For every codepoint, in rising order, the mask of each face; blank glyphs are left out.
    """
    masks: dict[int, dict[str, bytes]] = {codepoint: {} for codepoint in sorted(codepoints)}
    for face, path in fonts.items():
        font = ImageFont.truetype(str(path), FONT_SIZE, layout_engine=ImageFont.Layout.BASIC)
        present = ft2font.FT2Font(str(path)).get_charmap()
        for codepoint in masks.keys() & present.keys():
            mask = draw_glyph(font, codepoint)
            if mask is not None:
                masks[codepoint][face] = mask
    return {codepoint: by_face for codepoint, by_face in masks.items() if by_face}


def class_masks(
    drawn: Mapping[int, Mapping[str, bytes]], members: Iterable[int], rivals: Iterable[int]
) -> dict[bytes, tuple[str, ...]]:
    """Collects the distinct masks of one class.

    Args:
      drawn: masks of every character by face, as `draw_masks` returns them.
      members: codepoints that make up the class.
      rivals: codepoints of other classes; a mask that one of them draws too is dropped.

    Returns:
      The faces that draw each mask, sorted by name; masks in byte order.
    """
    claimed = {mask for rival in rivals for mask in drawn.get(rival, {}).values()}
    faces: dict[bytes, set[str]] = {}
    for member in members:
        for face, mask in drawn.get(member, {}).items():
            if mask not in claimed:
                faces.setdefault(mask, set()).add(face)
    return {mask: tuple(sorted(faces[mask])) for mask in sorted(faces)}
