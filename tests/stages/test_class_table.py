import csv

import numpy as np
import pytest

from kc_jax.artifacts import MissingArtifactError
from kc_jax.core import label_space
from kc_jax.stages import class_table

SPACE = label_space.from_rows([
    {"class_id": 0, "name": 'a "quoted", name', "vertical": "x", "path": "x/a"},
    {"class_id": 1, "name": "two\nlines", "vertical": "x", "path": ""},
    {"class_id": 2, "name": "漢字", "vertical": "y", "path": "y/漢字"},
])
CLASS_AP = {"student": {"0": 0.25, "1": None, "2": 1.0}, "specialists": {"0": 0.5}}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "classes.csv"
    class_table.write(path, SPACE, np.array([3, 0, 12]), np.array([1, 0, 2]), CLASS_AP)
    return path


def test_is_a_csv_of_all_classes(path):
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == list(SPACE.names)
    assert rows[0] == {
        "class_id": "0", "name": SPACE.names[0], "vertical": "x", "path": "x/a",
        "training_images": "3", "test_images": "1", "ap_student": "0.25", "ap_specialists": "0.5",
    }
    assert rows[1]["ap_student"] == "" and rows[2]["ap_specialists"] == ""
    assert label_space.read_csv(path) == SPACE


def test_is_read_as_written(path):
    table = class_table.read(path, ["student", "specialists"])
    assert (table.names, table.paths) == (SPACE.names, SPACE.paths)
    assert table.verticals == ("x", "x", "y") and len(table) == 3
    assert table.of_vertical("x").tolist() == [0, 1] and table.of_vertical("y").tolist() == [2]
    assert table.training_images.tolist() == [3, 0, 12] and table.test_images.tolist() == [1, 0, 2]
    np.testing.assert_array_equal(table.class_ap["student"], [0.25, np.nan, 1.0])
    np.testing.assert_array_equal(table.class_ap["specialists"], [0.5, np.nan, np.nan])


def test_says_what_is_missing(path, tmp_path):
    with pytest.raises(MissingArtifactError, match="lacks ap_other; run the stage evaluate"):
        class_table.read(path, ["student", "other"])
    with pytest.raises(MissingArtifactError, match="run the stage evaluate"):
        class_table.read(tmp_path / "none.csv", ["student"])
    assert class_table.read_columns(tmp_path / "none.csv") is None
    assert class_table.read_columns(path) == class_table.columns(["student", "specialists"])


def test_counts_an_image_for_each_of_its_labels():
    counts = class_table.count_images([(0,), (2, 0), (2, 2)], 4)
    assert counts.tolist() == [2, 0, 2, 0]


@pytest.mark.parametrize(("counts", "slices"), [
    ([9, 8, 7, 6, 5, 4], [0, 0, 1, 1, 2, 2]),
    ([4, 9, 5, 7, 6, 8], [2, 0, 2, 1, 1, 0]),
    ([5, 5, 5], [1, 1, 1]),  # No head and no tail.
    ([100, 1, 1, 1, 1, 1], [0, 1, 1, 1, 1, 1]),
    ([100, 100, 9, 1, 1, 1], [0, 0, 1, 2, 2, 2]),
    ([3, 2], [0, 2]),
    ([7], [1]),
    ([], []),
])
def test_thirds_keep_equally_frequent_classes_together(counts, slices):
    assert class_table.frequency_slices(np.array(counts, np.int64)).tolist() == slices
