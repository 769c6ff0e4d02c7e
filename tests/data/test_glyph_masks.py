"""Tests for drawing masks of characters."""

import pytest
from fontTools.ttLib import TTCollection, TTFont

from kc_jax.data import glyph_fonts, glyph_masks

LETTERS = [ord(letter) for letter in "Ag"]


@pytest.fixture(scope="module")
def fonts():
    found = glyph_fonts.verified_fonts()
    return {name: found[name] for name in ("DejaVuSans", "DejaVuSans-Bold")}


def test_characters_that_no_face_has_are_left_out(fonts):
    drawn = glyph_masks.draw_masks(fonts, [0x4E00, *LETTERS])
    assert list(drawn) == LETTERS
    assert all(set(by_face) == set(fonts) for by_face in drawn.values())
    masks = {glyph_masks.unpack(mask) for by_face in drawn.values() for mask in by_face.values()}
    assert {len(mask) for mask in masks} == {glyph_masks.MASK_SIZE**2} and len(masks) == 4


def test_a_collection_is_drawn_face_by_face_and_a_shared_outline_once(fonts, tmp_path):
    collection = TTCollection()
    regular = TTFont(fonts["DejaVuSans"])
    collection.fonts = [regular, regular, TTFont(fonts["DejaVuSans-Bold"])]
    collection.save(tmp_path / "three.ttc", shareTables=True)
    drawn = glyph_masks.draw_masks({"three": tmp_path / "three.ttc"}, LETTERS)
    alone = glyph_masks.draw_masks(fonts, LETTERS)
    for letter in LETTERS:
        assert drawn[letter] == {
            "three": alone[letter]["DejaVuSans"], "three.2": alone[letter]["DejaVuSans-Bold"],
        }


def test_contested_mask_is_dropped_for_both():
    a, b, z = (glyph_masks.pack(text) for text in (b"a", b"b", b"z"))
    drawn = {65: {"f": a, "g": z}, 66: {"f": b, "g": z}}
    for owners in ({65: 0, 66: 1}, {65: 0}):  # 66 is of another class, or of none.
        contested = glyph_masks.contested_masks(drawn, owners)
        assert glyph_masks.class_masks(drawn, [65], contested) == {a: ("f",)}
        assert glyph_masks.class_masks(drawn, [66], contested) == {b: ("f",)}
    assert not glyph_masks.contested_masks(drawn, {65: 0, 66: 0})
    masks = glyph_masks.class_masks(drawn, [65, 66], ())
    assert list(masks.items()) == [(a, ("f",)), (b, ("f",)), (z, ("g",))]


def test_masks_kept_are_spread_over_the_faces():
    masks = {bytes([9 - i]): (f"face{i}",) for i in range(6)}
    assert glyph_masks.thin_out(masks, None) == glyph_masks.thin_out(masks, 6) == masks
    assert [faces for (faces,) in glyph_masks.thin_out(masks, 3).values()] == [
        "face0", "face2", "face4"
    ]
