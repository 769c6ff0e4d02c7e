"""Where images come from: each kind of source, opened by the configuration."""

import functools
import hashlib
import io
import pathlib
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from kc_jax import artifacts, hosts
from kc_jax.caches import default_directory
from kc_jax.config import ConfigError, Data
from kc_jax.core import label_space as label_spaces
from kc_jax.core.label_space import LabelSpace
from kc_jax.core.regrouping import regroup
from kc_jax.data import (
    augment,
    class_groups,
    glyph_masks,
    glyphs,
    label_noise,
    packed,
    preparation,
)
from kc_jax.data import source as source_lib
from kc_jax.data.collection import UNLABELLED, given_label_space
from kc_jax.data.images import fit_square
from kc_jax.data.source import VALIDATION, Source

GIVEN = "given"
DECLARED = "declared"  # A label space without images.


def load_label_space(data: Data) -> LabelSpace:
    """Loads the label space that the configuration names, in the verticals that it names.

    Where it names none, images of yours are packed at first use and theirs is taken.

    Raises:
      LabelSpaceError: a CSV of yours is not well formed.
      ClassGroupsError: that of the verticals is not.
      ConfigError: there is no such source or file.
    """
    given = given_verticals(data)
    return given if data.verticals == GIVEN else regrouped(data, given)[0]


def regrouped(data: Data, given: LabelSpace) -> tuple[LabelSpace, np.ndarray]:
    """Gives the label space in verticals of a CSV, and the id in it of every given class."""
    return regroup(given, class_groups.read(pathlib.Path(data.verticals), given))


@hosts.apart()
def given_verticals(data: Data) -> LabelSpace:
    """Loads the label space in the verticals that the source gives; see `load_label_space`."""
    if data.source not in (*SOURCES, DECLARED):
        raise ConfigError(
            f"config.data.source is {data.source!r}; expected one of "
            f"{', '.join(sorted(SOURCES))} or {DECLARED}"
        )
    if data.source in PACKED and not (data.label_space and data.source in preparation.READERS):
        return PACKED[data.source](data).label_space()
    given = given_label_space(data)
    if given is not None:
        return given
    if data.source == "glyph_tree":
        return label_spaces.from_rows(glyphs.label_rows(data.variant))
    if data.num_verticals > data.num_classes:
        raise ConfigError(
            f"config.data.num_verticals is {data.num_verticals} but config.data.num_classes "
            f"{data.num_classes}; every vertical needs a class"
        )
    smaller, larger = divmod(data.num_classes, data.num_verticals)
    sizes = [smaller + (v < larger) for v in range(data.num_verticals)]
    return label_spaces.from_sizes(sizes)


@functools.lru_cache(maxsize=4)
@hosts.apart()  # Every host reads and prepares for itself.
def open_source(data: Data, split: str) -> Source:
    """Opens the records of a split, preparing the data where that was not done yet.

    Where the configuration judges on ``validation`` or holds it out, it is taken out of ``train``,
    which alone has unknown and wrong labels where the configuration wants them.

    Args:
      data: the configuration's part.
      split: ``train``, what ``data.judged_on`` names, or ``validation`` where it is held out.

    Raises:
      ConfigError: the source has no images, or there is no such source.
    """
    if data.source == DECLARED and not data.synthetic:
        raise ConfigError(
            "config.data.source is 'declared', which has a label space but no images (enough for "
            "the stage describe, and with --config.data.synthetic=true for timing); to train on "
            "yours, set --config.data.source=folder and --config.data.directory to a folder with "
            "root/<vertical>/…/<class>/*.jpg, or another of "
            f"{', '.join(sorted(PACKED))} (docs/your_own_data.md)"
        )
    space = load_label_space(data)
    stored = "train" if split == VALIDATION else split
    source = _make_noise(data, space, stored) if data.synthetic else SOURCES[data.source](
        data, stored
    )
    if data.verticals != GIVEN:
        source = source_lib.renumbered(source, *regrouped(data, given_verticals(data)))
    _check_labels(source, space, (
        "take its classes out of the label space" if data.verticals == GIVEN else
        "ask for fewer or more even ones (config.structure.num_clusters, config.structure.largest) "
        "or edit the table of verticals"
    ))
    if (data.hold_out or data.judged_on == VALIDATION) and stored == "train":
        source = source_lib.without_or_only(source, split, data.validation_share)
    if data.labelled_share < 1 and split == "train":
        source = source_lib.partly_labelled(source, space, data.labelled_share)
    if data.label_noise and split == "train":
        labels = label_noise.swap_labels(source.labels, space, data.label_noise, data.seed)
        source = source_lib.relabelled(source, labels, artifacts.fingerprint(labels))
    if split == "train":
        source = _with_unlabelled(source, data)
    channels = source.read(0).shape[-1]
    if channels != data.channels:
        raise ConfigError(
            f"config.data.channels is {data.channels} but the images of {data.source} have "
            f"{channels}; set it to that"
        )
    return source


def _with_unlabelled(train: Source, data: Data) -> Source:
    """Gives the training records and after them those of a split without labels, if there is one.

    Raises:
      ConfigError: there is, but verticals are not those that it is known by.
    """
    if data.synthetic or data.source not in PACKED:
        return train
    found = PACKED[data.source](data)
    if UNLABELLED not in found.manifest["records"]:
        return train
    if data.verticals != GIVEN:
        raise ConfigError(
            f"the images of the split {UNLABELLED!r} are known by the verticals of the source, but "
            f"config.data.verticals is {data.verticals!r}; pack the images without that split"
        )
    return source_lib.with_unlabelled(train, _open_packed(data, UNLABELLED))


def _check_labels(source: Source, space: LabelSpace, remedy: str) -> None:
    for index, ids in enumerate(source.labels):
        if not ids or min(ids) < 0 or max(ids) >= space.num_classes:
            raise ConfigError(
                f"record {index} of split {source.split!r} has the labels {ids}; expected at least "
                f"one, each from 0 to {space.num_classes - 1} as in the label space"
            )
    seen = {int(space.vertical_of_class[c]) for ids in source.labels for c in ids}
    for vertical_id, name in enumerate(space.verticals):
        if vertical_id not in seen:
            raise ConfigError(
                f"vertical {name!r} has no records in split {source.split!r}; every vertical needs "
                f"some, or {remedy}"
            )


def _make_noise(data: Data, space: LabelSpace, split: str) -> Source:
    """Makes records that share one image of noise; the classes share the records, in order."""
    side = stored_side(data)
    shape = (side, side, data.channels)
    image = np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)
    labels = tuple((r * space.num_classes // data.num_records,) for r in range(data.num_records))
    digest = artifacts.fingerprint([split, labels, shape])
    return Source(split, labels, lambda index: image, f"synthetic-{digest}")


def _open_glyphs(data: Data, split: str) -> Source:
    directory = pathlib.Path(data.directory) if data.directory else default_directory()
    # Prepared data of another class list has other ids.
    class_list = glyphs.find_config(data.variant).class_list.read_bytes()
    digest = hashlib.sha256(class_list).hexdigest()[:8]
    builder = glyphs.prepare(directory / f"glyphs-{digest}", data.variant)
    records = builder.as_data_source(split=split, decoders={"image": tfds.decode.SkipDecoding()})
    side = glyph_masks.MASK_SIZE
    images = np.empty((len(records), side, side, 1), np.uint8)  # 4 KiB a mask, held once.
    labels = []
    for image, record in zip(images, _in_blocks(records), strict=True):
        image[:] = decode(record["image"])
        labels.append((int(record["class_id"]),))
    digest = artifacts.fingerprint([split, labels, str(builder.version), hash_images(images)])
    return Source(split, tuple(labels), images.__getitem__, digest)


def _in_blocks(records, size: int = 1_024) -> Iterator[dict]:
    """Reads records in order, many at a time: one by one takes ten times as long."""
    for start in range(0, len(records), size):
        yield from records.__getitems__(range(start, min(start + size, len(records))))


def stored_side(data: Data) -> int:
    """Gives the height and width of the images that a source reads, pixels."""
    if data.source == "glyph_tree":
        return glyph_masks.MASK_SIZE
    return round(data.image_size * augment.MARGINS[data.augmentation])


def decode(encoded: bytes) -> np.ndarray:
    """Decodes an image file to u8[H, W, channels]."""
    with Image.open(io.BytesIO(encoded)) as image:
        pixels = np.asarray(image)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def hash_images(images: np.ndarray) -> str:
    """Hashes the bytes of images that are held in memory."""
    return hashlib.sha256(np.ascontiguousarray(images)).hexdigest()


def _packed_directory(data: Data) -> packed.Packed:
    if data.label_space:
        raise ConfigError(
            f"config.data.label_space is {data.label_space!r}, but packed images bring their own; "
            "leave it empty, or pack them anew with it"
        )
    return packed.open_packed(data.directory)


def _packed_at_first_use(data: Data) -> packed.Packed:
    return preparation.prepare_once(data, default_directory())


def _open_packed(data: Data, split: str) -> Source:
    found = PACKED[data.source](data)
    if split not in found.manifest["records"]:
        raise ConfigError(
            f"the images packed in {found.directory} have no split {split!r}; expected one of "
            f"{', '.join(found.manifest['records'])}"
        )
    if data.channels not in (1, 3):
        raise ConfigError(
            f"config.data.channels is {data.channels}; expected 1 for grey or 3 for colour"
        )
    keys, labels = found.index(split)
    image_of, side = found.images(split, keys), stored_side(data)

    def read(index: int) -> np.ndarray:
        return fit_square(image_of(index), side, data.channels)

    digest = artifacts.fingerprint([split, found.fingerprint])
    return Source(split, labels, read, digest, keys)


PACKED: dict[str, Callable[[Data], packed.Packed]] = {
    "packed": _packed_directory, **dict.fromkeys(preparation.READERS, _packed_at_first_use),
}
SOURCES: dict[str, Callable[[Data, str], Source]] = {
    "glyph_tree": _open_glyphs,
    **dict.fromkeys(PACKED, _open_packed),
}
