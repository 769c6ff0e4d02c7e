"""Batches as pure functions of the step, so that a run resumes by its step number alone."""

from collections.abc import Iterator, Sequence

import grain.python as grain
import numpy as np

from kc_jax.core.sampling import Sampler, balanced
from kc_jax.data.sources import Source
from kc_jax.data.targets import Targets

Batch = dict[str, np.ndarray]


def train_batches(
    source: Source,
    record_ids: np.ndarray,
    targets: Targets,
    *,
    batch_size: int,
    seed: int,
    num_views: int | None = None,
    sampler: Sampler | None = None,
    start_step: int = 0,
    read_threads: int = 1,
    with_images: bool = True,
    rows: slice | np.ndarray = slice(None),
) -> Iterator[Batch]:
    """Yields training batches for ever, every epoch in a new order.

    Args:
      source: of the images.
      record_ids: i64[n], the records to train on.
      targets: of a record and view.
      batch_size: examples a batch; a batch may span two epochs.
      seed: of the order.
      num_views: how many views of a record are shown in turn; None shows a new one every time.
      sampler: of the records in ``record_ids``; None shows each of them once an epoch.
      start_step: steps already done.
      read_threads: that make whole batches; their number changes nothing but the speed.
      with_images: whether images are read at all.
      rows: of every batch that are wanted; another process has the others.

    Yields:
      ``image`` u8[B, H, W, channels] if wanted, ``record_id`` i32[B], ``view`` i32[B], ``mask``
      bool[B], and what the targets give: ``target_ids`` i32[B, K], ``target_probs`` f32[B, K].
    """
    def assemble(pair) -> Batch:
        records, views = (part[rows] for part in pair)
        images = {"image": read_images(source, records)} if with_images else {}
        return {**images, **_marks(records, views), **targets(records, views)}

    dataset = _records_by_step(
        record_ids, batch_size, seed, num_views, sampler
    ).map(assemble)
    return _read_ahead(dataset[start_step:], read_threads)


def records_of_step(
    record_ids: np.ndarray,
    step: int,
    *,
    batch_size: int,
    seed: int,
    num_views: int | None = None,
    sampler: Sampler | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Says which records and views a step of `train_batches` is trained on; reads none of them.

    Args:
      record_ids: i64[n], the records to train on.
      step: from 1; that after ``step - 1`` were done.
      batch_size: as there, and so are ``seed``, ``num_views`` and ``sampler``.

    Returns:
      Record ids and views, i64[B] each.
    """
    return _records_by_step(record_ids, batch_size, seed, num_views, sampler)[step - 1]


def _records_by_step(
    record_ids: np.ndarray, batch_size: int, seed: int, num_views: int | None,
    sampler: Sampler | None,
):
    num_records = len(record_ids)
    sampler = sampler or balanced([(0,)] * num_records, 0.0)

    def with_epoch(position: int, slot: int) -> tuple[int, int]:
        return position // num_records, slot

    def choose(pair) -> tuple[np.ndarray, np.ndarray]:
        places, turns = sampler(*pair)
        return record_ids[places], turns if num_views is None else turns % num_views

    return (
        grain.MapDataset.source(np.arange(num_records))
        .seed(seed)
        .shuffle()
        .repeat()
        .map_with_index(with_epoch)
        .batch(batch_size)
        .map(choose)
    )


def inference_batches(
    source: Source, record_ids: np.ndarray, *, batch_size: int, num_views: int,
    read_threads: int = 1,
) -> Iterator[Batch]:
    """Yields every view of every record once, views outermost, the last batch padded.

    Args:
      source: of the images.
      record_ids: i64[n].
      batch_size: examples a batch.
      num_views: views of each record.
      read_threads: that make whole batches; their number changes nothing but the speed.

    Yields:
      Batches like those of `train_batches` without targets; ``mask`` is False for padding.
    """
    total = num_views * len(record_ids)

    def assemble(start: int) -> Batch:
        position = np.arange(start, start + batch_size)
        views, rows = np.divmod(np.minimum(position, total - 1), len(record_ids))
        records = record_ids[rows]
        return {
            "image": read_images(source, records), **_marks(records, views),
            "mask": position < total,
        }

    starts = grain.MapDataset.source(range(0, total, batch_size))
    return _read_ahead(starts.map(assemble), read_threads)


def _read_ahead(dataset: grain.MapDataset, num_threads: int) -> Iterator[Batch]:
    options = grain.ReadOptions(
        num_threads=num_threads, prefetch_buffer_size=max(4, 2 * num_threads)
    )
    return iter(dataset.to_iter_dataset(options))


def read_images(source: Source, record_ids: Sequence[int]) -> np.ndarray:
    """Reads the images of records: u8[n, H, W, channels]."""
    return np.stack([source.read(r) for r in record_ids])


def _marks(record_ids: np.ndarray, views: np.ndarray) -> Batch:
    return {
        "record_id": record_ids.astype(np.int32),
        "view": views.astype(np.int32),
        "mask": np.ones(len(record_ids), np.bool_),
    }
