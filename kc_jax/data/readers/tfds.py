"""Any dataset of TensorFlow Datasets that can be read at random, without TensorFlow."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from kc_jax.config import ConfigError, Data
from kc_jax.data.collection import (
    COLUMNS,
    Collection,
    Entry,
    labels_of,
    named_columns,
    notes_on_splits,
    reason_of,
    split_roles,
    values_of,
)

OPTIONS = (
    "dataset", "directory", *COLUMNS, "min_confidence", "train_split", "test_split",
)
NEEDED = (
    "expected a dataset that TensorFlow Datasets prepared with file_format='array_record': its "
    "name in config.data.dataset (and, where it is not the default, the folder of all datasets in "
    "config.data.directory), or its own folder, …/NAME/VERSION, in config.data.directory alone"
)


def open_tfds(data: Data) -> Collection:
    """Opens a dataset, which TFDS prepares first where it is not there yet.

    Raises:
      ConfigError: there is no such dataset, it cannot be prepared here or read at random, or lacks
        a feature or split.
    """
    builder = _builder(data)
    info = builder.info
    if info.file_format != tfds.core.FileFormat.ARRAY_RECORD:
        raise ConfigError(
            f"the dataset {info.full_name} is stored as {info.file_format.value}, which cannot be "
            f"read at random; {NEEDED}"
        )
    text_of = {
        option: find_feature(info, option, name) for option, name in named_columns(data).items()
    }
    roles = split_roles(info.splits, data)
    sources = {name: _undecoded(builder, name) for name in roles}
    places = [(name, index) for name in roles for index in range(len(sources[name]))]

    def read(position: int) -> Entry:
        name, index = places[position]
        record, where = sources[name][index], f"record {index} of {name} in {info.full_name}"

        def cell(option: str) -> list:
            if option not in text_of:
                return []
            return [text_of[option](x) for x in values_of(_at(record, getattr(data, option)))]

        labels = labels_of(
            data, where, roles[name], cell("label_key"), cell("vertical_key"),
            cell("confidence_key"),
        )
        key = str(cell("id_key")[0]) if data.id_key else f"{name}/{index:08d}"
        return Entry(key, roles[name], labels, lambda: _at(record, data.image_key))

    splits = {name: [info.splits[name].num_examples, info.splits[name].num_bytes]
              for name in roles}
    return Collection(
        len(places), read, {"dataset": info.full_name, "splits": splits}, bool(data.vertical_key),
        notes_on_splits(info.splits, roles),
    )


def _builder(data: Data):
    if not data.dataset:
        try:
            return tfds.builder_from_directory(data.directory)
        except Exception as error:  # Files that are none of TFDS make it raise anything.
            where = f"is {data.directory!r}" if data.directory else "is empty, like .dataset"
            raise ConfigError(
                f"config.data.directory {where}, where there is no prepared dataset "
                f"({reason_of(error)}); {NEEDED}"
            ) from None
    try:
        builder = tfds.builder(
            data.dataset, data_dir=data.directory or None, file_format="array_record"
        )
    except Exception as error:  # What is wrong with a name, each part of it says in its own way.
        raise ConfigError(
            f"config.data.dataset is {data.dataset!r}: {reason_of(error)}; {NEEDED}"
        ) from None
    if not builder.is_prepared():
        _prepare(builder, data)
    return builder


def _prepare(builder, data: Data) -> None:
    try:
        builder.download_and_prepare()
    except (AssertionError, ImportError, OSError) as error:  # The first where archives are missing.
        reason = " ".join(str(error).split())
        raise ConfigError(
            f"TensorFlow Datasets cannot prepare {data.dataset!r} here ({reason}); many datasets "
            "need TensorFlow to be prepared, though not to be read: in an environment with it run "
            f"`tfds build {data.dataset} --file_format=array_record`"
        ) from None


def find_feature(info, option: str, key: str) -> Callable[[Any], Any]:
    """Finds a feature, and gives the function from one of its values to text or number.

    Args:
      info: of the dataset.
      option: of the configuration that names the feature.
      key: its name; that of a feature in a group is written ``group/name``.

    Raises:
      ConfigError: there is no such feature, or it is of another kind than the option needs.
    """
    try:
        feature = _at(info.features, key)
    except (KeyError, TypeError):
        feature = None
    while isinstance(feature, tfds.features.Sequence):
        feature = feature.feature
    is_image = isinstance(feature, tfds.features.Image)
    is_text = isinstance(feature, tfds.features.Text)
    is_number = not is_image and not is_text and getattr(feature, "shape", None) == ()
    if option == "image_key" and is_image:
        return bytes
    if option != "image_key" and is_text:
        return lambda value: value.decode() if isinstance(value, bytes) else str(value)
    if option == "label_key" and is_number and np.issubdtype(feature.np_dtype, np.integer):
        return _class_text(feature)
    if option not in ("image_key", "label_key") and is_number:
        return _class_text(feature) if option == "vertical_key" else lambda value: value
    kinds = {"image_key": "image", "label_key": "class, class id or name"}
    raise ConfigError(
        f"config.data.{option} is {key!r}, which is no {kinds.get(option, 'text or number')} "
        f"among the features {', '.join(_keys(info.features))} of {info.full_name}; name one of "
        "these"
    )


def _class_text(feature) -> Callable[[int], str | int]:
    """Names a class; a negative id is no class, as in test splits without labels."""
    named = isinstance(feature, tfds.features.ClassLabel)

    def text(value: int) -> str | int:
        if value < 0:
            return ""
        return feature.int2str(value) if named else value

    return text


def _at(record: Mapping, key: str) -> Any:
    """Gives what lies under a key, or under a key in a group, as in ``objects/label``."""
    if key in record:
        return record[key]
    group, _, rest = key.partition("/")
    inner = record[group]
    return _at(inner.feature if isinstance(inner, tfds.features.Sequence) else inner, rest)


def _keys(features) -> list[str]:
    names = []
    for key, feature in features.items():
        if isinstance(feature, tfds.features.Sequence):
            feature = feature.feature
        inner = isinstance(feature, tfds.features.FeaturesDict)
        names += [f"{key}/{name}" for name in _keys(feature)] if inner else [key]
    return names


def _undecoded(builder, split: str):
    """Opens a split whose images are the bytes of their files."""
    images = {
        key: tfds.decode.SkipDecoding()
        for key, feature in builder.info.features.items()
        if isinstance(feature, tfds.features.Image)
    }
    return builder.as_data_source(split=split, decoders=images)
