import csv
import dataclasses
import re

import numpy as np
import pytest

from kc_jax.core import label_space
from kc_jax.core.label_space import LabelSpace, LabelSpaceError
from tests.reference import smearing

# Class 5 has the ancestor "car", but no class is called "car/new".
PATHS = ("animal", "animal/bird", "animal/bird/perching bird", "animal/dog", "car", "car/new/gt")
PARENTS = (None, 0, 1, 0, None, 4)
SPACE = LabelSpace(
    names=tuple(path.split("/")[-1] for path in PATHS),
    paths=PATHS,
    parents=PARENTS,
    verticals=("animals", "cars"),
    sizes=(4, 2),
)


def path_rows():
    return [
        {"class_id": str(c), "name": SPACE.names[c], "vertical": "animals" if c < 4 else "cars",
         "path": path}
        for c, path in enumerate(PATHS)
    ]


def parent_rows():
    rows = path_rows()
    for row, parent in zip(rows, PARENTS, strict=True):
        del row["path"]
        row["parent"] = "" if parent is None else str(parent)
    return rows


def write_csv(path, rows):
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def changed(rows, row, **changes):
    rows[row].update(changes)
    return rows


def test_sizes_starts_and_verticals():
    assert (SPACE.num_classes, SPACE.num_verticals) == (6, 2)
    np.testing.assert_array_equal(SPACE.starts, [0, 4, 6])
    np.testing.assert_array_equal(SPACE.vertical_of_class, [0, 0, 0, 0, 1, 1])
    assert [list(SPACE.classes_of(v)) for v in range(2)] == [[0, 1, 2, 3], [4, 5]]


def test_ancestors_are_nearest_first():
    assert SPACE.ancestors == ((), (0,), (1, 0), (0,), (), (4,))


@pytest.mark.parametrize(
    "labels, smeared",
    [([2], [0, 1, 2]), ([0], [0]), ([5, 3], [0, 3, 4, 5]), ([3, 2, 2], [0, 1, 2, 3]), ([], [])],
)
def test_smearing_adds_all_ancestors(labels, smeared):
    assert SPACE.smear(labels) == smeared
    assert smearing.smear(labels, PARENTS) == smeared


def test_smearing_of_random_trees_equals_the_reference():
    rng = np.random.default_rng(0)
    for _ in range(20):
        parents = tuple(None if c == 0 else int(rng.integers(c)) for c in range(30))
        names = tuple(f"c{c}" for c in range(30))
        space = LabelSpace(names, ("",) * 30, parents, ("all",), (30,))
        labels = rng.integers(30, size=3).tolist()
        assert space.smear(labels) == smearing.smear(labels, parents)


@pytest.mark.parametrize("labels, verticals", [([1], [0]), ([5, 0, 4], [0, 1]), ([], [])])
def test_verticals_of_several_labels(labels, verticals):
    assert SPACE.verticals_of(labels) == verticals


def test_json_round_trip_and_fingerprint():
    again = LabelSpace.from_json(SPACE.to_json())
    assert again == SPACE
    assert again.fingerprint == SPACE.fingerprint
    renamed = dataclasses.replace(SPACE, verticals=("animals", "coches"))
    assert renamed.fingerprint != SPACE.fingerprint


def test_json_of_another_version_is_refused():
    text = SPACE.to_json().replace('"schema_version": 1', '"schema_version": 99')
    with pytest.raises(LabelSpaceError, match="schema version 99, expected 1"):
        LabelSpace.from_json(text)


def test_restrict_counts_ids_from_zero():
    cars = SPACE.restrict(1)
    assert cars == LabelSpace(SPACE.names[4:], PATHS[4:], (None, 0), ("cars",), (2,))
    assert SPACE.restrict(0).parents == PARENTS[:4]


def test_from_sizes():
    space = label_space.from_sizes([2, 3])
    assert space.sizes == (2, 3)
    assert len(set(space.names)) == 5
    assert space.smear([4]) == [4]


@pytest.mark.parametrize("rows", [path_rows(), path_rows()[::-1]])
def test_csv_by_path(tmp_path, rows):
    write_csv(tmp_path / "classes.csv", rows)
    assert label_space.read_csv(tmp_path / "classes.csv") == SPACE


def test_csv_by_parent(tmp_path):
    write_csv(tmp_path / "classes.csv", parent_rows())
    read = label_space.read_csv(tmp_path / "classes.csv")
    assert read == dataclasses.replace(SPACE, paths=("",) * 6)


def test_csv_with_a_byte_order_mark(tmp_path):
    write_csv(tmp_path / "plain.csv", path_rows())
    marked = tmp_path / "marked.csv"
    marked.write_bytes(b"\xef\xbb\xbf" + (tmp_path / "plain.csv").read_bytes())
    assert label_space.read_csv(marked) == SPACE


@pytest.mark.parametrize("counts", [None, {"train": [1, 2, 3, 4, 5, 6]}])
def test_what_is_written_as_csv_is_read(tmp_path, counts):
    path = tmp_path / "classes.csv"
    label_space.write_csv(path, SPACE, counts)
    assert label_space.read_csv(path) == SPACE
    row = "2,perching bird,animals,animal/bird/perching bird,1"
    assert path.read_text("utf-8").splitlines()[3] == row + ",3" * bool(counts)


def test_csv_errors_name_the_file(tmp_path):
    path = tmp_path / "classes.csv"
    write_csv(path, changed(path_rows(), 3, class_id="2"))
    with pytest.raises(LabelSpaceError, match=f"^{re.escape(str(path))}: class_id 2 occurs twice"):
        label_space.read_csv(path)


def test_csv_row_that_ends_early_has_no_vertical(tmp_path):
    path = tmp_path / "classes.csv"
    path.write_text("class_id,name,vertical,path\n0,animal,animals,animal\n1,bird\n")
    with pytest.raises(LabelSpaceError, match=r"class 1 \('bird'\) has no vertical"):
        label_space.read_csv(path)


def without(column):
    return [{k: v for k, v in row.items() if k != column} for row in path_rows()]


@pytest.mark.parametrize(
    "rows, message",
    [
        ([], "there are no classes"),
        (without("class_id"), "column 'class_id' is missing"),
        (without("name"), "column 'name' is missing"),
        (without("vertical"), "column 'vertical' is missing.*found class_id, name, path"),
        (changed(path_rows(), 1, class_id="one"), "class_id 'one' of 'bird' is not a whole number"),
        (changed(path_rows(), 1, class_id="0"), "class_id 0 occurs twice"),
        (changed(path_rows(), 1, class_id="6"), "class_id 1 is missing; 6 classes need .* 0 to 5"),
        (changed(path_rows(), 1, vertical=""), r"class 1 \('bird'\) has no vertical"),
        (changed(path_rows(), 4, path="animal/dog"),
         "class 'animal/dog' is in two verticals, 'animals' and 'cars'"),
        (changed(path_rows(), 1, path="animal"), "class 'animal' occurs twice in 'animals'"),
        (changed(path_rows(), 1, vertical="cars"), "vertical 'animals' are not contiguous"),
        (changed(path_rows(), 5, path="animal/dog/gt"),
         "class 'gt' and its parent 'dog' are in different verticals"),
        (changed(parent_rows(), 4, name="dog"), "class 'dog' is in two verticals"),
        (changed(parent_rows(), 2, parent="bird"),
         "'perching bird' has the unknown parent 'bird'; give a class_id"),
        (changed(parent_rows(), 2, parent="6"), "'perching bird' has the unknown parent 6"),
        (changed(parent_rows(), 2, parent="-1"), "'perching bird' has the unknown parent -1"),
        (changed(parent_rows(), 2, parent="4"), "'perching bird' and its parent 'car' are in"),
        (changed(parent_rows(), 0, parent="2"), "class 'animal' is its own ancestor"),
        (changed(parent_rows(), 5, parent="5"), "class 'gt' is its own ancestor"),
    ],
)
def test_row_errors_name_the_culprit(rows, message):
    with pytest.raises(LabelSpaceError, match=message):
        label_space.from_rows(rows)


def test_cycle_below_a_root_names_one_of_its_classes():
    rows = changed(changed(parent_rows(), 1, parent="2"), 2, parent="1")
    with pytest.raises(LabelSpaceError, match="class '(perching )?bird' is its own ancestor"):
        label_space.from_rows(rows)


@pytest.mark.parametrize(
    "sizes, message",
    [
        ((4, 0), "vertical 'cars' has no classes"),
        ((4, 1), "the verticals hold 5 classes but there are 6"),
    ],
)
def test_sizes_must_fit(sizes, message):
    with pytest.raises(LabelSpaceError, match=message):
        dataclasses.replace(SPACE, sizes=sizes)
