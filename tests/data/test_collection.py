import os

import pytest

from kc_jax.config import ConfigError
from kc_jax.data import collection
from tests.data.pictures import options


@pytest.mark.parametrize("names, change, expected", [
    ([], {}, {}),
    (["train"], {}, {"train": None}),
    (["train", "test", "val"], {}, {"train": "train", "test": "test"}),
    (["train", "val"], {}, {"train": "train", "val": "test"}),
    (["train", "validation"], {}, {"train": "train", "validation": "test"}),
    (["train", "test"], {"test_split": "held_out"}, {"train": None}),
    (["train", "test"], {"train_split": "train+test"}, {"train": None, "test": None}),
    (["train", "test", "val"], {"train_split": "train+test"},
     {"train": "train", "test": "train", "val": "test"}),
    (["train", "unlabelled"], {}, {"train": None, "unlabelled": "unlabelled"}),
    (["train", "test", "unlabelled"], {"test_split": "unlabelled"},
     {"train": "train", "unlabelled": "test"}),
    (["a", "b", "c"], {"train_split": "a", "test_split": "b+c"},
     {"a": "train", "b": "test", "c": "test"}),
])
def test_every_split_has_its_role(names, change, expected):
    assert collection.split_roles(names, options(**change)) == expected


@pytest.mark.parametrize("change, words", [
    ({"train_split": "training"}, "train_split names the split 'training'.*test, train"),
    ({"test_split": "x"}, "config.data.test_split names the split 'x'"),
    ({"test_split": "train"}, "the split 'train' is in config.data.train_split and in .test_split"),
])
def test_splits_that_are_not_there_are_named(change, words):
    with pytest.raises(ConfigError, match=words):
        collection.split_roles(["train", "test"], options(**change))


@pytest.mark.parametrize("labels, verticals, confidences, expected", [
    (["wren", 3], [], [], ("wren", 3)),
    (["wren", ""], [], [], ("wren",)),
    (["wren", 3], ["a/b"], [], ("a/b/wren", "a/b/3")),
    (["x", "y"], ["a", "b"], [4, 5], ("b/y",)),
    (["x", "y"], [], [4], ()),
    ([], ["a"], [9], ()),
])
def test_labels_get_what_stands_above_them_where_they_are_sure(
    labels, verticals, confidences, expected
):
    data = options(min_confidence=5.0)
    assert collection.labels_of(data, "row 1", "train", labels, verticals, confidences) == expected


@pytest.mark.parametrize("labels, verticals, expected", [
    ([""], ["a/b"], ("a/b/",)), (["wren"], [], ("wren",)), (["x", "y"], ["a", 1], ("a/", "1/")),
    ([], [], ()),
])
def test_a_record_without_labels_has_its_verticals(labels, verticals, expected):
    found = collection.labels_of(options(), "row 1", "unlabelled", labels, verticals, [])
    assert found == expected


@pytest.mark.parametrize("verticals, confidences, option", [
    (["a", "b", "c"], [], "vertical_key"), ([], [1, 2, 3], "confidence_key"),
])
def test_values_that_do_not_fit_the_labels_are_named(verticals, confidences, option):
    with pytest.raises(ConfigError, match=f"row 1 has 2 labels .* 3 values .*{option}"):
        collection.labels_of(options(), "row 1", None, ["x", "y"], verticals, confidences)


@pytest.mark.parametrize("labels, verticals, confidences, words", [
    ([1.5], [], [], r"^row 3 has 1.5 \(config.data.label_key\); expected text or a whole number$"),
    ([True], [], [], r"^row 3 has True \(config.data.label_key\)"),
    ([["wren"]], [], [], r"^row 3 has \['wren'\] \(config.data.label_key\)"),
    (["wren"], [{"a": 1}], [], r"^row 3 has \{'a': 1\} \(config.data.vertical_key\)"),
    (["wren"], [], ["high"], r"^row 3 has the confidence 'high' \(config.data.confidence_key\)"),
    (["wren"], [], [float("nan")], "^row 3 has the confidence nan .*; expected a number$"),
])
def test_cells_of_another_kind_are_refused(labels, verticals, confidences, words):
    with pytest.raises(ConfigError, match=words):
        collection.labels_of(options(), "row 3", None, labels, verticals, confidences)


def test_only_ordinary_files_are_read(tmp_path):
    (tmp_path / "a.png").write_bytes(b"a")
    assert collection.read_file(tmp_path / "a.png") == b"a"
    os.mkfifo(tmp_path / "pipe")  # Reading it would wait for ever.
    for path in (tmp_path, tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(OSError, match="not an ordinary file"):
            collection.read_file(path)
    with pytest.raises(OSError, match="null byte|null character"):
        collection.read_file(f"{tmp_path}/a\0.png")
