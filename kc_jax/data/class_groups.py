"""Groups of classes as a CSV: class_id, name, vertical and cluster."""

import csv
import pathlib

import numpy as np

from kc_jax import tables
from kc_jax.core.label_space import LabelSpace
from kc_jax.errors import UserError

COLUMNS = ("class_id", "name", "vertical", "cluster")


class ClassGroupsError(UserError, ValueError):
    """Says what is wrong with a file of groups, and what to do."""


def write(path: pathlib.Path, space: LabelSpace, members: np.ndarray) -> None:
    """Writes the group of each class.

    Args:
      path: of the CSV.
      space: of the classes.
      members: i32[C], numbers of groups.
    """
    verticals = [space.verticals[v] for v in space.vertical_of_class]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(
            zip(range(space.num_classes), space.names, verticals, members.tolist(), strict=True)
        )


def read(path: pathlib.Path, space: LabelSpace) -> tuple[int, ...]:
    """Reads the group of each class, by class id.

    Args:
      path: of the CSV.
      space: of the classes.

    Raises:
      ClassGroupsError: there is no such file, or it is about other classes.
    """
    try:
        rows = sorted(tables.read_csv(path)[1], key=lambda row: int(row["class_id"]))
        groups = tuple(int(row["cluster"]) for row in rows)
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise ClassGroupsError(
            f"{path} cannot be read as groups of classes ({type(error).__name__}: {error}); "
            f"expected a CSV with the columns {', '.join(COLUMNS)}, as learn_structure writes it; "
            "config.data.verticals takes one, 'given', 'discovered' or 'permuted'"
        ) from None
    if tuple(row["name"] for row in rows) != space.names:
        raise ClassGroupsError(
            f"{path} is about {len(rows)} other classes than the {space.num_classes} of the label "
            "space; make it anew for these"
        )
    missing = set(range(max(1, len(set(groups))))) - set(groups)
    if missing:
        raise ClassGroupsError(
            f"{path} has no class in cluster {min(missing)}; number its {len(set(groups))} "
            "clusters from 0"
        )
    return groups
