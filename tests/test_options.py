"""Constraints in annotations; tests/test_config.py has those of the configuration."""

import dataclasses
import re
from typing import Annotated

import pytest

from kc_jax import options

NAN = float("nan")


@dataclasses.dataclass(frozen=True)
class Part:
    """A part of a configuration."""

    size: options.Positive
    places: tuple[Annotated[float, options.Above(0), options.Not(3)], ...]
    names: Annotated[tuple[str, ...], options.SomeOf("x", "y")]
    kind: Annotated[str, options.OneOf("a", "b")]


VALUES = {"size": 1, "places": [1, 2.5], "names": ["y", "x"], "kind": "b"}


def test_a_part_is_built():
    built = options.build_part(Part, VALUES)
    assert built == Part(1, (1.0, 2.5), ("y", "x"), "b")
    assert [type(place) for place in built.places] == [float, float]


@pytest.mark.parametrize("name, value, message", [
    ("size", 0, "size is 0; expected more than 0"),
    ("places", [1.0, "2"], "places[1] is '2'; expected a value of type float"),
    ("places", [1.0, 2.0, -1], "places[2] is -1.0; expected more than 0"),
    ("places", [3], "places[0] is 3.0; expected other than 3"),
    ("names", ["x", 1], "names[1] is 1; expected a value of type str"),
    ("names", ["x", "z"], "names has 'z'; expected some of x, y"),
    ("kind", "c", "kind is 'c'; expected one of a, b"),
])
def test_every_annotation_is_checked(name, value, message):
    with pytest.raises(options.ConfigError, match=f"^where\\.{re.escape(message)}$"):
        options.build_part(Part, {**VALUES, name: value}, "where")


@pytest.mark.parametrize("constraint, allowed, refused", [
    (options.Above(2), [2.1, 3], [2, 1, NAN]),
    (options.AtLeast(2), [2, 3], [1.9, -2, NAN]),
    (options.Below(2), [1.9, -3], [2, 2.1, NAN]),
    (options.Increasing(), [(), (1,), (1, 2, 3)], [(1, 1), (1, 3, 2), (1, NAN)]),
    (options.Within(1, 2), [1, 1.5, 2], [0.9, 2.1, NAN]),
    (options.Not(2), [1, -2], [2, 2.0]),
    (options.OneOf("a", "b"), ["a", "b"], ["", "ab"]),
    (options.SomeOf("a", "b"), [(), ("b",), ("a", "b")], [("c",), ("a", "c")]),
    (options.NameOtherThan("a"), ["b", "a_1"], ["a", "", "1a", "b-c"]),
])
def test_constraints(constraint, allowed, refused):
    for value in allowed:
        constraint.check("option", value)
    for value in refused:
        with pytest.raises(options.ConfigError, match=re.escape(f"expected {constraint}")):
            constraint.check("option", value)


def test_words_are_found_by_the_options_name():
    assert options.words_of(Part, "names") == ("x", "y")
    assert options.words_of(Part, "kind") == ("a", "b")


def test_annotations_are_parted():
    bounds = (options.AtLeast(0), options.Not(3))
    assert options.parted(Annotated[int, *bounds]) == (int, bounds)
    assert options.parted(int) == (int, ())
