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
FAILED = 1


class Watch:
    """Keeps a process's own file and looks at the others'.

    Args:
      folder: that all processes see.
      patience: seconds of silence, or of standing still, after which a companion is given up.
    """

    def __init__(self, folder: pathlib.Path, patience: float):
        self._folder, self._patience = folder, patience
        self._still = STILL * patience + LATER_SECONDS * (hosts.number() == 0)
        self._run, self._beat = hosts.shared_number(), 0
        self._seen: dict[int, _Companion] = {}
        self._own = _Companion()
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._write()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def close(self, error: str = "", status: int = FAILED) -> None:
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
            for number in range(hosts.total()):
                if number != hosts.number():
                    self._look_at(number)

    def _write(self, **facts: Any) -> None:
        with self._lock:
            self._beat += 1
            text = json.dumps({
                "run": self._run, "host": socket.gethostname(), "pid": os.getpid(),
                "beat": self._beat, **hosts.progress(), **facts,
            })
            path = self._path(hosts.number())
            temporary = path.with_suffix(".tmp")
            with contextlib.suppress(OSError):  # As a full disk: who is silent is given up.
                temporary.write_text(text, encoding="utf-8")
                os.replace(temporary, path)

    def _path(self, number: int) -> pathlib.Path:
        return self._folder / f"process_{number}.json"

    def _look_at(self, number: int) -> None:
        companion = self._seen.setdefault(number, _Companion())
        with contextlib.suppress(UserError):  # No news: as it is replaced, a file may be nowhere.
            found = artifacts.read_json(self._path(number), {})
            companion.note(found if found.get("run") == self._run else {})
        found = companion.said
        who = f"process {number} on {found.get('host', '?')} (pid {found.get('pid', '?')})"
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
    if hosts.total() == 1:
        yield
        return
    folder = root / "hosts"
    folder.mkdir(parents=True, exist_ok=True)
    watch = Watch(folder, hosts.patience())
    try:
        yield
    except SystemExit as error:
        watch.close("it was asked to", error.code)
        _leave(error.code)
    except KeyboardInterrupt:
        watch.close("it was interrupted", preemption.INTERRUPTED)
        print(preemption.STOPPED, file=sys.stderr)
        _leave(preemption.INTERRUPTED)
    except UserError as error:
        watch.close(str(error))
        _leave(f"kc_jax: {error}")
    except BaseException as error:
        if isinstance(error, Exception):
            watch.hurry()  # Likely it is a companion's end that shows here.
        watch.close(f"{type(error).__name__}: {error}".splitlines()[0])
        traceback.print_exc()
        _leave(FAILED)
    else:
        hosts.wait_for_all("the end")
        watch.close()


def _end(why: str, code: int) -> NoReturn:
    print(
        f"kc_jax: {why}; this process ends too, and the same command goes on from what is saved",
        file=sys.stderr, flush=True,
    )
    os._exit(code)


def _leave(code: Any) -> NoReturn:
    """Ends this process at once: the usual end waits for companions that may be gone."""
    if isinstance(code, str):
        print(code, file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else FAILED)
