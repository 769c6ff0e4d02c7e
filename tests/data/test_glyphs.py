"""Tests for the glyph_tree dataset."""

import dataclasses
import functools
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest

from kc_jax import artifacts
from kc_jax.core import label_space
from kc_jax.data import glyph_fonts, glyph_list, glyphs
from kc_jax.errors import UserError


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    return glyphs.prepare(tmp_path_factory.mktemp("tfds"), "smoke")


@pytest.fixture(scope="module")
def smoke_records(smoke):
    return {split: list(smoke.as_data_source(split=split)) for split in ("train", "test")}


@pytest.mark.parametrize(
    "config_name, num_verticals, num_leaves, num_ancestors",
    [("smoke", 4, 24, 7), ("embedded", 20, 1000, 20), ("embedded_full", 21, 4492, 59)],
)
def test_label_rows_of_every_config(config_name, num_verticals, num_leaves, num_ancestors):
    rows = glyphs.label_rows(config_name)
    assert [row["class_id"] for row in rows] == list(range(num_leaves + num_ancestors))
    assert len({row["path"] for row in rows}) == len(rows)
    assert all(set(row) == {"class_id", "name", "vertical", "path"} for row in rows)
    verticals = [row["vertical"] for row in rows]
    changes = sum(a != b for a, b in zip(verticals, verticals[1:], strict=False))
    assert changes + 1 == len(set(verticals)) == num_verticals
    assert sum(row["path"].count("/") == 3 for row in rows) == num_leaves


def test_full_config_is_the_committed_list():
    assert glyphs.config_classes("embedded_full") == glyph_list.read_classes()


def test_embedded_verticals_leave_out_the_smallest_only():
    leaves = [row.vertical for row in glyph_list.read_classes() if row.codepoint]
    smallest = min(set(leaves), key=leaves.count)
    kept = {row["vertical"] for row in glyphs.label_rows("embedded")}
    assert set(leaves) - kept == {smallest}


def test_the_large_config_takes_its_list_as_it_is_without_fonts(monkeypatch, tmp_path):
    no_fonts = functools.partial(glyph_fonts.packaged_fonts, tmp_path)
    config = glyphs.find_config("glyph100k")
    monkeypatch.setattr(config, "fonts", dataclasses.replace(config.fonts, find=no_fonts))
    space = label_space.from_rows(glyphs.label_rows("glyph100k"))
    assert (space.num_classes, space.num_verticals) == (100_000, 20)
    assert set(space.parents) == {None}
    with pytest.raises(UserError, match="fonts-babelstone-han.*`apt-get install"):
        glyphs.prepare(tmp_path, "glyph100k")


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="'tiny'.*embedded.*smoke"):
        glyphs.label_rows("tiny")
    with pytest.raises(ValueError, match="klingon.*cyrillic"):
        glyphs.select_classes(glyph_list.read_classes(), ["klingon"])


def test_smoke_records_read_back(smoke, smoke_records):
    rows = glyphs.config_classes("smoke")
    leaves = [row for row in rows if row.codepoint]
    records = smoke_records["train"] + smoke_records["test"]
    assert len(records) == sum(row.num_masks for row in leaves)
    assert smoke.info.splits["train"].num_examples == len(smoke_records["train"])
    for record in records:
        assert record["image"].shape == (64, 64, 1)
        assert record["image"].dtype == np.uint8
        assert set(record["face"].decode().split()) <= set(glyph_fonts.FACE_SHA256)
    for row in leaves:
        count = sum(record["class_id"] == row.class_id for record in records)
        assert count == row.num_masks, row.path


def test_test_split_has_one_mask_per_leaf_and_none_of_train(smoke_records):
    leaves = [row.class_id for row in glyphs.config_classes("smoke") if row.codepoint]
    assert sorted(record["class_id"] for record in smoke_records["test"]) == leaves
    masks = {
        split: {record["image"].tobytes() for record in records}
        for split, records in smoke_records.items()
    }
    assert not masks["train"] & masks["test"]
    assert len(masks["train"]) == len(smoke_records["train"])


def test_masks_are_white_on_black_and_centred(smoke_records):
    for record in smoke_records["train"]:
        ink = np.argwhere(record["image"][..., 0] > 0)
        assert np.all(np.abs(ink.min(0) + ink.max(0) - 63) <= 1)


def test_preparing_twice_gives_the_same_order(smoke_records, tmp_path, capsys):
    killed = tmp_path / "glyph_tree" / "smoke" / "incomplete.ABC123_1.0.0"
    killed.mkdir(parents=True)  # As a run leaves it that was killed.
    again = glyphs.prepare(tmp_path, "smoke")
    said = capsys.readouterr()
    assert said.out == "" and not killed.exists()
    assert "drawing glyphs, fonts: 16/16, done in " in said.err
    assert f"writing glyphs, train: {len(smoke_records['train'])}/" in said.err
    for split, records in smoke_records.items():
        for old, new in zip(records, again.as_data_source(split=split), strict=True):
            assert (old["class_id"], old["face"]) == (new["class_id"], new["face"])
            np.testing.assert_array_equal(old["image"], new["image"])


def test_prepare_reads_what_another_process_finished_first(smoke_records, tmp_path, monkeypatch):
    own_prepare = glyphs.GlyphTree.download_and_prepare

    def lose_the_race(builder, **kwargs):
        own_prepare(glyphs.GlyphTree(data_dir=str(tmp_path), config="smoke"), **kwargs)
        raise FileExistsError("Destination already exists")

    monkeypatch.setattr(glyphs.GlyphTree, "download_and_prepare", lose_the_race)
    builder = glyphs.prepare(tmp_path, "smoke")
    assert len(builder.as_data_source(split="train")) == len(smoke_records["train"])


def test_tensorflow_is_not_imported():
    code = "import sys, kc_jax.data.glyphs; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


@pytest.fixture
def prepared(smoke, tmp_path):
    shutil.copytree(smoke.data_dir, tmp_path / "glyph_tree" / "smoke" / "1.0.0")
    return tmp_path / "glyph_tree" / "smoke" / "1.0.0"


@pytest.mark.parametrize("name", ["dataset_info.json", "glyph_tree-train.array_record-*"])
@pytest.mark.parametrize("spoil", [lambda p: p.unlink(), lambda p: p.write_bytes(b"x")])
def test_damaged_files_are_named_and_drawn_anew_once_removed(prepared, tmp_path, name, spoil):
    (path,) = prepared.glob(name)
    spoil(path)
    with pytest.raises(UserError, match=f"{path} is damaged: .*remove {prepared}, and it is drawn"):
        glyphs.prepare(tmp_path, "smoke")


def test_what_an_earlier_version_prepared_is_read_and_noted(prepared, tmp_path):
    (prepared / glyphs.CHECKSUMS).unlink()
    assert len(glyphs.prepare(tmp_path, "smoke").as_data_source(split="test")) == 24
    assert (prepared / glyphs.CHECKSUMS).exists()


def test_what_another_process_is_about_to_write_is_not_noted(tmp_path):
    builder = glyphs.prepare(tmp_path, "smoke")
    folder = pathlib.Path(builder.data_path)
    (folder / glyphs.CHECKSUMS).rename(folder / (glyphs.CHECKSUMS + artifacts.TEMPORARY))
    glyphs.prepare(tmp_path, "smoke")
    noted = artifacts.read_json(folder / glyphs.CHECKSUMS)["files"]
    assert noted and not [name for name in noted if name.startswith(glyphs.CHECKSUMS)]
    glyphs.prepare(tmp_path, "smoke")
