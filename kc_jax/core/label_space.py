"""Classes, their verticals and their ancestors."""

import collections
import csv
import dataclasses
import functools
import hashlib
import json
import reprlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from kc_jax.errors import UserError

SCHEMA_VERSION = 1
COLUMNS = ("class_id", "name", "vertical", "path", "parent")  # Of `write_csv`.


class LabelSpaceError(UserError, ValueError):
    """Says what is wrong with a label space, where, and what to do."""


@dataclasses.dataclass(frozen=True)
class LabelSpace:
    """Holds C classes in V verticals; the classes of a vertical have contiguous ids.

    Attributes:
      names: C class names.
      paths: C slash-separated paths from the root to the class, such as
        ``animal/bird/perching bird``; empty where no hierarchy is known.
      parents: C parent ids, the nearest ancestor that is a class, or None.
      verticals: V vertical names, in the order of their classes.
      sizes: V class counts.
    """

    names: tuple[str, ...]
    paths: tuple[str, ...]
    parents: tuple[int | None, ...]
    verticals: tuple[str, ...]
    sizes: tuple[int, ...]

    def __post_init__(self):
        empty = [v for v, size in zip(self.verticals, self.sizes, strict=True) if size < 1]
        if empty:
            raise LabelSpaceError(
                f"vertical {empty[0]!r} has no classes; give it at least one or remove it"
            )
        if sum(self.sizes) != len(self.names):
            raise LabelSpaceError(
                f"the verticals hold {sum(self.sizes)} classes but there are {len(self.names)}"
            )
        _check_parents(self)

    @property
    def num_classes(self) -> int:
        return len(self.names)

    @property
    def num_verticals(self) -> int:
        return len(self.verticals)

    @functools.cached_property
    def starts(self) -> np.ndarray:
        """Gives the first class id of every vertical and, last, C: i32[V + 1]."""
        return np.concatenate([[0], np.cumsum(self.sizes)]).astype(np.int32)

    @functools.cached_property
    def vertical_of_class(self) -> np.ndarray:
        """Maps a class id to its vertical id (F_map of Gao et al. 2017, section 3.1): i32[C]."""
        return np.repeat(np.arange(self.num_verticals, dtype=np.int32), self.sizes)

    @functools.cached_property
    def ancestors(self) -> tuple[tuple[int, ...], ...]:
        """Lists each class's ancestors, nearest first."""
        chains: list[tuple[int, ...]] = []
        for parent in self.parents:
            chain = []
            while parent is not None:
                chain.append(parent)
                parent = self.parents[parent]
            chains.append(tuple(chain))
        return tuple(chains)

    def classes_of(self, vertical_id: int) -> range:
        """Gives the class ids of a vertical."""
        return range(int(self.starts[vertical_id]), int(self.starts[vertical_id + 1]))

    def verticals_of(self, class_ids: Iterable[int]) -> list[int]:
        """Maps an example's labels to the sorted vertical ids that hold one of them (F_map)."""
        return sorted({int(self.vertical_of_class[c]) for c in class_ids})

    def smear(self, class_ids: Iterable[int]) -> list[int]:
        """Adds to an example's labels all their ancestors (label smearing, section 3.1).

        Args:
          class_ids: labels of one example, any order.

        Returns:
          The sorted ids of the labels and of every ancestor that is a class.
        """
        labels = {int(c) for c in class_ids}
        return sorted(labels.union(*(self.ancestors[c] for c in labels)))

    def restrict(self, vertical_id: int) -> "LabelSpace":
        """Gives the label space of one vertical, its ids counted from 0."""
        classes = self.classes_of(vertical_id)
        return LabelSpace(
            names=tuple(self.names[c] for c in classes),
            paths=tuple(self.paths[c] for c in classes),
            parents=tuple(
                None if self.parents[c] is None else self.parents[c] - classes.start
                for c in classes
            ),
            verticals=(self.verticals[vertical_id],),
            sizes=(len(classes),),
        )

    def to_json(self) -> str:
        fields = dataclasses.asdict(self)
        return json.dumps({"schema_version": SCHEMA_VERSION, **fields}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "LabelSpace":
        fields = json.loads(text)
        version = fields.pop("schema_version", None)
        if version != SCHEMA_VERSION:
            raise LabelSpaceError(
                f"label space has schema version {version}, expected {SCHEMA_VERSION}; "
                "write it again with this version of kc_jax"
            )
        return cls(**{name: tuple(values) for name, values in fields.items()})

    @functools.cached_property
    def fingerprint(self) -> str:
        """Hashes everything that gives a class id its meaning."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]


def _check_parents(space: LabelSpace) -> None:
    vertical_of_class = space.vertical_of_class
    for child, parent in enumerate(space.parents):
        if parent is None:
            continue
        if not 0 <= parent < space.num_classes:
            raise LabelSpaceError(
                f"class {space.names[child]!r} has the unknown parent {parent}; "
                f"parents are class ids from 0 to {space.num_classes - 1}"
            )
        if vertical_of_class[parent] != vertical_of_class[child]:
            raise LabelSpaceError(
                f"class {space.names[child]!r} and its parent {space.names[parent]!r} are in "
                "different verticals; a class and its ancestors must share one"
            )
    for start in range(space.num_classes):
        seen, node = set(), start
        while node is not None:
            if node in seen:
                raise LabelSpaceError(
                    f"class {space.names[node]!r} is its own ancestor; remove the cycle"
                )
            seen.add(node)
            node = space.parents[node]


def from_sizes(sizes: Sequence[int]) -> LabelSpace:
    """Makes a nameless label space of the given vertical sizes, to describe a model without data.

    Args:
      sizes: class count of every vertical.
    """
    verticals = tuple(f"vertical_{v:02d}" for v in range(len(sizes)))
    names = tuple(
        f"{name}/{c}" for name, size in zip(verticals, sizes, strict=True) for c in range(size)
    )
    return LabelSpace(names, names, (None,) * len(names), verticals, tuple(sizes))


def read_json(path) -> LabelSpace:
    """Reads a label space from a file that `LabelSpace.to_json` gave the text of.

    Args:
      path: of the file.

    Raises:
      LabelSpaceError: names the file, what is wrong, and the remedy.
    """
    try:
        with open(path, encoding="utf-8") as file:
            return LabelSpace.from_json(file.read())
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise LabelSpaceError(
            f"{path} cannot be read as a label space: {error}; put a good copy back, or make what "
            "it belongs to again"
        ) from None


def read_csv(path) -> LabelSpace:
    """Reads a label space from a CSV file.

    Args:
      path: file with the columns ``class_id,name,vertical`` and either ``path``
        (``animal/bird/perching bird``) or ``parent`` (a class id, or empty).

    Raises:
      LabelSpaceError: names the file, the row or class, and the remedy.
    """
    from kc_jax import tables  # Not needed by who uses a bundle.

    try:
        return from_rows(tables.read_csv(path)[1])
    except ValueError as error:
        raise LabelSpaceError(f"{path}: {error}") from None


def write_csv(path, space: LabelSpace, counts: Mapping[str, Sequence[int]] | None = None) -> None:
    """Writes a label space as a CSV that `read_csv` reads.

    Args:
      path: of the file.
      space: to be written.
      counts: more columns, by name: a number for each class.
    """
    counts = counts or {}
    verticals = [space.verticals[v] for v in space.vertical_of_class]
    parents = ["" if parent is None else parent for parent in space.parents]
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*COLUMNS, *counts])
        writer.writerows(zip(
            range(space.num_classes), space.names, verticals, space.paths, parents,
            *counts.values(), strict=True,
        ))


def from_rows(rows: Sequence[Mapping[str, object]]) -> LabelSpace:
    """Builds a label space from rows with the columns that `read_csv` documents.

    Rows may come in any order; ids must be 0..C-1 and the classes of a vertical contiguous.

    Raises:
      LabelSpaceError: on missing columns, duplicate or missing ids, a class in two verticals,
        verticals that are not contiguous, an unknown parent, or a cycle.
    """
    _check_columns(rows)
    rows = sorted(({**row, "class_id": _class_id(row)} for row in rows),
                  key=lambda row: row["class_id"])
    _check_ids([row["class_id"] for row in rows])
    paths = tuple(str(row.get("path") or "").strip("/") for row in rows)
    verticals = [str(row["vertical"] or "") for row in rows]
    _check_unique(rows, paths, verticals)
    order = list(dict.fromkeys(verticals))
    runs = 1 + sum(a != b for a, b in zip(verticals, verticals[1:], strict=False))
    if runs != len(order):
        broken = next(v for v in order if _runs(verticals, v) > 1)
        raise LabelSpaceError(
            f"the classes of vertical {broken!r} are not contiguous; sort the rows by vertical "
            "and number class_id again"
        )
    sizes = collections.Counter(verticals)
    return LabelSpace(
        names=tuple(str(row["name"]) for row in rows),
        paths=paths,
        parents=_parents(rows, paths),
        verticals=tuple(order),
        sizes=tuple(sizes[v] for v in order),
    )


def _check_columns(rows) -> None:
    if not rows:
        raise LabelSpaceError("there are no classes; expected one row a class")
    missing = [c for c in ("class_id", "name", "vertical") if c not in rows[0]]
    if missing:
        raise LabelSpaceError(
            f"column {missing[0]!r} is missing; expected class_id, name, vertical and path "
            f"or parent, parted by commas; found {', '.join(map(str, rows[0]))}"
        )


def _class_id(row) -> int:
    try:
        return int(row["class_id"])
    except (TypeError, ValueError):
        raise LabelSpaceError(
            f"class_id {reprlib.repr(row['class_id'])} of {row.get('name')!r} is not a whole number"
        ) from None


def _check_ids(ids) -> None:
    duplicates = [c for c, count in collections.Counter(ids).items() if count > 1]
    if duplicates:
        raise LabelSpaceError(f"class_id {duplicates[0]} occurs twice; ids must be unique")
    missing = sorted(set(range(len(ids))) - set(ids))
    if missing:
        raise LabelSpaceError(
            f"class_id {missing[0]} is missing; {len(ids)} classes need the ids 0 to "
            f"{len(ids) - 1}"
        )


def _check_unique(rows, paths, verticals) -> None:
    seen: dict[tuple, str] = {}
    for row, path, vertical in zip(rows, paths, verticals, strict=True):
        if row["name"] in (None, ""):
            raise LabelSpaceError(f"class {row['class_id']} has no name; give it one")
        if not vertical:
            raise LabelSpaceError(
                f"class {row['class_id']} ({row['name']!r}) has no vertical; name one"
            )
        key = path or str(row["name"])
        if key in seen and seen[key] != vertical:
            raise LabelSpaceError(
                f"class {key!r} is in two verticals, {seen[key]!r} and {vertical!r}; "
                "keep it in one"
            )
        if key in seen:
            raise LabelSpaceError(f"class {key!r} occurs twice in {vertical!r}; keep one row")
        seen[key] = vertical


def _runs(values, value) -> int:
    return sum(v == value and p != value for p, v in zip([None, *values], values, strict=False))


def _parents(rows, paths) -> tuple[int | None, ...]:
    if "parent" in rows[0]:
        return tuple(_parent_id(row) for row in rows)
    id_of_path = {path: c for c, path in enumerate(paths) if path}
    return tuple(_nearest_ancestor(path, id_of_path) for path in paths)


def _parent_id(row) -> int | None:
    parent = row["parent"]
    if parent in (None, ""):
        return None
    try:
        return int(parent)
    except ValueError:
        raise LabelSpaceError(
            f"class {row['name']!r} has the unknown parent {parent!r}; give a class_id or "
            "leave it empty"
        ) from None


def _nearest_ancestor(path: str, id_of_path: Mapping[str, int]) -> int | None:
    parts = path.split("/")
    for length in range(len(parts) - 1, 0, -1):
        ancestor = id_of_path.get("/".join(parts[:length]))
        if ancestor is not None:
            return ancestor
    return None
