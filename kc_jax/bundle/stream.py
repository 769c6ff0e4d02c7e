"""Many images through a bundle: files are read while the device computes."""

import collections
import dataclasses
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from kc_jax.bundle.images import read_square
from kc_jax.bundle.loaded import Bundle, Name
from kc_jax.data.images import UNREADABLE, BadImageError

AHEAD = 2  # Batches given to the device before the first one's names are asked for.


@dataclasses.dataclass(frozen=True)
class Answer:
    """Holds what is said of a file: its names, or why it has none."""

    file: str
    names: list[Name]
    error: BadImageError | None = None


def answer_files(
    bundle: Bundle, files: Iterable[str], *, batch_size: int = 64, top: int = 5,
    verticals: Sequence[str] = (), threads: int = 0,
) -> Iterator[Answer]:
    """Names what is in image files, in their order.

    Args:
      bundle: to ask.
      files: paths; taken as they are needed.
      batch_size: images at once; the last batch is padded, so that one program serves all.
      top: names of each image.
      verticals: that names are taken from; all where empty.
      threads: that read and decode files; 0 takes as many as there are cores.
    """
    bundle.vertical_ids(verticals)
    threads = threads or len(os.sched_getaffinity(0))

    def begin(part):
        paths, images = part
        good = [image for image in images if not isinstance(image, BadImageError)]
        # The device begins here; that it is done is waited for where the names are made.
        return paths, images, bundle.classify(padded(good, batch_size)) if good else None

    def finish(begun):
        paths, images, logits = begun
        num_good = sum(not isinstance(image, BadImageError) for image in images)
        found = iter(bundle.names(np.asarray(logits)[:num_good], top, verticals)
                     if num_good else ())
        return [
            Answer(path, [], image) if isinstance(image, BadImageError)
            else Answer(path, next(found))
            for path, image in zip(paths, images, strict=True)
        ]

    with ThreadPoolExecutor(threads) as readers, ThreadPoolExecutor(AHEAD) as namers:
        read = map_ahead(
            readers, lambda file: (file, _read(bundle, file)), files, (AHEAD + 1) * batch_size
        )
        for answers in map_ahead(namers, finish, map(begin, batched(read, batch_size)), AHEAD):
            yield from answers


def padded(images: Sequence[np.ndarray], batch_size: int) -> np.ndarray:
    """Stacks images and fills up with black ones: u8[batch_size, H, W, channels]."""
    batch = np.zeros((batch_size, *images[0].shape), np.uint8)
    batch[: len(images)] = images
    return batch


def batched(read: Iterable[tuple[str, Any]], batch_size: int) -> Iterator[tuple[list, list]]:
    """Gathers files and their images until as many of them as a batch holds are good.

    Args:
      read: (file, image or `BadImageError`).
      batch_size: good images of a batch.
    """
    files, images, num_good = [], [], 0
    for file, image in read:
        files.append(file)
        images.append(image)
        num_good += not isinstance(image, BadImageError)
        if num_good == batch_size:
            yield files, images
            files, images, num_good = [], [], 0
    if files:
        yield files, images


def map_ahead(
    pool: ThreadPoolExecutor, function: Callable, items: Iterable, ahead: int
) -> Iterator:
    """Maps in threads, in order, with at most so many results drawn before they are asked for.

    Args:
      pool: of the threads.
      function: of an item.
      items: drawn in the caller's thread.
      ahead: results under way or waiting.
    """
    running: collections.deque = collections.deque()
    for item in items:
        running.append(pool.submit(function, item))
        if len(running) > ahead:
            yield running.popleft().result()
    while running:
        yield running.popleft().result()


def _read(bundle: Bundle, file: str) -> np.ndarray | BadImageError:
    try:
        return read_square(bundle, pathlib.Path(file).read_bytes())
    except BadImageError as error:
        return error
    except OSError as error:
        return BadImageError(UNREADABLE, error.strerror or str(error))
