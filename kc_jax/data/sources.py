"""Where images come from: records by index, with their labels."""

import dataclasses
import functools
import hashlib
import io
import pathlib
from collections.abc import Callable

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from kc_jax import artifacts
from kc_jax.config import ConfigError, Data
from kc_jax.core import label_space as label_spaces
from kc_jax.core.label_space import LabelSpace
from kc_jax.data import glyphs

SPLITS = ("train", "test")


@dataclasses.dataclass(frozen=True)
class Source:
    """Holds the records of one split; a record is known everywhere by its index.

    Attributes:
      split: ``train`` or ``test``.
      labels: each record's class ids, one or several.
      read: maps a record's index to its image, u8[H, W, channels].
      fingerprint: of records, labels and their order.
    """

    split: str
    labels: tuple[tuple[int, ...], ...]
    read: Callable[[int], np.ndarray]
    fingerprint: str

    def __len__(self) -> int:
        return len(self.labels)

    def records_of(self, space: LabelSpace, vertical_id: int) -> np.ndarray:
        """Lists the records with a label in a vertical (F_map, Gao et al. 2017): i64[n]."""
        classes = space.classes_of(vertical_id)
        return np.array(
            [r for r, ids in enumerate(self.labels) if any(c in classes for c in ids)], np.int64
        )


def default_directory() -> pathlib.Path:
    """Gives the folder for prepared data in the user's home."""
    return pathlib.Path.home() / ".cache" / "kc_jax"


def load_label_space(data: Data) -> LabelSpace:
    """Loads the label space that the configuration names; needs no images.

    Raises:
      LabelSpaceError: a CSV of yours is not well formed.
      ConfigError: there is no such source or file.
    """
    if data.label_space:
        if not pathlib.Path(data.label_space).is_file():
            raise ConfigError(
                f"config.data.label_space is {data.label_space!r}, which is not a file; expected "
                "a CSV with the columns class_id,name,vertical,path"
            )
        return label_spaces.read_csv(data.label_space)
    if data.source == "glyph_tree":
        return label_spaces.from_rows(glyphs.label_rows(data.variant))
    smaller, larger = divmod(data.num_classes, data.num_verticals)
    sizes = [smaller + (v < larger) for v in range(data.num_verticals)]
    return label_spaces.from_sizes(sizes)


@functools.lru_cache(maxsize=4)
def open_source(data: Data, split: str) -> Source:
    """Opens the records of a split, preparing the data where that was not done yet.

    Args:
      data: the configuration's part.
      split: ``train`` or ``test``.

    Raises:
      ConfigError: the source has no images, or there is no such source.
    """
    if data.source == "declared":
        raise ConfigError(
            "config.data.source is 'declared', which has a label space but no images; to train, "
            "give images with labels: set --config.data.source to one of "
            f"{', '.join(sorted(SOURCES))} and --config.data.label_space to a CSV with the columns "
            "class_id,name,vertical,path (one row a class). The stage describe needs no images"
        )
    if data.source not in SOURCES:
        raise ConfigError(
            f"config.data.source is {data.source!r}; expected one of "
            f"{', '.join(sorted(SOURCES))} or declared"
        )
    return SOURCES[data.source](data, split)


def _open_glyphs(data: Data, split: str) -> Source:
    directory = pathlib.Path(data.directory) if data.directory else default_directory()
    builder = glyphs.prepare(directory, data.variant)
    records = builder.as_data_source(split=split, decoders={"image": tfds.decode.SkipDecoding()})
    images, labels = [], []
    for record in records:  # Small enough to stay decoded in memory: 4 KiB a mask.
        images.append(decode(record["image"]))
        labels.append((int(record["class_id"]),))
    images = np.stack(images)
    digest = artifacts.fingerprint([split, labels, str(builder.version), hash_images(images)])
    return Source(split, tuple(labels), images.__getitem__, digest)


def decode(encoded: bytes) -> np.ndarray:
    """Decodes an image file to u8[H, W, channels]."""
    with Image.open(io.BytesIO(encoded)) as image:
        pixels = np.asarray(image)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def hash_images(images: np.ndarray) -> str:
    """Hashes the bytes of images that are held in memory."""
    return hashlib.sha256(np.ascontiguousarray(images)).hexdigest()


SOURCES: dict[str, Callable[[Data, str], Source]] = {"glyph_tree": _open_glyphs}
