"""What a run does when the machine asks it to end: SIGTERM, the notice that preemption sends."""

import contextlib
import signal
import sys
from typing import NoReturn

EXIT_CODE = 75  # EX_TEMPFAIL of sysexits.h: begin the same command again.
KEPT = "what was finished is kept"
INTERRUPTED = 130  # The status after Ctrl-C, and what is said of it.
STOPPED = "kc_jax: stopped; the same command goes on from the last checkpoint"


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
    """Lets a notice wait for the body, at whose end the process ends.

    Sooner where the body asks whether one `came`, saves, and calls `end`.
    """
    before, _Notice.is_deferred = _Notice.is_deferred, True
    try:
        yield
    finally:
        _Notice.is_deferred = before
    if came() and not _Notice.is_deferred:
        end(KEPT)


def is_cause_of(error: BaseException | None) -> bool:
    """Tells whether an error is what a library made of the SystemExit that a notice raised."""
    while error is not None and not isinstance(error, SystemExit):
        error = error.__cause__ or error.__context__
    return came() and error is not None


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
