import dataclasses

import pytest

from kc_jax.config import ConfigError
from kc_jax.core import label_space
from kc_jax.data import selection
from kc_jax.data.inspection import Finding

SPACE = label_space.from_rows([
    {"class_id": 0, "name": "bird", "vertical": "animal", "path": "animal/bird"},
    {"class_id": 1, "name": "wren", "vertical": "animal", "path": "animal/bird/wren"},
    {"class_id": 2, "name": "other", "vertical": "animal", "path": "animal/other"},
    {"class_id": 3, "name": "sedan", "vertical": "car", "path": "car/sedan"},
    {"class_id": 4, "name": "other", "vertical": "car", "path": "car/other"},
])


def found(key, split, *labels, same_as=None, kind=""):
    return Finding(key, split, labels, f"digest of {same_as or key}", 10, kind)


PATHS = {"wren": "animal/bird/wren", "sedan": "car/sedan"}
# Enough of each vertical in each split.
BASE = [found("t1", "train", "wren"), found("t2", "train", "sedan"),
        found("e1", "test", "wren"), found("e2", "test", "sedan")]


def select(*findings, given=SPACE, **options):
    defaults = {"one_vertical_a_name": False, "test_share": 0.2}
    return selection.select([*BASE, *findings], given, **{**defaults, **options})


def kept(chosen):
    return {record.key: record.labels for records in chosen.splits.values() for record in records}


def why(chosen):
    return {key: kind for key, kind, _ in chosen.left_out}


@pytest.mark.parametrize("label, class_id", [
    ("wren", 1), ("animal/bird/wren", 1), ("/animal/bird/wren/", 1), ("x/y/wren", 1), (1, 1),
    ("3", 3), ("car/other", 4), ("other", None), ("no such", None), (5, None), ("5", None),
])
def test_labels_are_found_by_path_name_or_id(label, class_id):
    chosen = select(found("x", "train", label))
    if class_id is None:
        assert why(chosen) == {"x": "unknown label"} and chosen.unknown == ((str(label), 1),)
    else:
        assert kept(chosen)["x"] == (class_id,) and not chosen.left_out


def test_an_unknown_label_beside_a_known_one_is_told_and_dropped():
    chosen = select(found("x", "train", "wren", "bogus"), found("y", "train"))
    assert kept(chosen)["x"] == (1,) and chosen.unknown == (("bogus", 1),)
    assert why(chosen) == {"y": "no label"}


def test_of_duplicates_one_is_kept_rather_in_the_test_and_none_under_other_labels():
    chosen = select(
        found("b", "train", "wren", same_as="a"), found("a", "train", "wren"),
        found("d", "train", "wren", same_as="c"), found("c", "test", "wren"),
        found("f", "train", "sedan", same_as="e"), found("e", "train", "wren"),
        found("h", "test", "wren", "sedan", same_as="g"), found("g", "test", "sedan", "wren"),
    )
    assert why(chosen) == {
        "b": "duplicate", "d": "duplicate of a test image",
        "e": "duplicate under other labels", "f": "duplicate under other labels",
        "h": "duplicate",
    }
    assert kept(chosen)["g"] == (1, 3)
    details = {key: detail for key, _, detail in chosen.left_out}
    assert details["f"] == "same bytes as e" and details["d"] == "same bytes as c"


def test_a_key_of_two_images_names_the_first():
    twice = [found("x", "train", "wren"), found("x", "train", "wren", same_as="other")]
    assert why(select(*twice)) == {"x": "repeated key"}


@pytest.mark.parametrize("label, vertical", [
    ("animal", 0), ("car/", 1), ("car/of/any/kind", 1), ("wren", 0), ("x/y/sedan", 1), (3, 1),
    ("boat", None), ("other", None), (9, None),
])
def test_images_without_labels_are_known_by_their_verticals(label, vertical):
    chosen = select(found("u", "unlabelled", label))
    if vertical is None:
        assert why(chosen) == {"u": "unknown vertical"} and "unlabelled" not in chosen.splits
    else:
        (record,) = chosen.splits["unlabelled"]
        assert (record.key, record.labels, record.position) == ("u", (vertical,), len(BASE))
        assert not chosen.left_out


def test_images_without_labels_change_nothing_of_the_others():
    others = [found(f"u{i}", "unlabelled", "car/no such class") for i in range(3)]
    for given in (SPACE, None):
        both = [selection.select(
            [dataclasses.replace(f, labels=(PATHS[f.labels[0]],)) for f in BASE] + more, given,
            one_vertical_a_name=False, test_share=0.2,
        ) for more in ([], others)]
        assert both[0].space == both[1].space and both[0].unknown == both[1].unknown
        for split in selection.SPLITS:
            assert both[0].splits[split] == both[1].splits[split]
        assert [r.labels for r in both[1].splits["unlabelled"]] == [(1,)] * 3


def test_of_duplicates_with_and_without_labels_that_with_labels_is_kept():
    chosen = select(
        found("a", "unlabelled", "animal", same_as="t1"), found("b", "unlabelled", "car"),
        found("c", "unlabelled", "car", same_as="b"), found("e1", "unlabelled", "car", same_as="x"),
        found("d", "unlabelled", "car", kind="unreadable"),
    )
    assert why(chosen) == {
        "a": "duplicate", "c": "duplicate", "e1": "repeated key", "d": "unreadable",
    }
    assert [r.key for r in chosen.splits["unlabelled"]] == ["b"]


def test_in_one_vertical_all_images_without_labels_are_of_it():
    chosen = selection.select(
        [found("1", "train", "wren"), found("2", "test", "wren"), found("3", "unlabelled"),
         found("4", "unlabelled", "anything")],
        None, one_vertical_a_name=False, test_share=0.2,
    )
    assert [r.labels for r in chosen.splits["unlabelled"]] == [(0,), (0,)]
    assert chosen.space.verticals == ("all",) and not chosen.left_out


def test_a_label_space_of_paths_has_the_classes_that_can_be_learnt():
    path_of = {"wren": "animal/bird/wren", "sedan": "car/sedan"}
    as_paths = [found(f.key, f.split, path_of[f.labels[0]]) for f in BASE]
    chosen = selection.select(
        [*as_paths, found("x", "test", "car/coupe"), found("y", "train", "animal/ape", kind="bad"),
         found("z", "test", "car/coupe", "car/sedan")],
        None, one_vertical_a_name=False, test_share=0.2,
    )
    assert chosen.space.paths == ("animal/bird/wren", "car/sedan")
    assert chosen.space.verticals == ("animal", "car")
    assert chosen.untrained == ("car/coupe",)
    assert why(chosen) == {"x": "untrained class", "y": "bad"} and kept(chosen)["z"] == (1,)


def test_classes_of_which_none_is_in_a_vertical_are_put_into_one():
    numbered = [found(f.key, f.split, {"wren": 10, "sedan": 9}[f.labels[0]]) for f in BASE]
    chosen = selection.select(
        [*numbered, found("x", "train", "/coupe/"), found("y", "train")],
        None, one_vertical_a_name=False, test_share=0.2,
    )
    assert chosen.space.verticals == ("all",)
    assert chosen.space.paths == ("all/10", "all/9", "all/coupe")
    assert kept(chosen) == {"t1": (0,), "t2": (1,), "e1": (0,), "e2": (1,), "x": (2,)}
    assert why(chosen) == {"y": "no label"}
    (note,) = chosen.notes
    assert "one, 'all'" in note and note.endswith("docs/choosing_verticals.md")
    assert select().notes == ()


def test_a_given_label_space_keeps_its_ids_and_tells_what_is_not_learnt():
    chosen = select()
    assert chosen.space is SPACE and kept(chosen)["t2"] == (3,)
    assert chosen.untrained == ("animal/other", "car/other")  # Birds are learnt from wrens.


def test_images_without_a_split_are_parted():
    free = [found(f"f{i}", None, "wren") for i in range(200)]
    chosen = select(*free, test_share=0.5)
    tested = [r.key for r in chosen.splits["test"] if r.key.startswith("f")]
    assert 70 < len(tested) < 130


@pytest.mark.parametrize("findings, options, words", [
    ([found("a", "train", "wren"), found("b", "train", "car/sedan"), found("c", "test", "car")],
     {"given": None},
     "1 of 3 classes, such as 'wren', are in no vertical; .*config.data.label_space"),
    ([found("a", "train", "x/wren"), found("b", "train", "y/wren")],
     {"given": None, "one_vertical_a_name": True}, "class 'wren' is in two verticals, 'x' and 'y'"),
    ([found("a", "train", "x/wren"), found("b", "test", "x/wren"), found("c", "train", "y/owl")],
     {"given": None}, "1 of 2 verticals have no image left for test, such as 'y'; .*held_out"),
    ([found("a", "train", "x/wren", kind="bad"), found("b", "train", "x/wren", kind="worse")],
     {}, r"none of the 2 images can be used \(1 bad, 1 worse\); the first is 'a'"),
    ([found("a", "test", "wren"), found("b", "test", "sedan")], {},
     "have no image left for train"),
])
def test_what_makes_no_dataset_is_named(findings, options, words):
    defaults = {"given": SPACE, "one_vertical_a_name": False, "test_share": 0.2}
    options = {**defaults, **options}
    with pytest.raises(ConfigError, match=words):
        selection.select(findings, options.pop("given"), **options)
