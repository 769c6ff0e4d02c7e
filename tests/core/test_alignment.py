import numpy as np
import pytest

from kc_jax.core.alignment import NEW, align, describe, same
from kc_jax.core.label_space import LabelSpace
from kc_jax.core.regrouping import regroup


def space(**verticals):
    """Makes a label space of the classes of each vertical, with paths where they have a /."""
    classes = [(v, c) for v, names in verticals.items() for c in names.split()]
    return LabelSpace(
        names=tuple(c.rpartition("/")[2] for _, c in classes),
        paths=tuple(f"{v}/{c}" if "/" in c else "" for v, c in classes),
        parents=(None,) * len(classes),
        verticals=tuple(verticals),
        sizes=tuple(len(names.split()) for names in verticals.values()),
    )


OLD = space(birds="wren owl", cars="sedan van bus")


@pytest.mark.parametrize(
    ("new", "verticals", "classes", "words"),
    [
        (OLD, (0, 1), ([0, 1], [0, 1, 2]), []),
        (
            space(cars="van sedan bus", birds="wren robin owl"), (1, 0),
            ([1, 0, 2], [0, NEW, 1]), ["'birds' has 'robin' more"],
        ),
        (
            space(birds="wren", vehicles="sedan van bus tram"), (0, 1),
            ([0], [0, 1, 2, NEW]),
            ["'birds' has 'owl' less", "vertical 'cars' is 'vehicles' now",
             "'vehicles' has 'tram' more"],
        ),
        (
            space(birds="wren owl", fish="cod ray"), (0, NEW), ([0, 1], [NEW, NEW]),
            ["vertical 'fish' is new, with 2 classes", "vertical 'cars' is gone"],
        ),
        (
            space(birds="wren owl", cars="sedan van bus", pets="owl cat dog"), (0, 1, NEW),
            ([0, 1], [0, 1, 2], [NEW] * 3), ["vertical 'pets' is new, with 3 classes"],
        ),
    ],
)
def test_what_came_went_and_was_renamed(new, verticals, classes, words):
    found = align(new, OLD)
    assert found.verticals == verticals
    for places, expected in zip(found.classes, classes, strict=True):
        np.testing.assert_array_equal(places, expected)
    assert describe(new, OLD) == words


def test_classes_of_one_name_are_told_apart_by_their_paths():
    old = space(birds="bird/crane owl", tools="crane")
    new = space(birds="machine/crane bird/crane owl", tools="crane")
    found = align(new, old)
    np.testing.assert_array_equal(found.classes[0], [NEW, 0, 1])


def test_long_lists_are_cut():
    many = " ".join(f"c{i}" for i in range(9))
    (line,) = describe(space(birds=f"wren owl {many}", cars="sedan van bus"), OLD)
    assert line == "'birds' has 'c0', 'c1', 'c2', 'c3', 'c4' and 4 others more"


def test_the_same_classes_stand_where_they_stood():
    found = same((3, 1), (2, 1))
    assert found.verticals == (3, 1)
    np.testing.assert_array_equal(found.classes[0], [0, 1])


def test_classes_of_one_name_from_several_verticals_are_told_apart_in_a_group():
    space = LabelSpace(
        names=("jaguar", "wren", "jaguar", "sedan"),
        paths=("animals/jaguar", "animals/wren", "cars/jaguar", "cars/sedan"),
        parents=(None,) * 4, verticals=("animals", "cars"), sizes=(2, 2),
    )
    grouped, _ = regroup(space, (0, 1, 0, 1))
    for found in align(grouped, grouped).classes:
        np.testing.assert_array_equal(found, [0, 1])
    assert not describe(grouped, grouped)
