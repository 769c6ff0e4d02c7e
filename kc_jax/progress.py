"""Shows a person how far a task is."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from kc_jax import hosts

PRINT_EVERY_SECONDS = 5.0


@contextmanager
def show_progress(
    title: str, total: int, first: int = 0, every_seconds: float = PRINT_EVERY_SECONDS
) -> Iterator[Callable]:
    """Shows how far a task is: a bar with an ETA on a terminal, plain lines elsewhere.

    Of several processes that work together the first shows it for all.

    Args:
      title: of the task.
      total: units of the whole task.
      first: units done before.
      every_seconds: between plain lines.

    Yields:
      A function (done, note) that shows how many units are done.
    """
    with _shown(title, total, first, every_seconds) as show:
        def note_and_show(done: int, note: str = "") -> None:
            hosts.note_work(f"{title}, {done} of {total}")
            show(done, note)

        yield note_and_show


@contextmanager
def _shown(title: str, total: int, first: int, every_seconds: float) -> Iterator[Callable]:
    if not hosts.is_first():
        yield lambda done, note="": None
        return
    if sys.stderr.isatty():
        columns = (
            TextColumn("{task.description:<40}"), BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"), TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(title, total=total, completed=first, note="")
            yield lambda done, note="": bar.update(task, completed=done, note=note)
        return
    yield _plain_lines(title, total, first, every_seconds)


def _plain_lines(title: str, total: int, first: int, every_seconds: float) -> Callable:
    start = last = time.monotonic()

    def show(done: int, note: str = "") -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < every_seconds and done < total:
            return
        last = now
        left = (now - start) / max(done - first, 1) * (total - done)
        tail = f"{left:.0f} s left" if done < total else f"done in {now - start:.0f} s"
        print(f"{title}: {done}/{total}, {tail} {note}".rstrip(), file=sys.stderr, flush=True)

    return show
