"""Scores of a vertical on disk, written by examples and read back by classes."""

import contextlib
import pathlib
import tempfile
from collections.abc import Iterator

import numpy as np

TILE_BYTES = 1 << 22
BLOCK_BYTES = 1 << 26


class ScoreSpill(contextlib.AbstractContextManager):
    """Holds f32[N, C] scores in a file without a name, which goes when it is closed.

    Examples are gathered into tiles f32[C, R], which are appended to the file; so both writing
    rows and reading columns move long runs of bytes.

    Args:
      directory: where the file is to lie.
      num_examples: N, at least 1.
      num_classes: C.
    """

    def __init__(self, directory: pathlib.Path, num_examples: int, num_classes: int):
        self._num_examples, self._num_classes = num_examples, num_classes
        tile_examples = min(num_examples, max(1, TILE_BYTES // (4 * num_classes)))
        self._tile = np.empty((num_classes, tile_examples), np.float32)
        self._written = 0
        self._file = tempfile.TemporaryFile(dir=directory)

    def __exit__(self, *error) -> None:
        self._file.close()

    def append(self, scores: np.ndarray) -> None:
        """Adds the scores of the next examples: f32[b, C]."""
        tile_examples = self._tile.shape[1]
        while len(scores):
            start = self._written % tile_examples
            part, scores = np.split(scores, [tile_examples - start])
            self._tile[:, start : start + len(part)] = part.T
            self._written += len(part)
            stop = start + len(part)
            if stop == tile_examples or self._written == self._num_examples:
                self._file.write(np.ascontiguousarray(self._tile[:, :stop]))

    def blocks(self) -> Iterator[tuple[range, np.ndarray]]:
        """Yields the scores of all examples, some classes at a time.

        Yields:
          The classes, c of them, and f32[c, N], which is good until the next is asked for.

        Raises:
          ValueError: not all examples were added, or too many.
        """
        if self._written != self._num_examples:
            raise ValueError(f"{self._written} examples; expected {self._num_examples}")
        step = min(self._num_classes, max(1, BLOCK_BYTES // (4 * self._num_examples)))
        block = np.empty((step, self._num_examples), np.float32)
        for first in range(0, self._num_classes, step):
            classes = range(first, min(first + step, self._num_classes))
            self._read(classes, block[: len(classes)])
            yield classes, block[: len(classes)]

    def _read(self, classes: range, block: np.ndarray) -> None:
        tile_examples = self._tile.shape[1]
        for start in range(0, self._num_examples, tile_examples):
            width = min(tile_examples, self._num_examples - start)
            part = np.empty((len(classes), width), np.float32)
            self._file.seek(4 * (start * self._num_classes + classes.start * width))
            self._file.readinto(part)
            block[:, start : start + width] = part
