"""Clean 64×64 masks of characters, drawn from fonts."""

from __future__ import annotations

import pathlib
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Set

from fontTools.ttLib import TTFont
from PIL import Image, ImageFont

from kc_jax.progress import show_progress

MASK_SIZE = 64
FONT_SIZE = 56
_OUTLINE_TABLES = ("glyf", "CFF ", "CFF2")


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


def outlines(path: pathlib.Path) -> Iterator[dict[int, tuple[int, int]]]:
    """Gives what each face of a font file draws its characters with.

    Args:
      path: a font, or a collection of several faces.

    Yields:
      For the next face, the outline of every codepoint: where its table begins, and its number
      there. Faces of a collection may share outlines.
    """
    index, num_faces = 0, 1
    while index < num_faces:
        with TTFont(path, fontNumber=index, lazy=True) as font:
            tables = font.reader.tables
            start = next((tables[tag].offset for tag in _OUTLINE_TABLES if tag in tables), 0)
            # Numbers in place of glyph names, which some fonts lack.
            font.setGlyphOrder(range(font["maxp"].numGlyphs))
            charmap = font.getBestCmap() or {}
            num_faces = getattr(font.reader, "numFonts", 1)
        yield {codepoint: (start, glyph) for codepoint, glyph in charmap.items()}
        index += 1


def characters(fonts: Mapping[str, pathlib.Path]) -> set[int]:
    """Lists the codepoints that at least one font has.

    Args:
      fonts: font file of every face or collection.

    Returns:
      The codepoints.
    """
    return {code for path in fonts.values() for drawn in outlines(path) for code in drawn}


def draw_masks(
    fonts: Mapping[str, pathlib.Path], codepoints: Collection[int]
) -> dict[int, dict[str, bytes]]:
    """Draws the given characters in every face that has them.

    Args:
      fonts: font file of every face or collection.
      codepoints: characters to draw; those that no face has are left out.

    Returns:
      For every codepoint, in rising order, the packed mask of each face (see `unpack`); blank
      glyphs are left out, and outlines that an earlier face of the collection drew it with.
    """
    masks: dict[int, dict[str, bytes]] = {codepoint: {} for codepoint in sorted(codepoints)}
    with show_progress("drawing glyphs, fonts", len(fonts)) as show:
        for done, (name, path) in enumerate(fonts.items(), start=1):
            for face, codepoint, mask in _draw_font(name, path, masks.keys()):
                masks[codepoint][face] = mask
            show(done)
    return {codepoint: by_face for codepoint, by_face in masks.items() if by_face}


def _draw_font(
    name: str, path: pathlib.Path, codepoints: Set[int]
) -> Iterator[tuple[str, int, bytes]]:
    """Draws the characters that a font file has: gives face, codepoint and packed mask of each."""
    seen = set()
    for index, outline_of in enumerate(outlines(path)):
        font = ImageFont.truetype(
            str(path), FONT_SIZE, index, layout_engine=ImageFont.Layout.BASIC
        )
        new = {(c, outline_of[c]) for c in codepoints & outline_of.keys()} - seen
        seen |= new
        for codepoint, _ in sorted(new):
            mask = draw_glyph(font, codepoint)
            if mask is not None:
                yield f"{name}.{index}" if index else name, codepoint, pack(mask)


def pack(mask: bytes) -> bytes:
    """Packs a mask, so that all masks of a large list fit into memory.

    Args:
      mask: MASK_SIZE * MASK_SIZE grey bytes.

    Returns:
      Fewer bytes, the same for the same mask.
    """
    return zlib.compress(mask, level=1)


def unpack(packed: bytes) -> bytes:
    """Gives the mask that `pack` packed."""
    return zlib.decompress(packed)


def contested_masks(
    drawn: Mapping[int, Mapping[str, bytes]], owners: Mapping[int, int]
) -> set[bytes]:
    """Finds the masks that characters of different classes draw.

    Args:
      drawn: packed masks of every character by face, as `draw_masks` returns them.
      owners: class of a character, a number of at least 0; one that has none is a class of its own.

    Returns:
      The packed masks, which tell no class from another.
    """
    owner_of: dict[bytes, int] = {}
    contested = set()
    for codepoint, by_face in drawn.items():
        owner = owners.get(codepoint, ~codepoint)
        contested.update(m for m in by_face.values() if owner_of.setdefault(m, owner) != owner)
    return contested


def class_masks(
    drawn: Mapping[int, Mapping[str, bytes]], members: Iterable[int], contested: Collection[bytes]
) -> dict[bytes, tuple[str, ...]]:
    """Collects the distinct masks of one class.

    Args:
      drawn: packed masks of every character by face, as `draw_masks` returns them.
      members: codepoints that make up the class.
      contested: packed masks to drop, as `contested_masks` returns them.

    Returns:
      The faces that draw each packed mask, sorted by name; masks in the order of their pixels.
    """
    faces: dict[bytes, set[str]] = {}
    for member in members:
        for face, mask in drawn.get(member, {}).items():
            if mask not in contested:
                faces.setdefault(mask, set()).add(face)
    return {mask: tuple(sorted(faces[mask])) for mask in sorted(faces, key=unpack)}


def thin_out(
    masks: Mapping[bytes, tuple[str, ...]], most: int | None
) -> dict[bytes, tuple[str, ...]]:
    """Keeps so many masks of a class, from faces spread evenly over their names.

    Args:
      masks: the faces that draw each mask.
      most: masks to keep, at least one; all when None.

    Returns:
      Those kept, in the order given.
    """
    by_face = sorted(masks, key=lambda mask: masks[mask])
    count = len(by_face) if most is None else min(most, len(by_face))
    kept = {by_face[i * len(by_face) // count] for i in range(count)}
    return {mask: faces for mask, faces in masks.items() if mask in kept}
