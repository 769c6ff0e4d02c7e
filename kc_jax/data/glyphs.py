"""TFDS dataset `glyph_tree`: Unicode characters under their scripts, blocks and verticals.

Masks are drawn when the dataset is prepared, from fonts that matplotlib or Debian's packages
install. Copies of the prepared data need the fonts' notices.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import pathlib
import shutil
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow_datasets as tfds

from kc_jax import artifacts, checksums, disk_space, run_lock
from kc_jax.config import ConfigError
from kc_jax.data import glyph_fonts, glyph_list, glyph_masks, glyph_records
from kc_jax.progress import show_progress

CHECKSUMS = "checksums.json"  # Of the other files of a prepared dataset.

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
_UNFINISHED = "incomplete.*"  # Folders that TFDS writes to before it gives them their names.
_SMOKE_VERTICALS = ("arabic", "latin_basic_extended_a", "math_operators", "punctuation_modifiers")


@dataclasses.dataclass(eq=False)
class GlyphTreeConfig(tfds.core.BuilderConfig):
    """Choice of classes, and what draws them.

    Attributes:
      class_list: file of the classes to choose from.
      verticals: names of the verticals to keep; all when empty.
      leaves_per_vertical: int, characters to keep in each, those with most masks; all when None.
      fonts: what draws them.
      masks_per_class: int, masks to keep of a character; all when None.
    """

    class_list: pathlib.Path = glyph_list.LIST_FILE
    verticals: tuple[str, ...] = ()
    leaves_per_vertical: int | None = None
    fonts: glyph_fonts.FontSet = glyph_fonts.MATPLOTLIB
    masks_per_class: int | None = None


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
        GlyphTreeConfig(
            name="glyph100k",
            description="100,000 characters in 20 verticals, from fonts of Debian's packages.",
            class_list=glyph_list.LARGE_LIST_FILE,
            fonts=glyph_fonts.DEBIAN,
            masks_per_class=12,
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
            license=self.builder_config.fonts.licence,
        )

    def _split_generators(self, dl_manager):
        del dl_manager
        config = self.builder_config
        records = glyph_records.draw_records(
            config_classes(config.name), config.fonts, config.masks_per_class
        )
        return {split: self._generate_examples(split, records[split]) for split in records}

    def _generate_examples(self, split, records) -> Iterator[tuple[str, dict]]:
        with show_progress(f"writing glyphs, {split}", len(records)) as show:
            for index, (class_id, mask, faces) in enumerate(records):
                image = glyph_records.encode_png(mask)
                yield f"{index:06d}", {
                    "image": image, "class_id": class_id, "face": " ".join(faces),
                }
                show(index + 1)


def find_config(config_name: str) -> GlyphTreeConfig:
    """Finds a builder config.

    Args:
      config_name: name of one of `GlyphTree.BUILDER_CONFIGS`.

    Returns:
      The config of that name.

    Raises:
      ConfigError: no config has that name.
    """
    configs = {config.name: config for config in GlyphTree.BUILDER_CONFIGS}
    if config_name not in configs:
        raise ConfigError(
            f"config.data.variant is {config_name!r}; expected one of {', '.join(configs)}"
        )
    return configs[config_name]


def config_classes(config_name: str) -> list[glyph_list.GlyphClass]:
    """Lists the classes of a builder config.

    Args:
      config_name: name of one of `GlyphTree.BUILDER_CONFIGS`.

    Returns:
      Classes with ids 0..C-1: the list as it is where the config chooses none of them.

    Raises:
      ConfigError: no config has that name.
    """
    config = find_config(config_name)
    rows = glyph_list.read_classes(config.class_list)
    if not config.verticals and config.leaves_per_vertical is None:
        return rows
    return select_classes(rows, config.verticals, config.leaves_per_vertical)


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
      DamagedFileError: a file of what was prepared is not as it was written.
      ValueError: no config has that name.
      DiskSpaceError: there is no room for it.
    """
    find_config(config_name)
    root = pathlib.Path(data_dir)
    folder = root / GlyphTree.name / config_name / str(GlyphTree.VERSION)
    _check(folder)
    tfds.disable_progress_bar()
    builder = GlyphTree(data_dir=os.fspath(root), config=config_name)
    if not folder.exists():
        _draw(root, builder)
        builder = GlyphTree(data_dir=os.fspath(root), config=config_name)
    with contextlib.suppress(OSError):  # Of a folder that is only read, nothing is noted.
        _note_checksums(root, folder)
    return builder


def _draw(root: pathlib.Path, builder: GlyphTree) -> None:
    """Draws a dataset, unless another process does; one waits for the other."""
    with (
        disk_space.watched(root, "config.data.directory"),
        _alone(root),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        for path in root.glob(f"{GlyphTree.name}/*/{_UNFINISHED}"):
            shutil.rmtree(path)  # Of a run that was killed.
        try:
            builder.download_and_prepare(
                download_config=tfds.download.DownloadConfig(try_download_gcs=False)
            )
        except FileExistsError:  # Another host's process, which no lock reached, was first.
            pass


def _alone(root: pathlib.Path):
    return run_lock.awaited(root / f"{GlyphTree.name}.lock", f"draws glyphs in {root}")


def _note_checksums(root: pathlib.Path, folder: pathlib.Path) -> None:
    """Notes what a prepared dataset's files are, where that is not noted yet."""
    if (folder / CHECKSUMS).exists():
        return
    with _alone(root):
        if (folder / CHECKSUMS).exists():
            return  # Another process was first.
        names = sorted(
            path.name for path in folder.iterdir()
            if path.name != CHECKSUMS and path.suffix != artifacts.TEMPORARY
        )
        artifacts.write_sealed(folder / CHECKSUMS, {"files": checksums.describe(folder, names)})


def _check(folder: pathlib.Path) -> None:
    """Compares prepared files with what was noted of them when they were first read."""
    remedy = f"remove {folder}, and it is drawn anew"
    if (folder / CHECKSUMS).exists():
        noted = checksums.read_json(folder / CHECKSUMS, remedy, needs=["files"])
        for name, facts in noted["files"].items():
            what = checksums.difference(folder / name, facts)
            if what:
                raise checksums.damaged(folder / name, what, remedy)
