"""What networks answer about records, batch by batch, while a person sees how far it is."""

from collections.abc import Callable, Iterator

import numpy as np

from kc_jax.config import Config
from kc_jax.data import batches
from kc_jax.data.sources import Source
from kc_jax.progress import show_progress


def answers(
    config: Config,
    ask: Callable,
    source: Source,
    record_ids: np.ndarray,
    *,
    title: str,
    batch_size: int,
    num_views: int = 1,
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Asks about every view of records, views outermost.

    Args:
      config: for the threads that read, and how often progress is shown.
      ask: function (batch) → f32[B, …], as of `networks.load_predictor`.
      source: of the records.
      record_ids: i64[n].
      title: for the person who watches.
      batch_size: examples a batch.
      num_views: views of each record.

    Yields:
      Successive record ids i32[b], their views i32[b], and the answers f32[b, …].
    """
    total, done = num_views * len(record_ids), 0
    with show_progress(title, total, 0, config.running.print_every_seconds) as show:
        for batch in batches.inference_batches(
            source, record_ids, batch_size=batch_size, num_views=num_views,
            read_threads=config.data.read_threads,
        ):
            real = batch["mask"]
            yield batch["record_id"][real], batch["view"][real], ask(batch)[real]
            done += np.count_nonzero(real)
            show(done)
