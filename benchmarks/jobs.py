"""Jobs that the benchmarks of faults disturb, watched by what they say."""

import dataclasses
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence

ROOT = pathlib.Path(__file__).parents[1]
DONE = re.compile(r"\[(\w+)\] ")  # How a command says that a stage is over.
PATIENCE = 3_600.0  # Seconds for a job to end; a crowded machine takes many.


@dataclasses.dataclass(frozen=True)
class Job:
    """Is a command, and the stages that it says it has done.

    Attributes:
      options: of the command, after ``python -m``, for a folder to work in.
      stages: in order.
      begun: what is in that folder as soon as the first of them has begun.
    """

    options: Callable[[pathlib.Path], list[str]]
    stages: Sequence[str]
    begun: str


def of_stages(config: str, *stages: str) -> Job:
    """Makes the job of some stages, with a step between lines of the log, five between checkpoints.

    Each working directory gets data of its own, so that preparing it is disturbed too.
    """
    return Job(lambda root: [
        "kc_jax.main", f"--config=configs/{config}:smoke", f"--workdir={root}",
        f"--config.data.directory={root / 'data'}", f"--stages={','.join(stages)}",
        "--config.running.checkpoint_every_steps=5", "--config.running.log_every_steps=1",
    ], stages, "run.lock")


JOBS = {
    "main": of_stages(
        "eft.py", "describe", "train_generalist", "train_teachers", "write_soft_targets",
        "verify_soft_targets", "soft_target_stats", "train_student", "evaluate", "report", "export",
    ),
    "generations": of_stages(
        "generations.py", "describe", "train_generalist", "run_generations", "report_generations",
    ),
    "structure": of_stages(
        "self_informed.py", "describe", "train_generalist", "learn_structure", "evaluate",
        "report_structures",
    ),
    "prepare": Job(lambda root: [
        "kc_jax.prepare", "--config=configs/folder.py:small",
        f"--config.data.directory={root.parent / 'photos'}",
        f"--config.data.prepared={root / 'packed'}",
    ], ["prepare"], "packed/unfinished"),
}


class Running:
    """Is a job at work, which is watched by what it says.

    Args:
      job: to begin.
      root: the folder to work in.
      cache: folder for compiled programs, if the environment names none.
      *options: of the command, besides the job's.
    """

    def __init__(self, job: Job, root: pathlib.Path, cache: pathlib.Path, *options: str):
        self._job, self._root = job, root
        self._process = subprocess.Popen(
            [sys.executable, "-m", *job.options(root), *options], cwd=ROOT, text=True,
            env={"JAX_COMPILATION_CACHE_DIR": str(cache), **os.environ},
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )
        self.ended_at: dict[str, float] = {}
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        for line in self._process.stderr:
            self.lines.append(line)
            if found := DONE.match(line):
                self.ended_at[found[1]] = time.monotonic()

    @property
    def stage(self) -> str | None:
        """Gives the stage that is at work, or None where all are done."""
        return next((s for s in self._job.stages if s not in self.ended_at), None)

    def wait_for(self, stage: str, delay: float = 0.0) -> None:
        """Waits until a stage has been at work for some seconds, or the process has ended."""
        places = [*self._job.stages, None]
        while self._process.poll() is None and (
            places.index(self.stage) < places.index(stage)
            or not (self._root / self._job.begun).exists()
        ):
            time.sleep(0.02)
        time.sleep(delay)

    @property
    def pid(self) -> int:
        """Gives the process's number."""
        return self._process.pid

    def is_running(self) -> bool:
        """Tells whether the process has not ended yet."""
        return self._process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Sends a signal."""
        self._process.send_signal(number)

    def end(self, number: signal.Signals | None = None) -> int:
        """Sends a signal, if any; gives the status with which the process ends."""
        if number:
            self.send(number)
        try:
            status = self._process.wait(timeout=PATIENCE)
        finally:
            self._process.kill()
        self._reader.join()
        self._process.stderr.close()
        return status
