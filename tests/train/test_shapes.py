import numpy as np
import pytest

from kc_jax.train.shapes import MisfitError, check, shapes_of

SHAPES = {"a/kernel": (2, 3), "a/bias": (3,), "b": ()}


def test_shapes_of_a_tree():
    tree = {"a": {"kernel": np.zeros((2, 3)), "bias": np.zeros(3)}, "b": np.float32(1)}
    assert shapes_of(tree) == SHAPES
    check(shapes_of(tree), SHAPES)


@pytest.mark.parametrize(
    "found, message",
    [
        ({"a/kernel": (2, 3), "b": ()}, "^a/bias is missing$"),
        ({**SHAPES, "c": (1,)}, "^c is not expected$"),
        ({**SHAPES, "a/bias": (4,)}, r"^a/bias has shape \(4,\), expected \(3,\)$"),
        ({"c": (1,)}, "^a/kernel is missing; a/bias is missing; b is missing; and 1 more$"),
    ],
)
def test_differences_are_named_in_one_line(found, message):
    with pytest.raises(MisfitError, match=message):
        check(found, SHAPES)
