"""Tests for the fonts of glyph datasets."""

import shutil

import pytest

from kc_jax.data import glyph_fonts
from kc_jax.errors import UserError


def touch(directory, *names):
    directory.mkdir(parents=True, exist_ok=True)
    for name in names:
        (directory / name).touch()


def test_changed_font_is_named(tmp_path):
    for face, font in glyph_fonts.verified_fonts().items():
        shutil.copy(font, tmp_path / f"{face}.ttf")
    glyph_fonts.verified_fonts(tmp_path)
    with open(tmp_path / "DejaVuSerif.ttf", "ab") as file:
        file.write(b"\0")
    with pytest.raises(glyph_fonts.FontMismatchError, match=r"DejaVuSerif\.ttf.*matplotlib"):
        glyph_fonts.verified_fonts(tmp_path)


def test_an_empty_folder_is_refused_with_the_line_that_installs_all(tmp_path):
    packages = " ".join(glyph_fonts.DEBIAN_PACKAGES)
    with pytest.raises(UserError) as error:
        glyph_fonts.packaged_fonts(tmp_path)
    assert f"`apt-get install -y --no-install-recommends {packages}`" in str(error.value)
    assert str(tmp_path) in str(error.value)


def test_a_folder_that_is_not_there_is_refused_too(tmp_path):
    with pytest.raises(glyph_fonts.FontMismatchError, match="fonts-unifont"):
        glyph_fonts.packaged_fonts(tmp_path / "nowhere")


def test_only_packages_that_lack_a_file_are_named(tmp_path):
    packages = {"one": ("A-*.ttf",), "two": ("B.ttf", "C.ttf"), "three": ("D.ttf",)}
    touch(tmp_path / "deep" / "deeper", "A-1.ttf", "B.ttf", "D.ttf")
    with pytest.raises(glyph_fonts.FontMismatchError, match=r"1 Debian .*: two; .* two`$"):
        glyph_fonts.packaged_fonts(tmp_path, packages)


def test_fonts_are_found_by_name_in_order_without_what_is_left_out(tmp_path):
    packages = {"two": ("[!S]*_hint.ttf",), "one": ("A-*.ttf",)}
    touch(tmp_path / "x", "Nilus_hint.ttf", "Analecta_hint.ttf", "Symbola_hint.ttf", "B.ttf")
    touch(tmp_path / "y", "A-2.ttf", "A-1.ttf")
    touch(tmp_path / "z", "A-1.ttf")
    assert glyph_fonts.packaged_fonts(tmp_path, packages) == {
        "A-1": tmp_path / "y" / "A-1.ttf",
        "A-2": tmp_path / "y" / "A-2.ttf",
        "Nilus_hint": tmp_path / "x" / "Nilus_hint.ttf",
    }
