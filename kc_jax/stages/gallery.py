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


def pick(
    config: Config, source: Source, space: LabelSpace, logits: np.ndarray
) -> list[dict]:
    """Picks test records of all verticals in turn, with the network's first three names.

    Args:
      config: for the number of records and the views.
      source: of the test records.
      space: label space of all classes.
      logits: f32[N, C] of the first view of every record, at least.

    Returns:
      For each record its ``labels``, the ``names`` with whether they are right (a label or one of
      its ancestors), and the view as ``png``, hexadecimal.
    """
    size = min(config.evaluation.gallery_size, len(source))
    rng = np.random.default_rng(0)
    by_vertical = [
        rng.permutation(source.records_of(space, v))
        for v in range(space.num_verticals)
    ]
    turn = [r for rank in range(size) for records in by_vertical for r in records[rank : rank + 1]]
    view_of = _view_reader(config, source)
    entries = []
    for record in turn[:size]:
        labels = source.labels[record]
        right = set(space.smear(labels))
        best = ap.best_classes(logits[record : record + 1], min(3, logits.shape[1]))[0]
        entries.append({
            "record": int(record),
            "labels": [space.names[c] for c in labels],
            "names": [[space.names[c], int(c) in right] for c in best],
            "png": encode_png(view_of(record, 0)).hex(),
        })
    return entries


def encode_png(pixels: np.ndarray) -> bytes:
    """Encodes u8[H, W, channels] as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _view_reader(config: Config, source: Source) -> Callable:
    """Makes the function (record, view) → u8[H, W, channels] for a person to see."""
    views = jax.jit(networks.split_views(config, source.split))

    def read(record_id: int, view: int) -> np.ndarray:
        ids = np.array([record_id], np.int32)
        image = np.asarray(views(source.read(record_id)[None], ids, ids * 0 + view))[0]
        return np.clip((image + 1.0) * 127.5, 0, 255).astype(np.uint8)

    return read
