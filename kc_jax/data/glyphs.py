"""TFDS dataset `glyph_tree`: Unicode characters under their scripts, blocks and verticals.

Masks are drawn when the dataset is prepared, from fonts that matplotlib installs: DejaVu (Bitstream
Vera licence) and STIX (STIX Font License). Copies of the prepared data need those notices.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import os
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from kc_jax.config import ConfigError
from kc_jax.data import glyph_list, glyph_masks

# All verticals but the smallest, ancient_lisu.
_EMBEDDED_VERTICALS = (
    "arabic",
    "armenian_georgian",
    "arrows",
    "box_block_geometric",
    "braille",
    "canadian_aboriginal",
    "cyrillic",
    "dingbats",
    "greek_coptic",
    "hebrew_lao",
    "hexagrams_tetragrams",
    "latin_basic_extended_a",
    "latin_extended_bcd",
    "latin_vietnamese_additional",
    "letterlike_numbers_enclosed",
    "math_operators",
    "phonetic_ipa",
    "pictographs_emoticons",
    "punctuation_modifiers",
    "technical",
)
_SMOKE_VERTICALS = ("arabic", "latin_basic_extended_a", "math_operators", "punctuation_modifiers")


@dataclasses.dataclass(eq=False)
class GlyphTreeConfig(tfds.core.BuilderConfig):
    """Choice of classes.

    Attributes:
      verticals: names of the verticals to keep; all when empty.
      leaves_per_vertical: int, characters to keep in each, those with most masks; all when None.
    """

    verticals: tuple[str, ...] = ()
    leaves_per_vertical: int | None = None


def select_classes(
    rows: Sequence[glyph_list.GlyphClass],
    verticals: Sequence[str] = (),
    leaves_per_vertical: int | None = None,
) -> list[glyph_list.GlyphClass]:
    """Selects the characters with most masks and numbers them and their ancestors afresh.

    Args:
      rows: the whole class list.
      verticals: names of the verticals to keep; all when empty.
      leaves_per_vertical: characters to keep in each vertical; all when None.

    Returns:
      Classes with ids 0..C-1; ancestors follow from the characters kept.

    Raises:
      ValueError: a vertical is not in the list.
    """
    known = sorted({row.vertical for row in rows})
    unknown = sorted(set(verticals) - set(known))
    if unknown:
        raise ValueError(f"unknown verticals {unknown}; expected some of {known}")
    leaves = []
    for vertical in verticals or known:
        inside = [row for row in rows if row.vertical == vertical and row.codepoint]
        inside.sort(key=lambda row: (-row.num_masks, row.members[0]))
        leaves += inside[:leaves_per_vertical]
    return glyph_list.number_classes(leaves)


def choose_test_mask(path: str, masks: Mapping[bytes, Sequence[str]]) -> bytes:
    """Chooses the mask of a class that the test split holds out.

    Args:
      path: path of the class, which makes the choice differ between classes.
      masks: faces that draw each of its two or more masks.

    Returns:
      A mask other than the one that most faces draw, the same at every call.
    """
    commonest = max(masks, key=lambda mask: (len(masks[mask]), mask))
    rest = sorted(mask for mask in masks if mask != commonest)
    digest = hashlib.sha256(path.encode()).digest()
    return rest[int.from_bytes(digest[:8], "big") % len(rest)]


def draw_records(
    rows: Sequence[glyph_list.GlyphClass],
) -> dict[str, list[tuple[int, bytes, tuple[str, ...]]]]:
    """Draws all masks of the given classes and splits them.

    Args:
      rows: classes, as `select_classes` returns them.

    Returns:
      For `train` and `test`, the (class_id, mask, faces) of every mask, in order of class_id.

    Raises:
      FontMismatchError: the fonts, or the masks they give, are not the expected ones.
    """
    fonts = glyph_masks.verified_fonts()
    leaves = [row for row in rows if row.codepoint]
    needed = {code for row in leaves for code in row.members + row.rivals}
    drawn = glyph_masks.draw_masks(fonts, needed)
    records = {"train": [], "test": []}
    for row in leaves:
        masks = glyph_masks.class_masks(drawn, row.members, row.rivals)
        if len(masks) < glyph_list.MIN_MASKS:
            raise glyph_masks.FontMismatchError(
                f"class {row.path}: expected {row.num_masks} distinct masks, found {len(masks)}, "
                f"fewer than the {glyph_list.MIN_MASKS} that two splits need; Pillow's FreeType "
                "draws differently from the one the list was made with: install another Pillow"
            )
        held_out = choose_test_mask(row.path, masks)
        for mask, faces in masks.items():
            split = "test" if mask == held_out else "train"
            records[split].append((row.class_id, mask, faces))
    return records


def encode_png(mask: bytes) -> io.BytesIO:
    """Encodes a mask as PNG.

    Args:
      mask: MASK_SIZE * MASK_SIZE grey bytes.

    Returns:
      A file object at its beginning.
    """
    file = io.BytesIO()
    image = Image.frombytes("L", (glyph_masks.MASK_SIZE, glyph_masks.MASK_SIZE), mask)
    image.save(file, format="png")
    file.seek(0)
    return file


class GlyphTree(tfds.core.GeneratorBasedBuilder):
    """Builds characters as images, one test mask per character and the rest for training.

    The split holds out masks, not faces. Many characters exist in one font family only, so their
    test mask differs from training ones by weight and slant alone.
    """

    # TFDS's own property imports importlib_resources, which it does not require on Python 3.9+.
    code_path = tfds.core.Path(__file__)

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}
    BUILDER_CONFIGS = [
        GlyphTreeConfig(
            name="embedded",
            description="The 50 characters with most masks in each of 20 verticals.",
            verticals=_EMBEDDED_VERTICALS,
            leaves_per_vertical=50,
        ),
        GlyphTreeConfig(name="embedded_full", description="All characters, 21 verticals."),
        GlyphTreeConfig(
            name="smoke",
            description="6 characters in each of 4 verticals, for tests.",
            verticals=_SMOKE_VERTICALS,
            leaves_per_vertical=6,
        ),
    ]

    def __init__(self, *, file_format: str = "array_record", **kwargs):
        super().__init__(file_format=file_format, **kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        side = glyph_masks.MASK_SIZE
        return tfds.core.DatasetInfo(
            builder=self,
            description="Unicode characters in a tree of verticals, scripts and blocks.",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(side, side, 1), encoding_format="png"),
                    "class_id": np.int64,
                    "face": tfds.features.Text(),
                }
            ),
            license="Masks drawn from DejaVu (Bitstream Vera) and STIX (STIX Font License) fonts.",
        )

    def _split_generators(self, dl_manager):
        del dl_manager
        records = draw_records(config_classes(self.builder_config.name))
        return {split: self._generate_examples(records[split]) for split in records}

    def _generate_examples(self, records) -> Iterator[tuple[str, dict]]:
        for index, (class_id, mask, faces) in enumerate(records):
            yield (
                f"{index:06d}",
                {"image": encode_png(mask), "class_id": class_id, "face": " ".join(faces)},
            )


def config_classes(config_name: str) -> list[glyph_list.GlyphClass]:
    """Lists the classes of a builder config.

    Args:
      config_name: name of one of `GlyphTree.BUILDER_CONFIGS`.

    Returns:
      Classes with ids 0..C-1.

    Raises:
      ConfigError: no config has that name.
    """
    configs = {config.name: config for config in GlyphTree.BUILDER_CONFIGS}
    if config_name not in configs:
        raise ConfigError(
            f"config.data.variant is {config_name!r}; expected one of {', '.join(configs)}"
        )
    config = configs[config_name]
    return select_classes(glyph_list.read_classes(), config.verticals, config.leaves_per_vertical)


def label_rows(config_name: str) -> list[dict[str, int | str]]:
    """Lists the labels of a builder config; needs no fonts and no prepared data.

    Args:
      config_name: name of one of `GlyphTree.BUILDER_CONFIGS`.

    Returns:
      A dict with `class_id` (int, the row's index), `name`, `vertical` and `path` per class.

    Raises:
      ValueError: no config has that name.
    """
    keys = ("class_id", "name", "vertical", "path")
    return [{key: getattr(row, key) for key in keys} for row in config_classes(config_name)]


def prepare(data_dir: str | os.PathLike[str], config_name: str = "embedded") -> GlyphTree:
    """Prepares the dataset where it is not there yet, without network and without TensorFlow.

    Args:
      data_dir: root folder of TFDS datasets.
      config_name: name of one of `GlyphTree.BUILDER_CONFIGS`.

    Returns:
      The builder; read it with `as_data_source(split="train")`.

    Raises:
      FontMismatchError: the fonts, or the masks they give, are not the expected ones.
      ValueError: no config has that name.
    """
    config_classes(config_name)
    tfds.disable_progress_bar()
    builder = GlyphTree(data_dir=os.fspath(data_dir), config=config_name)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            builder.download_and_prepare(
                download_config=tfds.download.DownloadConfig(try_download_gcs=False)
            )
    except FileExistsError:  # another process finished first: read what it wrote
        builder = GlyphTree(data_dir=os.fspath(data_dir), config=config_name)
    return builder
