"""Looks at every image of a collection once, in parallel, and remembers what it saw."""

import concurrent.futures
import dataclasses
import hashlib
import pathlib
from collections.abc import Callable, Iterable, Iterator

from kc_jax import artifacts
from kc_jax.data import images
from kc_jax.data.collection import Collection

CHUNK = 128  # Entries that are looked at together; what a kill can lose of each thread.


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """Says what is known of one entry.

    Attributes:
      key, split, labels: see `Entry`.
      sha256: of the file's bytes, 64 hexadecimal digits.
      num_bytes: of the file.
      kind: why the image cannot be used; empty where it can.
      detail: of that.
    """

    key: str
    split: str | None
    labels: tuple[str | int, ...]
    sha256: str
    num_bytes: int
    kind: str = ""
    detail: str = ""


def inspect(
    collection: Collection, directory: pathlib.Path, *, max_pixels: int, threads: int,
    show: Callable[[int], None],
) -> list[Finding]:
    """Reads and decodes every entry, but for those that an earlier call did.

    Args:
      collection: of the entries.
      directory: where findings are remembered; it belongs to one listing of the collection.
      max_pixels: of an image.
      threads: that read and decode; the findings do not depend on it.
      show: is told how many entries are done.

    Returns:
      The findings, in the collection's order.
    """
    def look(start: int) -> list[Finding]:
        path = directory / f"{start:09d}.json"
        if path.exists():
            return [_finding(row) for row in artifacts.read_json(path)]
        positions = range(start, min(start + CHUNK, collection.size))
        found = [_look_at(collection, position, max_pixels) for position in positions]
        artifacts.write_json(path, [dataclasses.astuple(finding) for finding in found])
        return found

    findings = []
    for part in in_parallel(look, range(0, collection.size, CHUNK), threads):
        findings += part
        show(len(findings))
    return findings


def _finding(row: list) -> Finding:
    key, split, labels, *rest = row
    return Finding(key, split, tuple(labels), *rest)


def _look_at(collection: Collection, position: int, max_pixels: int) -> Finding:
    entry = collection.read(position)
    try:
        image = entry.load()
    except OSError as error:
        reason = error.strerror or str(error)
        return Finding(entry.key, entry.split, entry.labels, "", 0, images.UNREADABLE, reason)
    digest = hashlib.sha256(image).hexdigest()
    finding = Finding(entry.key, entry.split, entry.labels, digest, len(image))
    try:
        images.check(image, max_pixels)
    except images.BadImageError as error:
        return dataclasses.replace(finding, kind=error.kind, detail=error.detail)
    return finding


def in_parallel(task: Callable, items: Iterable, threads: int) -> Iterator:
    """Yields the results of a task in the order of its items; stops early where one fails."""
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(task, item) for item in items]
        try:
            for future in futures:
                yield future.result()
        finally:
            for future in futures:
                future.cancel()
