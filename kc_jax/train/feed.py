"""Batches drawn ahead of their steps, and how long the device had nothing to do for want of one."""

import collections
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax

from kc_jax import hosts
from kc_jax.train.state import TrainState

AHEAD = 2  # Batches drawn before they are asked for.


class Feed:
    """Draws batches in a thread of its own, in their order, and counts the time of waiting.

    Input is waited for while the device has done all it was given and no batch is there. Time in
    which a batch is late but the device still works does not count. To know, `pace` is called after
    every step; it also keeps the device's queue to two steps, which bounds memory.

    Args:
      batches: where they come from; drawing one may read, decode and bring it to the device.
    """

    def __init__(self, batches: Iterable):
        self._batches = iter(batches)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="feed")
        self._drawn = collections.deque(self._draw() for _ in range(AHEAD))
        self._last_metrics: Any = None
        self.seconds_waited = 0.0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._thread.shutdown(cancel_futures=True)

    def __iter__(self):
        return self

    def __next__(self):
        start = time.monotonic()
        batch = self._drawn.popleft().result()
        self.seconds_waited += time.monotonic() - start
        self._drawn.append(self._draw())
        hosts.note_call()  # The step to come.
        return batch

    def _draw(self):
        return self._thread.submit(next, self._batches)

    def pace(self, step: int, state: TrainState, metrics: Mapping) -> None:
        """Waits until the device has done the step before this one, or this one if it has no next.

        Args:
          step: steps done.
          state: after them.
          metrics: of the step.
        """
        jax.block_until_ready(self._last_metrics)
        self._last_metrics = metrics
        if not self._drawn[0].done():
            jax.block_until_ready(metrics)


class Meter:
    """Measures a training's speed from the end of its first step, which compiles, on.

    Args:
      feed: whose waiting is measured.
      batch_size: images a step.
    """

    def __init__(self, feed: Feed, batch_size: int):
        self._feed, self._batch_size = feed, batch_size
        self._first: tuple[int, float, float] | None = None
        self._last = self._first

    def start(self, step: int, metrics: Mapping) -> None:
        """Starts the clock when the first step is done; later calls change nothing.

        Args:
          step: steps done.
          metrics: of the step.
        """
        if self._first is None:
            jax.block_until_ready(metrics)
            self._first = self._last = self._now(step)

    def lap(self, step: int) -> dict[str, float | None]:
        """Gives the rates since the last lap.

        Args:
          step: steps done.

        Returns:
          ``images_per_second``, and ``input_wait``, the share of the time, 0–1; None where no step
          was timed.
        """
        before, self._last = self._last, self._now(step)
        return self._rates(before)

    def total(self) -> dict[str, float | None]:
        """Gives the rates from the end of the first step to the last lap; see `lap`."""
        return self._rates(self._first)

    def _now(self, step: int) -> tuple[int, float, float]:
        return step, time.monotonic(), self._feed.seconds_waited

    def _rates(self, before) -> dict[str, float | None]:
        if before is None or self._last[0] == before[0]:
            return {"images_per_second": None, "input_wait": None}
        steps, seconds, waited = (b - a for a, b in zip(before, self._last, strict=True))
        return {
            "images_per_second": round(steps * self._batch_size / seconds, 1),
            "input_wait": round(waited / seconds, 4),
        }


def images_per_second(
    batches: Iterable[Mapping], *, seconds: float = 0.1, at_least: int = 8
) -> float:
    """Measures how fast batches come when nothing else is done.

    Args:
      batches: that are drawn for this alone; each has a ``mask`` with an entry an image.
      seconds: to measure for.
      at_least: batches to measure, however long it takes.
    """
    batches = iter(batches)
    next(batches)  # Threads start and files open with the first.
    start, images, drawn = time.monotonic(), 0, 0
    while drawn < at_least or time.monotonic() - start < seconds:
        images += len(next(batches)["mask"])
        drawn += 1
    return round(images / (time.monotonic() - start), 1)
