"""The table of all classes: how many images there were, and how well each network knows it."""

import csv
import dataclasses
import io
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from kc_jax import artifacts
from kc_jax.core.label_space import LabelSpace

COLUMNS = ("class_id", "name", "vertical", "path", "training_images", "test_images")
AP = "ap_"  # Begins the column of a method's average precision, which lies in 0–1.
SLICES = ("head", "middle", "tail")


@dataclasses.dataclass(frozen=True)
class ClassTable:
    """Holds the classes by columns.

    Attributes:
      names: C class names.
      verticals: the C classes' verticals, by name.
      paths: C paths from the root, empty where none are known.
      training_images: i64[C], training images with the class among their labels.
      test_images: i64[C], the same of the images judged.
      class_ap: method → f64[C], average precision within the vertical, NaN where not judged.
    """

    names: tuple[str, ...]
    verticals: tuple[str, ...]
    paths: tuple[str, ...]
    training_images: np.ndarray
    test_images: np.ndarray
    class_ap: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.names)

    def of_vertical(self, vertical: str) -> np.ndarray:
        """Lists the class ids of a vertical, i64[C_v]."""
        return np.flatnonzero(np.array(self.verticals, object) == vertical)


def count_images(labels: Sequence[Sequence[int]], num_classes: int) -> np.ndarray:
    """Counts the images of every class.

    Args:
      labels: each image's class ids, one or several.
      num_classes: C.

    Returns:
      i64[C].
    """
    found = np.array([c for ids in labels for c in set(ids)], np.int64)
    return np.bincount(found, minlength=num_classes)


def frequency_slices(counts: np.ndarray) -> np.ndarray:
    """Cuts classes into thirds by how often each was seen, equally frequent ones staying together.

    The middle of a group's ranks decides, so where all are equally frequent all are in the middle.

    Args:
      counts: i64[C], training images.

    Returns:
      i64[C]: 0 for the most frequent third, 1 for the middle, 2 for the rarest.
    """
    rising = np.sort(counts)
    first, last = (np.searchsorted(rising, counts, side) for side in ("left", "right"))
    rarer = (first + last) / 2  # Classes below the middle of the group.
    return 2 - np.minimum(2, 3 * rarer // max(len(counts), 1)).astype(np.int64)


def write(
    path: pathlib.Path,
    space: LabelSpace,
    training_images: np.ndarray,
    test_images: np.ndarray,
    class_ap: Mapping[str, Mapping[str, float | None]],
) -> None:
    """Writes the table as CSV.

    Args:
      path: of the file.
      space: label space of all classes.
      training_images: i64[C].
      test_images: i64[C].
      class_ap: method → class id, as a string → average precision, 0–1, or None.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns(class_ap))
    for class_id, name in enumerate(space.names):
        writer.writerow([
            class_id, name, space.verticals[space.vertical_of_class[class_id]],
            space.paths[class_id], training_images[class_id], test_images[class_id],
            *(values.get(str(class_id)) for values in class_ap.values()),
        ])
    artifacts.write_text(path, text.getvalue())


def columns(methods: Sequence[str]) -> list[str]:
    """Names the columns of the table of some methods."""
    return [*COLUMNS, *(AP + method for method in methods)]


def read_columns(path: pathlib.Path) -> list[str] | None:
    """Reads the names of a table's columns; None where there is no table."""
    if not path.exists():
        return None
    with path.open(encoding="utf-8", newline="") as file:
        return next(csv.reader(file))


def read(path: pathlib.Path, methods: Sequence[str]) -> ClassTable:
    """Reads the table.

    Args:
      path: of the file.
      methods: that it must have.

    Raises:
      MissingArtifactError: it is missing, or a method in it.
    """
    missing = set(columns(methods)) - set(read_columns(path) or ())
    if missing:
        raise artifacts.MissingArtifactError(
            f"{path} is missing or lacks {', '.join(sorted(missing))}; run the stage evaluate first"
        )
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    values = dict(zip(header, zip(*rows, strict=True), strict=True))
    return ClassTable(
        names=values["name"],
        verticals=values["vertical"],
        paths=values["path"],
        training_images=np.array(values["training_images"], np.int64),
        test_images=np.array(values["test_images"], np.int64),
        class_ap={
            method: np.array([x or "nan" for x in values[AP + method]], np.float64)
            for method in methods
        },
    )
