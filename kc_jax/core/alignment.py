"""Which classes of one label space are which of another, when classes came, went or moved."""

import collections
import dataclasses
from collections.abc import Sequence

import numpy as np

from kc_jax.core.label_space import LabelSpace

NEW = -1
SHOWN = 5  # Names of a list that a person is told.


@dataclasses.dataclass(frozen=True)
class Alignment:
    """Says where the verticals and classes of a label space are in another.

    Attributes:
      verticals: V numbers of verticals there, `NEW` for those that it has not.
      classes: for each vertical i64[C_v], the place of every class among those of its vertical
        there, `NEW` for those that it has not.
    """

    verticals: tuple[int, ...]
    classes: tuple[np.ndarray, ...]


def same(verticals: Sequence[int], sizes: Sequence[int]) -> Alignment:
    """Aligns verticals whose classes are the same.

    Args:
      verticals: V numbers in the other label space.
      sizes: their class counts.
    """
    return Alignment(tuple(verticals), tuple(np.arange(size) for size in sizes))


def align(space: LabelSpace, other: LabelSpace) -> Alignment:
    """Finds the verticals and classes of a label space in another.

    A vertical is that of the same name; where none has it, the one left over that has most of its
    classes, if it has half of them: it was renamed. A class is that of the same name, or path below
    its vertical, in that vertical.
    """
    keys, other_keys = (
        [_keys(each, v) for v in range(each.num_verticals)] for each in (space, other)
    )
    number_of = {name: v for v, name in enumerate(other.verticals)}
    verticals = [number_of.get(name, NEW) for name in space.verticals]
    left = {v for v in range(other.num_verticals) if v not in verticals}
    for vertical, found in enumerate(verticals):
        if found == NEW and left:
            shared = {v: len(set(keys[vertical]) & set(other_keys[v])) for v in sorted(left)}
            best = max(shared, key=shared.get)
            if 2 * shared[best] >= len(keys[vertical]):
                verticals[vertical] = best
                left.remove(best)
    classes = []
    for vertical, found in enumerate(verticals):
        place_of = {} if found == NEW else {key: c for c, key in enumerate(other_keys[found])}
        places = [place_of.get(key, NEW) for key in keys[vertical]]
        classes.append(np.array(places, np.int64))
    return Alignment(tuple(verticals), tuple(classes))


def describe(space: LabelSpace, other: LabelSpace) -> list[str]:
    """Says in words how a label space differs from an earlier one.

    Args:
      space: as it is.
      other: as it was.
    """
    alignment, lines = align(space, other), []
    for v, found in enumerate(alignment.verticals):
        name = space.verticals[v]
        if found == NEW:
            lines.append(f"vertical {name!r} is new, with {space.sizes[v]} classes")
            continue
        if other.verticals[found] != name:
            lines.append(f"vertical {other.verticals[found]!r} is {name!r} now")
        kept = alignment.classes[v]
        came = [space.names[space.starts[v] + c] for c in np.flatnonzero(kept == NEW)]
        first = other.starts[found]
        went = [other.names[first + c] for c in range(other.sizes[found]) if c not in set(kept)]
        lines += [
            f"{name!r} has {_listed(names)} {what}"
            for names, what in ((came, "more"), (went, "less")) if names
        ]
    gone = [
        name for v, name in enumerate(other.verticals) if v not in set(alignment.verticals)
    ]
    return lines + [f"vertical {name!r} is gone" for name in gone]


def _keys(space: LabelSpace, vertical: int) -> list[str]:
    """Gives what a vertical's classes are known by: paths below it, or names.

    Where it was made of several others, two may have one path below them; these have the whole.
    """
    classes = space.classes_of(vertical)
    below = [space.paths[c].partition("/")[2] or space.names[c] for c in classes]
    counts = collections.Counter(below)
    return [
        key if counts[key] == 1 else space.paths[c] for c, key in zip(classes, below, strict=True)
    ]


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:SHOWN]))
    return shown if len(names) <= SHOWN else f"{shown} and {len(names) - SHOWN} others"
