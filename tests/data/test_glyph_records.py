"""Tests for the records of glyph datasets."""

import dataclasses
import functools
import shutil

import pytest

from kc_jax.data import glyph_fonts, glyph_list, glyph_masks, glyph_records, glyphs


def letter(number, character, **values):
    code = glyph_list.format_codepoints([ord(character)])
    return glyph_list.GlyphClass(number, character, "latin", f"latin/{character}", code, **values)


@pytest.fixture
def folder_fonts(tmp_path):
    """Gives a font set of a package of one's own: two faces, and one of them under two names."""
    found = glyph_fonts.verified_fonts()
    names = {"Own-Regular": "DejaVuSans", "Own-Bold": "DejaVuSans-Bold", "Same": "DejaVuSans"}
    for name, face in names.items():
        shutil.copy(found[face], tmp_path / f"{name}.ttf")
    packages = {"fonts-own": ("Own-*.ttf", "Same.ttf")}
    find = functools.partial(glyph_fonts.packaged_fonts, tmp_path, packages)
    return dataclasses.replace(glyph_fonts.DEBIAN, find=find)


def test_held_out_mask_is_not_the_commonest():
    masks = {b"a": ("f", "g", "h"), b"b": ("i",), b"c": ("j", "k")}
    chosen = {glyph_records.choose_test_mask(f"path/{i}", masks) for i in range(20)}
    assert chosen == {b"b", b"c"}
    assert glyph_records.choose_test_mask("x", {b"a": ("f",), b"b": ("g",)}) == b"a"


def test_missing_font_is_named_when_drawing(tmp_path, monkeypatch):
    monkeypatch.setattr(glyph_fonts, "font_directory", lambda: tmp_path)
    with pytest.raises(glyph_fonts.FontMismatchError, match=r"DejaVuSans\.ttf.*no such file.*pip"):
        glyph_records.draw_records(glyphs.config_classes("smoke"))


def test_classes_without_enough_masks_are_named(monkeypatch):
    monkeypatch.setattr(glyph_masks, "draw_masks", lambda fonts, codepoints: {})
    with pytest.raises(
        glyph_fonts.FontMismatchError, match=r"24 of 24 .*expected .* masks, found 0.*…; .*Pillow"
    ):
        glyph_records.draw_records(glyphs.config_classes("smoke"))


def test_a_class_that_debians_fonts_do_not_draw_is_named_with_the_apt_line(folder_fonts):
    rows = [letter(0, "A"), letter(1, "\u4e00", num_masks=7)]
    with pytest.raises(
        glyph_fonts.FontMismatchError,
        match=r"1 of 2 .*latin/\u4e00: expected 7 .* found 0.*`apt-get .*--reinstall .*fonts-noto",
    ):
        glyph_records.draw_records(rows, folder_fonts)


def test_masks_of_a_folder_are_distinct_and_none_is_in_two_classes(folder_fonts):
    # Α is drawn as A is: alone the two would have no mask of their own.
    rows = [letter(0, "A", merged_codepoints="U+0391"), letter(1, "B"), letter(2, "g")]
    records = glyph_records.draw_records(rows, folder_fonts)
    assert [class_id for class_id, _, _ in records["train"]] == [0, 1, 2]
    assert [class_id for class_id, _, _ in records["test"]] == [0, 1, 2]
    assert {faces for _, _, faces in records["train"]} == {("Own-Regular", "Same")}
    assert {faces for _, _, faces in records["test"]} == {("Own-Bold",)}


def test_a_shared_mask_goes_to_a_class_that_has_too_few():
    a, b, c, z = (glyph_masks.pack(text) for text in (b"a", b"b", b"c", b"z"))
    rows = [letter(0, "A"), letter(1, "B"), letter(2, "C")]
    drawn = {65: {"f": a, "g": b, "h": z}, 66: {"f": c, "h": z}, 67: {"h": z}}
    shared = glyph_records.share_out(rows, drawn)
    assert [list(masks) for masks in shared.values()] == [[a, b], [c, z], []]


def test_masks_kept_per_class_are_split_too(folder_fonts):
    fonts = dataclasses.replace(folder_fonts, find=glyph_fonts.verified_fonts)
    records = glyph_records.draw_records([letter(0, "A"), letter(1, "g")], fonts, 5)
    assert {split: len(found) for split, found in records.items()} == {"train": 8, "test": 2}


def test_characters_of_many_verticals_are_drawn_by_debians_fonts():
    try:
        glyph_fonts.DEBIAN.find()
    except glyph_fonts.FontMismatchError as error:
        pytest.skip(str(error))
    rows = glyphs.config_classes("glyph100k")[::1_700]
    records = glyph_records.draw_records(rows, glyph_fonts.DEBIAN, 12)
    assert [class_id for class_id, _, _ in records["test"]] == [row.class_id for row in rows]
    assert {class_id for class_id, _, _ in records["train"]} == {row.class_id for row in rows}
    assert len({row.vertical for row in rows}) == 20
