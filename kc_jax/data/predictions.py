"""Predictions made elsewhere, read from Parquet or JSONL a batch at a time.

A row says of an image (``image``, its `Source.key`) and a class (``class_id``, or ``class_name``:
its path in the label space, or a name that no other class has) the ``probability`` or the
``logit``; where there is a column ``view``, of one view of the image.
"""

import dataclasses
import hashlib
import pathlib
from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from kc_jax import artifacts
from kc_jax.core import log_odds
from kc_jax.core.label_space import LabelSpace
from kc_jax.core.predictions import ROW
from kc_jax.errors import UserError

FORMATS = {".parquet": "parquet", ".jsonl": "json"}
VALUES = {"probabilities": "probability", "logits": "logit"}
TYPES = {
    "class_id": pa.int64(), "class_name": pa.string(), "probability": pa.float64(),
    "logit": pa.float64(), "view": pa.int64(),
}


class PredictionsError(UserError, ValueError):
    """Says what is wrong with predictions, where, and what to do."""


@dataclasses.dataclass(frozen=True)
class Predictions:
    """Says where predictions are and what they hold.

    Attributes:
      files: of all rows.
      kind: a key of `VALUES`.
      has_names: whether classes are given by name.
      has_views: whether they are of single views.
    """

    files: tuple[pathlib.Path, ...]
    kind: str
    has_names: bool
    has_views: bool

    @property
    def fingerprint(self) -> str:
        """Hashes the content of all files, and what they are taken for."""
        digests = []
        for path in self.files:
            with path.open("rb") as file:
                digests.append(hashlib.file_digest(file, "sha256").hexdigest())
        return artifacts.fingerprint([digests, self.kind])

    @property
    def columns(self) -> list[str]:
        class_column = "class_name" if self.has_names else "class_id"
        views = ["view"] if self.has_views else []
        return ["image", class_column, VALUES[self.kind], *views]


def find(path: str, kind: str) -> Predictions:
    """Finds predictions and looks at their columns.

    Args:
      path: a file, or a folder with files in it or below.
      kind: ``probabilities`` or ``logits``.

    Raises:
      PredictionsError: there is no such file, or columns are missing.
    """
    root = pathlib.Path(path)
    found = [root] if root.is_file() else sorted(root.rglob("*"))
    files = [file for file in found if file.suffix in FORMATS]
    if not path or not files:
        raise PredictionsError(
            f"config.soft_targets.predictions is {path!r}, where there are no predictions; give a "
            "file that ends in .parquet or .jsonl, or a folder of such files"
        )
    columns = {file: _schema(file).names for file in files}
    for name in ("class_name", "view"):
        having = [file for file in files if name in columns[file]]
        if having and len(having) < len(files):
            other = next(file for file in files if file not in having)
            raise PredictionsError(
                f"{having[0]} has a column {name!r} but {other} has none; give it to all or none"
            )
    predictions = Predictions(
        tuple(files), kind, "class_name" in columns[files[0]], "view" in columns[files[0]]
    )
    for file in files:
        missing = [name for name in predictions.columns if name not in columns[file]]
        if missing:
            raise PredictionsError(
                f"{file} has no column {missing[0]!r}; expected image, class_id or class_name, "
                f"{VALUES[kind]} (as config.soft_targets.prediction_kind is {kind!r}) and, where "
                f"they are of single views, view; found {', '.join(columns[file])}"
            )
    return predictions


def _schema(file: pathlib.Path) -> pa.Schema:
    try:
        return ds.dataset(file, format=FORMATS[file.suffix]).schema
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(file, error) from None


def read_rows(
    predictions: Predictions, record_of: Mapping[str, int], space: LabelSpace, num_views: int
) -> Iterator[tuple[np.ndarray, list[str]]]:
    """Reads all rows, checks them and puts numbers in the place of names.

    Args:
      predictions: to read.
      record_of: each record's index by its key.
      space: label space of all classes.
      num_views: views that there may be.

    Yields:
      ROW[b] of successive rows, with record −1 where the image is none, and these images' keys.

    Raises:
      PredictionsError: a file cannot be read, a value is missing or out of its range, or a class or
        view does not exist.
    """
    class_of = class_names(space) if predictions.has_names else {}
    for file in predictions.files:
        for batch in _batches(file, predictions.columns):
            images = batch.column("image").cast(pa.string())
            records, unknown = _look_up(images, record_of)
            classes = batch.column(predictions.columns[1])
            if predictions.has_names:
                class_ids, others = _look_up(classes, class_of)
                if others:
                    raise PredictionsError(
                        f"{file} names the class {others[0]!r}, which is no class's path and no "
                        "name that one class alone has; expected those of the label space"
                    )
            else:
                class_ids = classes.to_numpy()
            values = batch.column(VALUES[predictions.kind]).to_numpy()
            views = batch.column("view").to_numpy() if predictions.has_views else 0 * records
            _check(file, images, class_ids, views, values, predictions.kind, space, num_views)
            rows = np.empty(len(records), ROW)
            rows["record"], rows["view"], rows["class_id"] = records, views, class_ids
            rows["log_odds"] = log_odds.CONVERSIONS[predictions.kind](values)
            yield rows, unknown


def class_names(space: LabelSpace) -> dict[str, int]:
    """Maps every class's path, and every name that one class alone has, to the class's id.

    Args:
      space: label space of all classes.
    """
    once = {name: c for c, name in enumerate(space.names)}
    twice = {name for c, name in enumerate(space.names) if once[name] != c}
    unique = {name: c for name, c in once.items() if name not in twice}
    return unique | {path: c for c, path in enumerate(space.paths) if path}


def _batches(file: pathlib.Path, columns: list[str]) -> Iterator[pa.RecordBatch]:
    image = _schema(file).field("image").type
    types = {"image": pa.int64() if pa.types.is_integer(image) else pa.string(), **TYPES}
    schema = pa.schema([(name, types[name]) for name in columns])
    try:
        dataset = ds.dataset(file, schema=schema, format=FORMATS[file.suffix])
        for batch in dataset.to_batches(columns=columns):
            for name in columns:
                if batch.column(name).null_count:
                    raise PredictionsError(
                        f"{file} has rows without {name!r}; give each row a value, or leave it out"
                    )
            batch.validate(full=True)  # Text that is no UTF-8 would be noticed later, or never.
            yield batch
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(file, error) from None


def _look_up(column: pa.Array, number_of: Mapping[str, int]) -> tuple[np.ndarray, list[str]]:
    """Maps text to numbers, −1 for what has none: i64[b], and which texts these are."""
    encoded = pc.dictionary_encode(column)
    texts = encoded.dictionary.to_pylist()
    numbers = np.array([number_of.get(text, -1) for text in texts], np.int64)
    unknown = [text for text in texts if text not in number_of]
    return numbers[encoded.indices.to_numpy()], unknown


def _check(file, images, class_ids, views, values, kind, space, num_views) -> None:
    """Refuses the first row with an impossible class, view or value."""
    for name, column, is_good, expected in (
        ("class_id", class_ids, (class_ids >= 0) & (class_ids < space.num_classes),
         f"0 to {space.num_classes - 1} as in the label space"),
        ("view", views, (views >= 0) & (views < num_views),
         f"0 to {num_views - 1}, as config.soft_targets.num_views is {num_views}"),
        (VALUES[kind], values, log_odds.is_valid(values, kind),
         "0 to 1" if kind == "probabilities" else "a finite number"),
    ):
        bad = np.flatnonzero(~is_good)
        if len(bad):
            raise PredictionsError(
                f"{file} says of image {images[int(bad[0])].as_py()!r} the {name} "
                f"{column[bad[0]]}; expected {expected}"
            )


def _unreadable(file: pathlib.Path, error: Exception) -> PredictionsError:
    reason = " ".join(str(error).split())
    return PredictionsError(
        f"{file} cannot be read: {reason}. Expected Parquet or JSONL with the columns image, "
        "class_id or class_name, and probability or logit"
    )
