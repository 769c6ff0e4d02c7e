"""Comparing the names and shapes of two sets of arrays, for errors that name the culprit."""

from collections.abc import Mapping

import jax

NAMED = 3


class MisfitError(ValueError):
    """Says in one line in what two sets of arrays differ; who catches it knows which they are."""


def shapes_of(tree) -> dict[str, tuple[int, ...]]:
    """Gives the shape of every leaf by its name, whose parts a slash joins."""
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): tuple(leaf.shape)
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }


def check(
    found: Mapping[str, tuple[int, ...]], expected: Mapping[str, tuple[int, ...]]
) -> None:
    """Checks that two sets of arrays have the same names and shapes.

    Args:
      found: shapes by name.
      expected: likewise.

    Raises:
      MisfitError: an array is missing, not expected or of another shape; names the first three.
    """
    wrong = [f"{name} is missing" for name in expected if name not in found]
    wrong += [f"{name} is not expected" for name in found if name not in expected]
    wrong += [
        f"{name} has shape {found[name]}, expected {shape}"
        for name, shape in expected.items() if found.get(name, shape) != shape
    ]
    if wrong:
        more = f"; and {len(wrong) - NAMED} more" if len(wrong) > NAMED else ""
        raise MisfitError("; ".join(wrong[:NAMED]) + more)
