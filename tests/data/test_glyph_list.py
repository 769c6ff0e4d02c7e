"""Tests for the list of glyph classes and the rules that make it."""

import itertools
import unicodedata

import pytest

from kc_jax.data import glyph_blocks, glyph_fonts, glyph_list, glyph_masks

BLOCKS = ("Basic Latin", "Greek and Coptic", "Lisu", "Mathematical Operators")


@pytest.fixture(scope="module")
def rows():
    return glyph_list.read_classes()


def test_ids_paths_and_verticals_are_well_formed(rows):
    assert [row.class_id for row in rows] == list(range(len(rows)))
    assert len({row.path for row in rows}) == len(rows)
    runs = [vertical for vertical, _ in itertools.groupby(row.vertical for row in rows)]
    assert len(runs) == len(set(runs)) == 21
    for row in rows:
        parts = row.path.split("/")
        assert (parts[0], parts[-1]) == (row.vertical, row.name)
        assert len(parts) == 4 if row.codepoint else len(parts) in (2, 3)


def test_list_has_the_expected_size(rows):
    leaves = [row for row in rows if row.codepoint]
    assert len(leaves) == 4492
    assert len(rows) - len(leaves) == 59
    assert sum(row.num_masks for row in leaves) == 33486
    assert min(row.num_masks for row in leaves) == glyph_list.MIN_MASKS


def test_leaves_carry_unicode_names_and_blocks(rows):
    for row in rows:
        if row.codepoint:
            codepoint = row.members[0]
            assert row.name == unicodedata.name(chr(codepoint))
            assert row.path == f"{glyph_blocks.block_path(codepoint)}/{row.name}"


def test_no_codepoint_is_in_two_classes(rows):
    members = [codepoint for row in rows for codepoint in row.members]
    assert len(members) == len(set(members))
    assert not any(set(row.members) & set(row.rivals) for row in rows)


def test_ancestors_hold_several_leaves_and_differ_from_those_above(rows):
    leaves = [row.path for row in rows if row.codepoint]
    ancestors = [row.path for row in rows if not row.codepoint]

    def below(prefix):
        return {path for path in leaves if path.startswith(f"{prefix}/")}

    for path in ancestors:
        vertical, script, *_ = path.split("/")
        assert 2 <= len(below(path)) < len(below(vertical))
        if path != f"{vertical}/{script}":
            assert below(path) < below(f"{vertical}/{script}")
    assert {"greek_coptic/Greek", "greek_coptic/Coptic"} <= set(ancestors)
    assert "cyrillic/Cyrillic" not in ancestors  # the whole vertical
    assert "hebrew_lao/Lao/Lao" not in ancestors  # the same leaves as hebrew_lao/Lao


def test_ancestor_stands_just_before_what_it_holds(rows):
    for row, following in itertools.pairwise(rows):
        if not row.codepoint:
            assert following.path.startswith(f"{row.path}/")


def test_committed_rows_follow_from_the_fonts(rows):
    expected = [row for row in rows if row.codepoint and row.path.split("/")[2] in BLOCKS]
    needed = {code for row in expected for code in row.members + row.rivals}
    drawn = glyph_masks.draw_masks(glyph_fonts.verified_fonts(), needed)
    made = {row.path: row for row in glyph_list.leaf_classes(drawn)}
    assert len(expected) > 400
    for row in expected:
        found = made[row.path]
        assert (found.codepoint, found.num_masks) == (row.codepoint, row.num_masks)
        assert found.merged_codepoints == row.merged_codepoints
        assert found.rival_codepoints == row.rival_codepoints


def test_unusable_characters():
    usable = [code for code in range(0x20, 0x7F) if glyph_list.is_usable(code)]
    assert usable == list(range(0x21, 0x7F))
    for character in "\u212a\u2126\u00aa\uff21\u0301\u00a0\ue000\u2160\ufb2a":
        assert not glyph_list.is_usable(ord(character)), unicodedata.name(character, character)
    for character in "\u00c5\u2161\ufb01":
        assert glyph_list.is_usable(ord(character))


def test_merging_needs_half_of_the_shared_faces_and_is_not_transitive():
    drawn = {
        1: {"f": b"a", "g": b"a", "h": b"a"},
        2: {"f": b"a", "g": b"x", "h": b"y"},  # one of three faces alike: its own class
        3: {"f": b"a", "g": b"b"},  # one of two faces alike: merged into 1
        4: {"f": b"c", "g": b"b"},  # like 3 only, which represents nothing
    }
    assert glyph_list.merge_alike(drawn) == {1: 1, 2: 2, 3: 1, 4: 4}


def test_write_then_read_gives_the_same_rows(rows, tmp_path):
    glyph_list.write_classes(rows, tmp_path / "classes.csv")
    assert glyph_list.read_classes(tmp_path / "classes.csv") == rows
    assert (tmp_path / "classes.csv").read_bytes() == glyph_list.LIST_FILE.read_bytes()


def test_compressed_lists_read_back(rows, tmp_path):
    glyph_list.write_classes(rows, tmp_path / "classes.csv.xz")
    assert (tmp_path / "classes.csv.xz").read_bytes().startswith(b"\xfd7zXZ")
    assert glyph_list.read_classes(tmp_path / "classes.csv.xz") == rows


def test_large_list_has_100_000_characters_in_20_verticals():
    rows = glyph_list.read_classes(glyph_list.LARGE_LIST_FILE)
    assert [row.class_id for row in rows] == list(range(100_000))
    assert len({row.path for row in rows}) == len({row.codepoint for row in rows}) == 100_000
    runs = [vertical for vertical, _ in itertools.groupby(row.vertical for row in rows)]
    assert len(runs) == len(set(runs)) == 20
    members = [codepoint for row in rows for codepoint in row.members]
    assert len(members) == len(set(members)) == 100_727
    assert all(row.path.startswith(f"{row.vertical}/") for row in rows)
    assert all(row.path.endswith(f"/{row.codepoint}") for row in rows)
    assert min(row.num_masks for row in rows) == glyph_list.MIN_MASKS


def test_block_path_refuses_an_unknown_block():
    with pytest.raises(ValueError, match=r"U\+4E00.*_RUNS"):
        glyph_blocks.block_path(0x4E00)
