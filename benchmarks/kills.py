"""Kills a job at random moments in every stage; the same command goes on: what is lost, what stays?

python -m benchmarks.kills
python -m benchmarks.kills --job=prepare --signal=TERM --rounds=1 --json   # a quick look

A round is one working directory: in every stage the job is killed once, begun again, and killed in
the next; the last start is left to end. Then all that it made is compared with what a run made that
nobody disturbed: every file, and the parameters of every network, bit by bit, but for times and
dates. Five rounds of the main job are 50 kills and cost about 25 minutes of one core.
"""

import dataclasses
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from absl import app, flags
from PIL import Image

from benchmarks import measure, outcome
from kc_jax import artifacts, preemption
from kc_jax.train import hooks

_JOB = flags.DEFINE_multi_enum(
    "job", ["main"], ["main", "generations", "structure", "prepare"], "Those to kill."
)
_SIGNAL = flags.DEFINE_multi_enum("signal", ["KILL"], ["KILL", "TERM"], "How to end them.")
_STAGES = flags.DEFINE_list("stages", [], "Those to kill the job in; by default all of its own.")
_SEED = flags.DEFINE_integer("seed", 0, "Of the moments.")
flags.set_default(measure.ROUNDS, 5)

ROOT = pathlib.Path(__file__).parents[1]
DONE = re.compile(r"\[(\w+)\] ")
PHOTOS, SIDE = 1_500, 160
ENDED = {"KILL": -signal.SIGKILL, "TERM": preemption.EXIT_CODE}


@dataclasses.dataclass(frozen=True)
class Job:
    """Is a command, and the stages that it says it has done.

    Attributes:
      options: of the command, after ``python -m``, for a folder to work in.
      stages: in order.
      begun: file or folder that shows that the first of them has begun.
    """

    options: Callable[[pathlib.Path], list[str]]
    stages: Sequence[str]
    begun: str = "run.lock"


def of_stages(config: str, *stages: str) -> Job:
    """Makes the job of some stages, with a step between lines of the log, five between checkpoints.

    Each working directory gets data of its own, so that preparing it is killed too.
    """
    return Job(lambda root: [
        "kc_jax.main", f"--config=configs/{config}:smoke", f"--workdir={root}",
        f"--config.data.directory={root / 'data'}", f"--stages={','.join(stages)}",
        "--config.running.checkpoint_every_steps=5", "--config.running.log_every_steps=1",
    ], stages)


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


@dataclasses.dataclass
class Death:
    """Says in which stage a job was killed, and what it left.

    Attributes:
      stage: that it was in.
      steps: of trainings, which are to be done again.
      num_bytes: of other unfinished parts, which are to be written again.
      temporary: files and folders under temporary names.
      seconds: from the signal to the end.
      as_expected: whether it ended with the status of its signal.
    """

    stage: str
    steps: int
    num_bytes: int
    temporary: int
    seconds: float
    as_expected: bool


class Running:
    """Is a job at work, which is watched by what it says.

    Args:
      job: to begin.
      root: the folder to work in.
      cache: folder for compiled programs.
    """

    def __init__(self, job: Job, root: pathlib.Path, cache: pathlib.Path):
        self._job, self._root = job, root
        self.process = subprocess.Popen(
            [sys.executable, "-m", *job.options(root)], cwd=ROOT, text=True,
            env={"JAX_COMPILATION_CACHE_DIR": str(cache), **os.environ},
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )
        self.ended_at: dict[str, float] = {}
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stderr:
            self.lines.append(line)
            if found := DONE.match(line):
                self.ended_at[found[1]] = time.monotonic()

    @property
    def stage(self) -> str | None:
        """Gives the stage that is at work, or None where all are done."""
        return next((s for s in self._job.stages if s not in self.ended_at), None)

    def wait_for(self, stage: str) -> None:
        """Waits until a stage is at work or over, or the process has ended."""
        places = [*self._job.stages, None]
        while self.process.poll() is None and (
            places.index(self.stage) < places.index(stage)
            or not (self._root / self._job.begun).exists()
        ):
            time.sleep(0.02)

    def end(self, number: signal.Signals | None = None) -> int:
        """Sends a signal, if any; gives the status with which the process ends."""
        if number:
            self.process.send_signal(number)
        status = self.process.wait(timeout=600)
        self._reader.join()
        self.process.stderr.close()
        return status


def undisturbed(job: Job, root: pathlib.Path, cache: pathlib.Path) -> tuple[dict, dict]:
    """Lets a job end; gives the seconds of every stage, and what it left behind."""
    running = Running(job, root, cache)
    running.wait_for(job.stages[0])
    times = [time.monotonic()]
    if running.end() != 0:
        raise SystemExit("".join(running.lines))
    times += [running.ended_at.get(stage, time.monotonic()) for stage in job.stages]
    return dict(zip(job.stages, np.diff(times), strict=True)), outcome.contents(root)


def kill(
    job: Job, root: pathlib.Path, cache: pathlib.Path, stage: str, delay: float, name: str
) -> Death | None:
    """Begins a job and kills it some time after the beginning of a stage.

    Args:
      job: to begin, or to go on with.
      root: the folder to work in.
      cache: folder for compiled programs.
      stage: to wait for.
      delay: seconds.
      name: of the signal, without SIG.

    Returns:
      None where it ended before.
    """
    running = Running(job, root, cache)
    running.wait_for(stage)
    time.sleep(delay)
    start = time.monotonic()
    status = running.end(getattr(signal, f"SIG{name}"))
    if status == 0:
        return None
    seconds = time.monotonic() - start
    death = Death(
        running.stage or job.stages[-1], *unfinished(root), len(outcome.temporary_files(root)),
        seconds, status == ENDED[name],
    )
    print(death, flush=True)
    return death


def unfinished(root: pathlib.Path) -> tuple[int, int]:
    """Counts the steps and the bytes in unfinished parts of a working directory that are lost."""
    steps = num_bytes = 0
    for path in root.rglob(artifacts.MANIFEST):
        if artifacts.read_json(path).get("complete", True):
            continue
        if (path.parent / artifacts.LABEL_SPACE).exists():
            log = hooks.read_metrics(path.parent / artifacts.METRICS)
            taken = max((line["step"] for line in log), default=0)
            kept = (p.name for p in (path.parent / artifacts.CHECKPOINTS).glob("*"))
            saved = max((int(name) for name in kept if name.isdecimal()), default=0)
            steps += max(0, taken - saved)
        else:
            files = (p for p in path.parent.rglob("*") if p.is_file() and p != path)
            num_bytes += sum(p.stat().st_size for p in files)
    return steps, num_bytes


def rows(job_name: str, name: str, folder: pathlib.Path) -> Iterator[dict]:
    """Kills a job in all rounds; yields a row a stage."""
    job, cache, rng = JOBS[job_name], folder / "xla", random.Random(_SEED.value)
    Running(job, folder / "first", cache).end()  # Compiles.
    seconds, expected = undisturbed(job, folder / "undisturbed", cache)
    deaths: list[tuple[Death, bool]] = []
    for number in range(measure.ROUNDS.value):
        root = folder / f"round_{number}"
        died = [
            kill(job, root, cache, stage, rng.uniform(0, seconds[stage]), name)
            for stage in _STAGES.value or job.stages
        ]
        last = Running(job, root, cache)
        status = last.end()
        differing = outcome.differences(outcome.contents(root), expected) if status == 0 else []
        print(f"round {number} ended with {status}", *differing, flush=True)
        if status:
            print(*last.lines)
        deaths += [(death, status == 0 and not differing) for death in died if death]
    for stage in job.stages:
        here = [(death, recovered) for death, recovered in deaths if death.stage == stage]
        if here:
            yield {"job": job_name, "signal": name, "stage": stage, **summary(here)}


def summary(deaths: Sequence[tuple[Death, bool]]) -> dict:
    """Sums up what is known of deaths in a stage, and of whether their round ended alike."""
    died = [death for death, _ in deaths]
    return {
        "killed": len(died),
        "ended as asked": sum(death.as_expected for death in died),
        "recovered": sum(recovered for _, recovered in deaths),
        "steps lost, mean": round(float(np.mean([death.steps for death in died])), 1),
        "steps lost, most": max(death.steps for death in died),
        "bytes lost, most": max(death.num_bytes for death in died),
        "temporary at death, most": max(death.temporary for death in died),
        "seconds to end, most": round(max(death.seconds for death in died), 1),
    }


def draw_photos(folder: pathlib.Path) -> None:
    """Draws a folder of photographs, of two classes in each of two verticals."""
    rng = np.random.default_rng(0)
    for index in range(PHOTOS):
        path = folder / f"v{index % 2}" / f"c{index % 4}" / f"{index}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(256, size=(SIDE, SIDE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path, quality=95)


def compare() -> Iterator[dict]:
    """Kills every job with every signal."""
    for job_name in _JOB.value:
        for name in _SIGNAL.value:
            with tempfile.TemporaryDirectory() as folder:
                if job_name == "prepare":
                    draw_photos(pathlib.Path(folder) / "photos")
                yield from rows(job_name, name, pathlib.Path(folder))


def main(argv) -> None:
    del argv
    measure.report(__file__, compare())


if __name__ == "__main__":
    app.run(main)
