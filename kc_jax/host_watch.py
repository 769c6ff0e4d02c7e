"""Ends a process whose companions have died or hang, and says which of them and where.

Every process keeps a file about itself in a folder that all see, and looks at the others': who is
silent is dead or stopped, and who stays where all others wait for it hangs, as does one of those
that all stay where they are. Without this a process
would wait for its companions for ever, or be aborted without a word about them.
"""

import contextlib
import json
import os
import pathlib
import socket
import sys
import threading
import time
import traceback
from typing import Any, NoReturn

from kc_jax import artifacts, hosts, preemption
from kc_jax.errors import UserError

BEAT_SECONDS = 1.0
STILL = 4.0  # Of patience, for who shows itself but does not get on: it may compile.
LATER_SECONDS = 5.0  # That process 0 waits beyond it: JAX aborts the others when it goes.
HURRIED_SECONDS = 8.0  # Of silence, where an operation that all take part in has failed already.


class Watch:
    """Keeps a process's own file and looks at the others'.

    Args:
      folder: that all processes see.
      patience: seconds of silence, or of standing still, after which a companion is given up.
    """

    def __init__(self, folder: pathlib.Path, patience: float):
        self._folder, self._patience = folder, patience
        self._still = STILL * patience + LATER_SECONDS * (hosts.process_index() == 0)
        self._run, self._beat = hosts.shared_number(), 0
        self._seen: dict[int, _Companion] = {}
        self._own = _Companion()
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._write()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def close(self, error: str = "", status: int = preemption.FAILED) -> None:
        """Stops watching, and tells the others that this process has ended.

        Args:
          error: why, where it did not end well.
          status: with which the others shall end then.
        """
        self._done.set()
        self._thread.join()
        self._write(ended=error, status=status)

    def hurry(self) -> None:
        """Gives companions up after a few beats; returns once none of them is silent or failed."""
        self._patience = HURRIED_SECONDS
        self._done.wait(self._patience + 3 * BEAT_SECONDS)

    def _watch(self) -> None:
        while not self._done.wait(BEAT_SECONDS):
            self._write()
            self._own.note(hosts.progress())
            for process_index in range(hosts.process_count()):
                if process_index != hosts.process_index():
                    self._look_at(process_index)

    def _write(self, **facts: Any) -> None:
        with self._lock:
            self._beat += 1
            text = json.dumps({
                "run": self._run, "host": socket.gethostname(), "pid": os.getpid(),
                "beat": self._beat, **hosts.progress(), **facts,
            })
            path = self._path(hosts.process_index())
            temporary = path.with_suffix(".tmp")
            with contextlib.suppress(OSError):  # As a full disk: who is silent is given up.
                temporary.write_text(text, encoding="utf-8")
                os.replace(temporary, path)

    def _path(self, process_index: int) -> pathlib.Path:
        return self._folder / f"process_{process_index}.json"

    def _look_at(self, process_index: int) -> None:
        companion = self._seen.setdefault(process_index, _Companion())
        # No news: as it is replaced, a file may be nowhere, and a file server may not answer.
        with contextlib.suppress(UserError, OSError):
            found = artifacts.read_json(self._path(process_index), {})
            companion.note(found if found.get("run") == self._run else {})
        found = companion.said
        who = f"process {process_index} on {found.get('host', '?')} (pid {found.get('pid', '?')})"
        where = f"; it was at: {found['doing']}" if found.get("doing") else ""
        if found.get("ended"):
            _end(f"{who} ended: {found['ended']}", found["status"])
        if "ended" in found:
            return
        if companion.silent_for() > self._patience:
            _end(f"{who} has been silent for {self._patience:.0f} s{where}", preemption.EXIT_CODE)
        still, behind = companion.still_for(), hosts.progress()["calls"] - found.get("calls", 0)
        if found and still > self._still and (
            behind > 0 or behind == 0 and self._own.still_for() > self._still
        ):
            others = "others wait for it" if behind else "this one stood still with it"
            _end(
                f"{who} has stood still for {still:.0f} s while {others}{where}; a longer "
                "--patience would have waited longer", preemption.EXIT_CODE,
            )


class _Companion:
    """Remembers when another process last showed itself, and when it last got on."""

    def __init__(self):
        self.said: dict[str, Any] = {}
        self._beat = self._work = None
        self._shown = self._moved = time.monotonic()

    def note(self, found: dict) -> None:
        self.said = found
        now, work = time.monotonic(), (found.get("calls"), found.get("work"))
        if found.get("beat") != self._beat:
            self._beat, self._shown = found.get("beat"), now
        if work != self._work:
            self._work, self._moved = work, now

    def silent_for(self) -> float:
        return time.monotonic() - self._shown

    def still_for(self) -> float:
        return time.monotonic() - self._moved


@contextlib.contextmanager
def watched(root: pathlib.Path):
    """Watches the other processes, if there are any, while the body runs.

    What the body raises reaches the others as the reason why this process ended.

    Args:
      root: the working directory.
    """
    if hosts.process_count() == 1:
        yield
        return
    folder = root / "hosts"
    folder.mkdir(parents=True, exist_ok=True)
    watch = Watch(folder, hosts.patience())
    try:
        yield
        hosts.wait_for_all("the end")
    except BaseException as error:
        status = preemption.status_of(error)
        if status == preemption.FAILED and not isinstance(error, UserError):
            watch.hurry()  # Likely it is a companion's end that shows here.
        reason, words = _explain(error, status)
        watch.close(reason, status)
        print(words, end="", file=sys.stderr)
        _leave(status)
    else:
        watch.close()


def _explain(error: BaseException, status: int) -> tuple[str, str]:
    """Gives why this process ends, for the others, and the lines that it ends with."""
    if status == preemption.EXIT_CODE:
        return "it was asked to", ""  # As `preemption.end` has told.
    if status == preemption.INTERRUPTED:
        return "it was interrupted", f"{preemption.STOPPED}\n"
    if isinstance(error, UserError):
        return str(error), f"kc_jax: {error}\n"
    lines = traceback.format_exception(error)
    return f"{type(error).__name__}: {error}".splitlines()[0], "".join(lines)


def _end(why: str, code: int) -> NoReturn:
    print(
        f"kc_jax: {why}; this process ends too, and the same command goes on from what is saved",
        file=sys.stderr, flush=True,
    )
    os._exit(code)


def _leave(status: int) -> NoReturn:
    """Ends this process at once: the usual end waits for companions that may be gone."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
