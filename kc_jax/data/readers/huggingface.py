"""Datasets of Hugging Face; needs the extra ``huggingface``."""

import importlib
from collections.abc import Callable
from typing import Any

from kc_jax.config import ConfigError, Data
from kc_jax.data.collection import (
    COLUMNS,
    Collection,
    Entry,
    labels_of,
    named_columns,
    notes_on_splits,
    read_file,
    reason_of,
    split_roles,
    values_of,
)

OPTIONS = (
    "dataset", "directory", "variant", *COLUMNS, "min_confidence", "train_split", "test_split",
)


def open_huggingface(data: Data) -> Collection:
    """Opens a dataset by name (``datasets.load_dataset``) or folder (``load_from_disk``).

    Raises:
      ConfigError: the extra is not installed, there is no such dataset, or it lacks a column or
        split.
    """
    try:
        datasets = importlib.import_module("datasets")
    except ImportError:
        raise ConfigError(
            "config.data.source is 'huggingface', which needs the package datasets; install it "
            "with pip install 'kc_jax[huggingface]'"
        ) from None
    found = _load(datasets, data)
    if not isinstance(found, dict):  # One split, without a name.
        found = {data.train_split: found}
    roles = split_roles(found, data)
    splits = {name: _undecoded(datasets, found[name], data) for name in roles}
    names = {name: {column: _name_of(feature) for column, feature in split.features.items()}
             for name, split in splits.items()}
    places = [(name, index) for name in roles for index in range(len(splits[name]))]

    def read(position: int) -> Entry:
        name, index = places[position]
        record, where = splits[name][index], f"record {index} of {name}"

        def cell(column: str) -> list:
            if not column:
                return []
            return [names[name][column](value) for value in values_of(record[column])]

        labels = labels_of(
            data, where, roles[name], cell(data.label_key), cell(data.vertical_key),
            cell(data.confidence_key),
        )
        key = str(record[data.id_key]) if data.id_key else f"{name}/{index:08d}"
        return Entry(key, roles[name], labels, lambda: _bytes_of(record[data.image_key]))

    listing = {name: [len(split), split._fingerprint] for name, split in splits.items()}
    return Collection(
        len(places), read, listing, bool(data.vertical_key), notes_on_splits(found, roles)
    )


def _load(datasets, data: Data):
    try:
        if data.dataset:
            return datasets.load_dataset(data.dataset, data.variant or None)
        return datasets.load_from_disk(data.directory)
    except Exception as error:  # It passes on whatever the reader of a format raises.
        option = "dataset" if data.dataset else "directory"
        raise ConfigError(
            f"config.data.{option} is {getattr(data, option)!r}: {reason_of(error)}; expected a "
            "name for datasets.load_dataset in config.data.dataset, or a folder for "
            "datasets.load_from_disk in config.data.directory"
        ) from None


def _undecoded(datasets, split, data: Data):
    """Checks a split's columns and leaves its images as the bytes of their files."""
    used = named_columns(data)
    for option, column in used.items():
        if column not in split.column_names:
            raise ConfigError(
                f"config.data.{option} is {column!r}, which is no column among "
                f"{', '.join(split.column_names)}; name one of these"
            )
    split = split.select_columns([name for name in split.column_names if name in used.values()])
    if not isinstance(split.features[data.image_key], datasets.Image):
        raise ConfigError(
            f"config.data.image_key is {data.image_key!r}, whose values are "
            f"{split.features[data.image_key]}; expected a column of the type datasets.Image"
        )
    return split.cast_column(data.image_key, datasets.Image(decode=False))


def _name_of(feature) -> Callable[[Any], str | int | float]:
    inner = getattr(feature, "feature", feature)  # Of a list.
    if hasattr(inner, "int2str"):  # A negative id is no class.
        return lambda value: inner.int2str(value) if value >= 0 else ""
    return lambda value: value


def _bytes_of(image) -> bytes:
    if image is None or image["bytes"] is None and image["path"] is None:
        raise OSError("no image")
    return read_file(image["path"]) if image["bytes"] is None else image["bytes"]
