"""Builds and reads the list of glyph classes: characters, and the scripts and blocks above them.

Run `python -m kc_jax.data.glyph_list --output=glyph_classes.csv` to make the list again.
"""

from __future__ import annotations

import argparse
import collections
import csv
import dataclasses
import lzma
import pathlib
import unicodedata
from collections.abc import Iterable, Mapping
from typing import TextIO

from kc_jax.data import glyph_blocks, glyph_fonts, glyph_masks

LIST_FILE = pathlib.Path(__file__).with_name("glyph_classes.csv")
LARGE_LIST_FILE = pathlib.Path(__file__).with_name("glyph100k_classes.csv.xz")
MIN_FACES = 3
MIN_MASKS = 2

_COMPATIBILITY_FORMS = frozenset(
    {"<font>", "<wide>", "<narrow>", "<super>", "<sub>", "<noBreak>", "<isolated>"}
)


@dataclasses.dataclass(frozen=True)
class GlyphClass:
    """One row of the list: a character (leaf) or a script or block (ancestor).

    Attributes:
      class_id: int, position in the list.
      name: Unicode name of the character, or name of the script or block.
      vertical: name of the vertical.
      path: `vertical/script/block/name` of a leaf, a prefix of it for an ancestor.
      codepoint: `U+0041` form; empty for an ancestor.
      num_masks: int, distinct masks; 0 for an ancestor.
      merged_codepoints: other characters with the same outline, in `U+0041` form, space-separated.
      rival_codepoints: characters of other classes that share a mask, which is dropped for both.
    """

    class_id: int
    name: str
    vertical: str
    path: str
    codepoint: str = ""
    num_masks: int = 0
    merged_codepoints: str = ""
    rival_codepoints: str = ""

    @property
    def members(self) -> list[int]:
        """Codepoints drawn for this class: its own and the merged ones."""
        return parse_codepoints(f"{self.codepoint} {self.merged_codepoints}")

    @property
    def rivals(self) -> list[int]:
        """Codepoints of other classes that share a mask with this one."""
        return parse_codepoints(self.rival_codepoints)


def parse_codepoints(text: str) -> list[int]:
    """Parses `U+0041 U+0391` into integers.

    Args:
      text: space-separated codepoints.

    Returns:
      The codepoints, in the order given.
    """
    return [int(word.removeprefix("U+"), 16) for word in text.split()]


def format_codepoints(codepoints: Iterable[int]) -> str:
    """Formats codepoints as `U+0041 U+0391`.

    Args:
      codepoints: the codepoints.

    Returns:
      The text, in rising order.
    """
    return " ".join(f"U+{codepoint:04X}" for codepoint in sorted(codepoints))


def is_usable(codepoint: int) -> bool:
    """Tells whether a character can be a class by its Unicode properties alone.

    Args:
      codepoint: the character.

    Returns:
      False for control, space, private, unassigned and combining characters, for those that
      canonical composition replaces, and for compatibility forms of a single other character.
    """
    character = chr(codepoint)
    if unicodedata.category(character)[0] in "CZM":
        return False
    if unicodedata.normalize("NFC", character) != character:
        return False
    form, *rest = unicodedata.decomposition(character).split() or [""]
    return form not in _COMPATIBILITY_FORMS and not (form == "<compat>" and len(rest) == 1)


def merge_alike(drawn: Mapping[int, Mapping[str, bytes]]) -> dict[int, int]:
    """Merges every character into the smallest one that most of their shared faces draw alike.

    Args:
      drawn: masks of every character by face, in rising order of codepoint.

    Returns:
      The representative of every character: itself, or a smaller one that is its own
      representative and that at least half of the faces they share draw the same.
    """
    representative = {}
    drawers = collections.defaultdict(list)
    for codepoint, masks in drawn.items():
        similar = {other for shape in masks.items() for other in drawers[shape]}
        representative[codepoint] = codepoint
        for other in sorted(similar):
            shared = masks.keys() & drawn[other].keys()
            alike = sum(masks[face] == drawn[other][face] for face in shared)
            if 2 * alike >= len(shared):
                representative[codepoint] = other
                break
        else:
            for shape in masks.items():
                drawers[shape].append(codepoint)
    return representative


def leaf_classes(drawn: Mapping[int, Mapping[str, bytes]]) -> list[GlyphClass]:
    """Makes the classes of characters, without ids.

    Args:
      drawn: masks of every usable character by face, in rising order of codepoint.

    Returns:
      One class per representative that keeps at least `MIN_MASKS` masks of its own; ids are -1.
    """
    representative = merge_alike(drawn)
    contested = glyph_masks.contested_masks(drawn, representative)
    members = collections.defaultdict(list)
    claimants = collections.defaultdict(set)
    for codepoint, own in representative.items():
        members[own].append(codepoint)
        for mask in drawn[codepoint].values():
            claimants[mask].add(codepoint)
    leaves = []
    for codepoint, codes in members.items():
        rivals = {
            other
            for code in codes
            for mask in drawn[code].values()
            for other in claimants[mask]
            if representative[other] != codepoint
        }
        num_masks = len(glyph_masks.class_masks(drawn, codes, contested))
        if num_masks >= MIN_MASKS:
            leaves.append(_leaf(codepoint, codes, rivals, num_masks))
    return leaves


def _leaf(codepoint: int, codes: list[int], rivals: set[int], num_masks: int) -> GlyphClass:
    block = glyph_blocks.block_path(codepoint)
    name = unicodedata.name(chr(codepoint))
    return GlyphClass(
        class_id=-1,
        name=name,
        vertical=block.split("/")[0],
        path=f"{block}/{name}",
        codepoint=format_codepoints([codepoint]),
        num_masks=num_masks,
        merged_codepoints=format_codepoints(code for code in codes if code != codepoint),
        rival_codepoints=format_codepoints(rivals),
    )


def ancestor_classes(leaves: Iterable[GlyphClass]) -> list[GlyphClass]:
    """Makes the scripts and blocks above the given characters, without ids.

    Args:
      leaves: classes of characters.

    Returns:
      A class for every script and block with at least two leaves, unless it is its whole vertical
      or has the same leaves as the script above it; ids are -1.
    """
    sizes: collections.Counter[str] = collections.Counter()
    for leaf in leaves:
        parts = leaf.path.split("/")
        sizes.update("/".join(parts[:depth]) for depth in range(1, len(parts)))
    ancestors = []
    for path, size in sizes.items():
        parent, _, name = path.rpartition("/")
        if parent and 2 <= size < sizes[parent]:
            ancestors.append(GlyphClass(-1, name, path.split("/")[0], path))
    return ancestors


def number_classes(leaves: Iterable[GlyphClass]) -> list[GlyphClass]:
    """Adds the ancestors to characters, sorts all of them and numbers them.

    Args:
      leaves: classes of characters.

    Returns:
      The classes with ids 0..C-1: by vertical, script and block, each ancestor just before what it
      holds, characters by codepoint.
    """
    leaves = list(leaves)

    def position(row: GlyphClass) -> tuple[str, ...]:
        if not row.codepoint:
            return tuple(row.path.split("/"))
        return (*row.path.split("/")[:-1], f"{row.members[0]:06X}")

    rows = sorted(leaves + ancestor_classes(leaves), key=position)
    return [dataclasses.replace(row, class_id=index) for index, row in enumerate(rows)]


def build_classes() -> list[GlyphClass]:
    """Builds the whole list from the fonts that matplotlib installs.

    Returns:
      All classes with ids 0..C-1.

    Raises:
      FontMismatchError: the fonts are not the ones the list is defined by.
    """
    fonts = glyph_fonts.verified_fonts()
    usable = {code for code in glyph_masks.characters(fonts) if is_usable(code)}
    drawn = glyph_masks.draw_masks(fonts, usable)
    drawn = {code: masks for code, masks in drawn.items() if len(masks) >= MIN_FACES}
    return number_classes(leaf_classes(drawn))


def _open(path: str | pathlib.Path, mode: str) -> TextIO:
    opened = lzma.open if pathlib.Path(path).suffix == ".xz" else open
    return opened(path, mode, newline="", encoding="utf-8")


def write_classes(rows: Iterable[GlyphClass], path: str | pathlib.Path) -> None:
    """Writes classes to a CSV file.

    Args:
      rows: the classes.
      path: file to write; one that ends in .xz is compressed.
    """
    names = [field.name for field in dataclasses.fields(GlyphClass)]
    with _open(path, "wt") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(dataclasses.asdict(row) for row in rows)


def read_classes(path: str | pathlib.Path = LIST_FILE) -> list[GlyphClass]:
    """Reads classes from a CSV file.

    Args:
      path: file that `write_classes` wrote; the list that ships with the package by default.

    Returns:
      The classes, in file order.
    """
    with _open(path, "rt") as file:
        return [
            GlyphClass(**row | {name: int(row[name]) for name in ("class_id", "num_masks")})
            for row in csv.DictReader(file)
        ]


def main() -> None:
    """Writes the class list to `--output`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", default=str(LIST_FILE), help="CSV file to write")
    output = parser.parse_args().output
    rows = build_classes()
    write_classes(rows, output)
    print(f"{len(rows)} classes written to {output}")


if __name__ == "__main__":
    main()
