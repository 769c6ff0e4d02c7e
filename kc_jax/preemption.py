"""What a run does when the machine asks it to end: SIGTERM, the notice that preemption sends."""

import contextlib
import signal
import sys
from typing import NoReturn

EXIT_CODE = 75  # EX_TEMPFAIL of sysexits.h: begin the same command again.
KEPT = "what was finished is kept"
FAILED = 1
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
    """Tells whether an error is the SystemExit of `end`, or what a library made of it."""
    while error is not None and not (isinstance(error, SystemExit) and error.code == EXIT_CODE):
        error = error.__cause__ or error.__context__
    return error is not None


def status_of(error: BaseException) -> int:
    """Gives the status with which an error that nobody caught ends the process.

    Args:
      error: of any kind.

    Returns:
      `INTERRUPTED` after Ctrl-C, `EXIT_CODE` where a notice is the cause, to this process or to one
      that it works with, else `FAILED`.
    """
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    return EXIT_CODE if is_cause_of(error) else FAILED


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
