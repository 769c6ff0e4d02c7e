"""Dynamic batching: images that arrive at about the same time go through the network together."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from kc_jax.bundle import Bundle
from kc_jax.bundle.stream import padded

GROWTH = 4  # Ratio of successive batch sizes that are compiled.


class Batcher:
    """Gathers images into batches; open it with ``async with``.

    Args:
      classify: maps a list of images to as many rows; runs in a thread, one batch at a time.
      max_batch: images at once.
      max_wait: seconds that the first image of a batch waits for others.
    """

    def __init__(self, classify: Callable[[list], Sequence], max_batch: int, max_wait: float):
        self._classify, self._max_batch, self._max_wait = classify, max_batch, max_wait
        self._waiting: asyncio.Queue = asyncio.Queue()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="batcher")

    async def __aenter__(self):
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_):
        self._task.cancel()
        self._thread.shutdown()

    async def ask(self, image: np.ndarray):
        """Waits for an image's row."""
        answer = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((image, answer))
        return await answer

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            images, answers = zip(*await self._gather(), strict=True)
            try:
                rows = await loop.run_in_executor(self._thread, self._classify, list(images))
            except Exception as error:  # Whoever asked is told; the next batch may do better.
                rows = [error] * len(images)
            for answer, row in zip(answers, rows, strict=True):
                if answer.done():  # Whoever asked has gone.
                    continue
                if isinstance(row, Exception):
                    answer.set_exception(row)
                else:
                    answer.set_result(row)

    async def _gather(self) -> list:
        """Waits for an image, and a moment for others."""
        batch = [await self._waiting.get()]
        try:
            async with asyncio.timeout(self._max_wait):
                while len(batch) < self._max_batch:
                    batch.append(await self._waiting.get())
        except TimeoutError:
            pass
        return batch


def batch_sizes(max_batch: int) -> list[int]:
    """Lists the sizes that batches are padded to: powers of `GROWTH`, and the largest."""
    sizes = [1]
    while sizes[-1] * GROWTH < max_batch:
        sizes.append(sizes[-1] * GROWTH)
    return sizes if max_batch == sizes[-1] else [*sizes, max_batch]


def make_classify(bundle: Bundle, max_batch: int) -> Callable[[list[np.ndarray]], np.ndarray]:
    """Makes the function (images) → logits f32[n, C], compiled for all batch sizes.

    Args:
      bundle: to ask.
      max_batch: images at once.
    """
    sizes = batch_sizes(max_batch)
    for size in sizes:
        shape = (size, bundle.side, bundle.side, bundle.channels)
        np.asarray(bundle.classify(np.zeros(shape, np.uint8)))

    def classify(images):
        size = next(size for size in sizes if size >= len(images))
        return np.asarray(bundle.classify(padded(images, size)))[: len(images)]

    return classify
