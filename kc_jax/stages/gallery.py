"""Test images with the names that a network gives them (Gao et al. 2017, Figure 6)."""

import io
from collections.abc import Callable

import jax
import numpy as np
from PIL import Image

from kc_jax.config import Config
from kc_jax.core import average_precision as ap
from kc_jax.core.label_space import LabelSpace
from kc_jax.data.sources import Source
from kc_jax.stages import networks

LARGEST = 128  # Pixels of a side of an image on a page; pages are files with all their images.


class Gallery:
    """Keeps a network's first three names for test records of all verticals in turn.

    Args:
      size: records to show.
      source: of the test records.
      space: label space of all classes.
    """

    def __init__(self, size: int, source: Source, space: LabelSpace):
        self._source, self._space = source, space
        self._records = _pick(min(size, len(source)), source, space)
        self._names: dict[int, np.ndarray] = {}

    def add(self, examples: np.ndarray, logits: np.ndarray) -> None:
        """Takes what the network says of examples: i64[b], the records first, and f32[b, C]."""
        rows = np.flatnonzero(np.isin(examples, self._records))
        names = ap.best_classes(logits[rows], min(3, logits.shape[1]))
        self._names.update(zip(examples[rows].tolist(), names, strict=True))

    def entries(self, config: Config) -> list[dict]:
        """Gives the page's content, after the first view of every record was taken.

        Args:
          config: for the views.

        Returns:
          For each record its ``labels``, the ``names`` with whether they are right (a label or one
          of its ancestors), the ``verticals`` of the labels, and the view as ``png``, hexadecimal.
        """
        show = view_writer(config, self._source)
        entries = []
        for record in self._records:
            labels = self._source.labels[record]
            right = set(self._space.smear(labels))
            entries.append({
                "record": record,
                "labels": [self._space.names[c] for c in labels],
                "names": [[self._space.names[c], int(c) in right] for c in self._names[record]],
                "verticals": [self._space.verticals[v] for v in self._space.verticals_of(labels)],
                "png": show(record, 0),
            })
        return entries


def _pick(size: int, source: Source, space: LabelSpace) -> list[int]:
    rng = np.random.default_rng(0)
    by_vertical = [
        rng.permutation(source.records_of(space, v))
        for v in range(space.num_verticals)
    ]
    turn = [r for rank in range(size) for records in by_vertical for r in records[rank : rank + 1]]
    return [int(record) for record in turn[:size]]


def encode_png(pixels: np.ndarray) -> bytes:
    """Encodes u8[H, W, channels] as PNG, shrunk to what pages show of it."""
    buffer = io.BytesIO()
    image = Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels)
    image.thumbnail((LARGEST, LARGEST))
    image.save(buffer, "PNG")
    return buffer.getvalue()


def view_writer(config: Config, source: Source) -> Callable[[int, int], str]:
    """Makes the function (record, view) → PNG in hexadecimal digits, for a person to see."""
    views = jax.jit(networks.split_views(config, source.split))

    def show(record_id: int, view: int) -> str:
        ids = np.array([record_id], np.int32)
        image = np.asarray(views(source.read(record_id)[None], ids, ids * 0 + view))[0]
        return encode_png(np.clip((image + 1.0) * 127.5, 0, 255).astype(np.uint8)).hex()

    return show
