"""What installs the fonts of glyph100k stands in several places, and is the same in all."""

import re

import pytest

from configs import eft
from kc_jax.data import glyph_fonts
from tests.docs.commands import ROOT

PAGE = (ROOT / "docs" / "glyph100k.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", [PAGE, eft.glyph100k.__doc__], ids=["page", "preset"])
def test_the_packages_are_those_that_the_fonts_are_found_by(text):
    line = glyph_fonts.apt_line(list(glyph_fonts.DEBIAN_PACKAGES))
    assert line in re.sub(r"\\?\s+", " ", text)


def test_the_licence_of_every_package_is_named():
    licences = PAGE[PAGE.index("## Licences"):]
    assert all(f"`{package}`" in licences for package in glyph_fonts.DEBIAN_PACKAGES)
