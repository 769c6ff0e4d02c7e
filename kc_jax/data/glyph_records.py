"""Records of a glyph dataset: the masks of every class, one of them held out for the test split."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence

from PIL import Image

from kc_jax.data import glyph_fonts, glyph_list, glyph_masks

_NUM_NAMED = 5  # Classes that an error names.


def choose_test_mask(path: str, masks: Mapping[bytes, Sequence[str]]) -> bytes:
    """Chooses the mask of a class that the test split holds out.

    Args:
      path: path of the class, which makes the choice differ between classes.
      masks: faces that draw each of its two or more masks.

    Returns:
      A mask other than the one that most faces draw, the same at every call.
    """
    commonest = max(reversed(masks), key=lambda mask: len(masks[mask]))
    rest = [mask for mask in masks if mask != commonest]
    digest = hashlib.sha256(path.encode()).digest()
    return rest[int.from_bytes(digest[:8], "big") % len(rest)]


def draw_records(
    rows: Sequence[glyph_list.GlyphClass],
    fonts: glyph_fonts.FontSet = glyph_fonts.MATPLOTLIB,
    masks_per_class: int | None = None,
) -> dict[str, list[tuple[int, bytes, tuple[str, ...]]]]:
    """Draws the masks of the given classes and splits them.

    Args:
      rows: classes, in order of class_id; those without codepoints have no masks.
      fonts: what draws them.
      masks_per_class: masks to keep of a class, at least two; all when None.

    Returns:
      For `train` and `test`, the (class_id, packed mask, faces) of every mask kept, in order of
      class_id.

    Raises:
      FontMismatchError: the fonts, or the masks they give, are not the expected ones.
    """
    leaves = [row for row in rows if row.codepoint]
    needed = {code for row in leaves for code in row.members + row.rivals}
    masks_of = share_out(leaves, glyph_masks.draw_masks(fonts.find(), needed))
    _check_numbers(masks_of, fonts)
    records = {"train": [], "test": []}
    for row, masks in masks_of.items():
        kept = glyph_masks.thin_out(masks, masks_per_class)
        held_out = choose_test_mask(row.path, kept)
        for mask, faces in kept.items():
            split = "test" if mask == held_out else "train"
            records[split].append((row.class_id, mask, faces))
    return records


def share_out(
    leaves: Sequence[glyph_list.GlyphClass], drawn: Mapping[int, Mapping[str, bytes]]
) -> dict[glyph_list.GlyphClass, dict[bytes, tuple[str, ...]]]:
    """Gives every mask to one class at most.

    Args:
      leaves: classes of characters.
      drawn: packed masks of every character by face, as `glyph_masks.draw_masks` returns them.

    Returns:
      The faces that draw each packed mask of every class. Masks that another class draws too are
      dropped; only classes that would have too few for two splits get some of theirs back.
    """
    owners = {code: row.class_id for row in leaves for code in row.members}
    contested = glyph_masks.contested_masks(drawn, owners)
    masks_of = {row: glyph_masks.class_masks(drawn, row.members, contested) for row in leaves}
    for row, masks in masks_of.items():
        lacking = glyph_list.MIN_MASKS - len(masks)
        if lacking > 0:
            every = glyph_masks.class_masks(drawn, row.members, ())
            back = [mask for mask in every if mask in contested][:lacking]
            contested.difference_update(back)
            masks_of[row] = {m: faces for m, faces in every.items() if m in masks or m in back}
    return masks_of


def _check_numbers(
    masks_of: Mapping[glyph_list.GlyphClass, Mapping[bytes, tuple[str, ...]]],
    fonts: glyph_fonts.FontSet,
) -> None:
    """Refuses classes of which there are too few masks for two splits."""
    poor = [row for row, masks in masks_of.items() if len(masks) < glyph_list.MIN_MASKS]
    if poor:
        named = "; ".join(
            f"{row.path}: expected {row.num_masks} distinct masks, found {len(masks_of[row])}"
            for row in poor[:_NUM_NAMED]
        )
        raise glyph_fonts.FontMismatchError(
            f"{len(poor)} of {len(masks_of)} classes have fewer than the {glyph_list.MIN_MASKS} "
            f"distinct masks that two splits need: {named}{'; …' * (len(poor) > _NUM_NAMED)}; "
            f"{fonts.remedy}"
        )


def encode_png(packed: bytes) -> io.BytesIO:
    """Encodes a packed mask as PNG.

    Args:
      packed: a mask as `glyph_masks.pack` gives it.

    Returns:
      A file object at its beginning.
    """
    file = io.BytesIO()
    side = glyph_masks.MASK_SIZE
    Image.frombytes("L", (side, side), glyph_masks.unpack(packed)).save(file, format="png")
    file.seek(0)
    return file
