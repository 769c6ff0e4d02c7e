"""What a run does when the machine asks it to end: SIGTERM, the notice that preemption sends."""

import contextlib
import signal
import sys
from typing import NoReturn

EXIT_CODE = 75  # EX_TEMPFAIL of sysexits.h: begin the same command again.
KEPT = "what was finished is kept"


class _Notice:
    came = False
    is_deferred = False


def listen() -> None:
    """Heeds SIGTERM from now on; only the main thread of a process can.

    The process ends at once, but where that is `deferred`.
    """
    def heed(*_):
        note()
        if not _Notice.is_deferred:
            end(KEPT)

    signal.signal(signal.SIGTERM, heed)


def note() -> None:
    """Notes that this process is asked to end."""
    _Notice.came = True


def came() -> bool:
    """Tells whether this process is asked to end."""
    return _Notice.came


@contextlib.contextmanager
def deferred():
    """Lets a notice wait; whoever works inside asks whether it `came`, saves, and calls `end`."""
    before, _Notice.is_deferred = _Notice.is_deferred, True
    try:
        yield
    finally:
        _Notice.is_deferred = before


@contextlib.contextmanager
def held_back():
    """Lets a notice wait for the body: a library that takes SystemExit for an error of its own."""
    with deferred():
        yield
    if came() and not _Notice.is_deferred:
        end(KEPT)


def end(kept: str) -> NoReturn:
    """Ends the process with `EXIT_CODE`.

    Args:
      kept: what was saved, for the person who watches.

    Raises:
      SystemExit: always.
    """
    print(
        f"kc_jax: asked to end (SIGTERM); {kept}; the same command goes on", file=sys.stderr,
        flush=True,
    )
    raise SystemExit(EXIT_CODE)
