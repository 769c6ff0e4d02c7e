"""What every reader of images gives: entries by position, each with its labels and its bytes."""

import dataclasses
import math
import os
import pathlib
import reprlib
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kc_jax.config import ConfigError, Data
from kc_jax.core import label_space as label_spaces
from kc_jax.core.label_space import LabelSpace
from kc_jax.errors import one_line

NEEDED_COLUMNS = ("image_key", "label_key")
COLUMNS = (*NEEDED_COLUMNS, "vertical_key", "id_key", "confidence_key")
TEST_NAMES = ("test", "validation", "val")
HELD_OUT = "held_out"
UNLABELLED = "unlabelled"  # The split of images of which only the verticals are known.
NAMED = 5  # Examples of each kind.


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """Holds one image.

    Attributes:
      key: its name, such as the path of its file.
      split: ``train``, ``test`` or `UNLABELLED`; None leaves the choice to a hash of the key.
      labels: class names, paths or, as numbers, class ids; a slash parts a path. Of an image
        without labels, its verticals, or classes of these.
      load: gives the file's bytes, as they were found; raises OSError where it cannot.
    """

    key: str
    split: str | None
    labels: tuple[str | int, ...]
    load: Callable[[], bytes]


@dataclasses.dataclass(frozen=True)
class Collection:
    """Holds images that lie somewhere, in an order that stays.

    Attributes:
      size: number of entries.
      read: maps a position, 0 to size − 1, to its entry.
      listing: as JSON, what changes when images do, found without reading them.
      one_vertical_a_name: whether a class of one name can be in one vertical only.
      notes: what a person should know of what is not among the entries.
    """

    size: int
    read: Callable[[int], Entry]
    listing: Mapping[str, Any]
    one_vertical_a_name: bool = False
    notes: tuple[str, ...] = ()


def split_roles(names: Iterable[str], data: Data) -> dict[str, str | None]:
    """Decides what each split of a collection is for.

    Args:
      names: of the splits there are; may be empty.
      data: for ``train_split`` and ``test_split``.

    Returns:
      For each split that is used ``train``, ``test``, `UNLABELLED`, or None where a hash is to
      part it.

    Raises:
      ConfigError: the configuration names a split that there is not, or one for both.
    """
    names = sorted(set(names))
    if not names:
        return {}
    train = data.train_split.split("+")
    test = [name for name in TEST_NAMES if name in names and name not in train][:1]
    if data.test_split:
        test = [] if data.test_split == HELD_OUT else data.test_split.split("+")
    for option, wanted in (("train_split", train), ("test_split", test)):
        for name in wanted:
            if name not in names:
                raise ConfigError(
                    f"config.data.{option} names the split {name!r}, but there are "
                    f"{', '.join(names)}; name one of these, several as in a+b"
                )
    both = set(train) & set(test)
    if both:
        raise ConfigError(
            f"the split {sorted(both)[0]!r} is in config.data.train_split and in .test_split; "
            f"test on another one, or set --config.data.test_split={HELD_OUT}"
        )
    learnt = "train" if test else None
    unlabelled = {UNLABELLED}.intersection(names) - {*train, *test}
    return (
        dict.fromkeys(train, learnt) | dict.fromkeys(test, "test")
        | dict.fromkeys(unlabelled, UNLABELLED)
    )


def named_columns(data: Data) -> dict[str, str]:
    """Gives the columns or features that the configuration names, by the options that do."""
    return {
        option: getattr(data, option) for option in COLUMNS
        if option in NEEDED_COLUMNS or getattr(data, option)
    }


def notes_on_splits(names: Iterable[str], roles: Mapping[str, str | None]) -> tuple[str, ...]:
    """Says which splits are not used."""
    unused = sorted(set(names) - set(roles))
    return (f"splits not used: {', '.join(unused)}",) if unused else ()


def some(names: Sequence[str]) -> str:
    """Lists names, of many the first."""
    return one_line(", ".join(names[:NAMED])) + (", …" if len(names) > NAMED else "")


def values_of(value: Any) -> list:
    """Gives a cell's values: those of a list, the one of a scalar, none of nothing."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return []
    values = value if isinstance(value, list | tuple) else np.atleast_1d(value).tolist()
    return [x.item() if isinstance(x, np.generic) else x for x in values if x is not None]


def labels_of(
    data: Data, where: str, role: str | None, labels: list, verticals: list, confidences: list
) -> tuple[str | int, ...]:
    """Puts before each label what stands above it, and leaves out those that are not sure.

    Args:
      data: for ``min_confidence``.
      where: the record, for the error.
      role: of its split; see `split_roles`.
      labels: of one record; one that is the empty text is none.
      verticals: one for all labels or one for each; empty where a label space says it.
      confidences: like verticals; empty where all labels are sure.

    Returns:
      The labels, as ``vertical/label`` where verticals are given; of a record without labels
      ``vertical/``, or where no verticals are given what stands in the labels' place.

    Raises:
      ConfigError: there are several verticals or confidences, but not as many as labels; or they
        are of another kind than these are.
    """
    _check_kinds(where, labels, verticals, confidences)
    if role == UNLABELLED:
        return tuple(f"{vertical}/" for vertical in verticals) or tuple(labels)
    for option, values in (("vertical_key", verticals), ("confidence_key", confidences)):
        if len(values) > 1 and len(values) != len(labels):
            raise ConfigError(
                f"{where} has {len(labels)} labels (config.data.label_key) but {len(values)} "
                f"values under config.data.{option}; expected one, or one for each label"
            )
    if len(verticals) == 1:
        verticals = verticals * len(labels)
    if len(confidences) == 1:
        confidences = confidences * len(labels)
    kept = [i for i, label in enumerate(labels) if label != ""
            and (not confidences or confidences[i] >= data.min_confidence)]
    return tuple(f"{verticals[i]}/{labels[i]}" if verticals else labels[i] for i in kept)


def _check_kinds(where: str, labels: list, verticals: list, confidences: list) -> None:
    for option, values in (("label_key", labels), ("vertical_key", verticals)):
        for value in values:
            if not isinstance(value, str | int) or isinstance(value, bool):
                raise ConfigError(
                    f"{where} has {reprlib.repr(value)} (config.data.{option}); expected text or a "
                    "whole number"
                )
    for value in confidences:
        if not isinstance(value, int | float) or math.isnan(value):
            raise ConfigError(
                f"{where} has the confidence {reprlib.repr(value)} (config.data.confidence_key); "
                "expected a number"
            )


def reason_of(error: Exception) -> str:
    """Gives the first line of what a library says, or the kind of its error where it says none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def read_file(path: str | os.PathLike[str]) -> bytes:
    """Reads an image's file.

    Raises:
      OSError: there is none, or it is none that ends: a device or a pipe; or a folder.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise OSError("not an ordinary file")
    except ValueError as error:  # No file has a byte of 0 in its name.
        raise OSError(str(error)) from None
    return pathlib.Path(path).read_bytes()


def existing_directory(data: Data, example: str) -> pathlib.Path:
    """Gives ``config.data.directory``.

    Raises:
      ConfigError: it is empty or no folder.
    """
    if not data.directory or not pathlib.Path(data.directory).is_dir():
        found = "empty" if not data.directory else f"{data.directory!r}, which is not a folder"
        raise ConfigError(
            f"config.data.directory is {found}; expected {example} (--config.data.directory=…)"
        )
    return pathlib.Path(data.directory)


def given_label_space(data: Data) -> LabelSpace | None:
    """Reads ``config.data.label_space``, where it names a file.

    Raises:
      ConfigError: there is no such file.
      LabelSpaceError: it is not well formed.
    """
    if not data.label_space:
        return None
    if not pathlib.Path(data.label_space).is_file():
        raise ConfigError(
            f"config.data.label_space is {data.label_space!r}, which is not a file; expected "
            "a CSV with the columns class_id,name,vertical,path"
        )
    return label_spaces.read_csv(data.label_space)
