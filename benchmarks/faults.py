"""Disturbs a job at random moments in every stage; the same command goes on: what is lost?

python -m benchmarks.faults
python -m benchmarks.faults --fault=full_disk --rounds=1
python -m benchmarks.faults --job=prepare --fault=term --rounds=1 --json   # a quick look

A round is one working directory: in every stage the job is disturbed once, begun again, and
disturbed in the next; the last start is left to end. Then all that it made is compared with what a
run made that nobody disturbed: every file, and the parameters of every network, bit by bit, but
for times and dates. Six rounds of the main job are 60 kills and cost 10 minutes of one core.
"""

import contextlib
import dataclasses
import os
import pathlib
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence

import numpy as np
from absl import app, flags
from PIL import Image

from benchmarks import measure, outcome, small_disk
from benchmarks.jobs import JOBS, Job, Running
from kc_jax import artifacts, preemption
from kc_jax.train import hooks

FAULTS = ("kill", "term", "full_disk")
_JOB = flags.DEFINE_multi_enum(
    "job", ["main"], ["main", "generations", "structure", "prepare"], "Those to disturb."
)
_FAULT = flags.DEFINE_multi_enum("fault", ["kill"], FAULTS, "How; a full disk needs root.")
_STAGES = flags.DEFINE_list("stages", [], "Those to disturb the job in; by default all.")
_PHOTOS = flags.DEFINE_integer("photos", 1_500, "That are prepared.", lower_bound=8)
_SEED = flags.DEFINE_integer("seed", 0, "Of the moments.")
flags.set_default(measure.ROUNDS, 6)

ATTEMPTS = 5  # To disturb a job in its last stage before it ends.
DISK_BYTES = 1 << 29
PHOTO_SIDE = 160


@dataclasses.dataclass(frozen=True)
class Death:
    """Says in which stage a job was disturbed, and what it left.

    Attributes:
      stage: that it was in.
      as_asked: whether it ended with the status and the words that belong to the fault.
      steps: of unfinished trainings, that are to be done again.
      num_bytes: of other unfinished parts, that are to be written again.
      temporary: files and folders under temporary names.
      seconds: until its end.
    """

    stage: str
    as_asked: bool
    steps: int
    num_bytes: int
    temporary: int
    seconds: float


def disturb(job: Job, fault: str, running: Running, root: pathlib.Path) -> Death | None:
    """Disturbs a job that is at work; None where it ended well all the same.

    Args:
      job: of the process.
      fault: of `FAULTS`.
      running: the process.
      root: the folder that it works in; a full disk is that which it lies on.
    """
    start = time.monotonic()
    if fault == "full_disk":
        with small_disk.filled(root.parent):
            status = running.end()
        words = "".join(running.lines)
        as_asked = (status == 1 and "Traceback" not in words
                    and running.lines[-1].startswith("kc_jax: ")
                    and " disk" in running.lines[-1])
        if not as_asked and status:
            print(words[-2_000:], flush=True)
    else:
        status = running.end(signal.SIGKILL if fault == "kill" else signal.SIGTERM)
        as_asked = status == (-signal.SIGKILL if fault == "kill" else preemption.EXIT_CODE)
    if status == 0:
        return None
    seconds = time.monotonic() - start
    left = len(outcome.temporary_files(root))
    return Death(running.stage or job.stages[-1], as_asked, *unfinished(root), left, seconds)


def unfinished(root: pathlib.Path) -> tuple[int, int]:
    """Counts the steps and the bytes in unfinished parts of a working directory that are lost."""
    steps = num_bytes = 0
    for path in root.rglob(artifacts.MANIFEST):
        if artifacts.read_json(path).get("complete", True):
            continue
        if (path.parent / artifacts.LABEL_SPACE).exists():
            log = hooks.read_metrics(path.parent / artifacts.TRAINING_LOG)
            taken = max((line["step"] for line in log), default=0)
            kept = (p.name for p in (path.parent / artifacts.CHECKPOINTS).glob("*"))
            saved = max((int(name) for name in kept if name.isdecimal()), default=0)
            steps += max(0, taken - saved)
        else:
            files = (p for p in path.parent.rglob("*") if p.is_file() and p != path)
            num_bytes += sum(p.stat().st_size for p in files)
    return steps, num_bytes


def undisturbed(job: Job, root: pathlib.Path, cache: pathlib.Path) -> tuple[dict, dict]:
    """Lets a job end; gives the seconds of every stage, and what it left behind."""
    running = Running(job, root, cache)
    running.wait_for(job.stages[0])
    times = [time.monotonic()]
    if running.end() != 0:
        raise SystemExit("".join(running.lines))
    times += [running.ended_at.get(stage, time.monotonic()) for stage in job.stages]
    return dict(zip(job.stages, np.diff(times), strict=True)), outcome.contents(root)


def rows(
    job_name: str, fault: str, folder: pathlib.Path, cache: pathlib.Path
) -> Iterator[dict]:
    """Disturbs a job in all rounds, each in a folder of its own; yields a row a stage.

    Args:
      job_name: of `JOBS`.
      fault: of `FAULTS`.
      folder: to work in.
      cache: folder for compiled programs, if the environment names none.
    """
    job, rng = JOBS[job_name], random.Random(_SEED.value)
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        Running(job, folder / "first", cache).end()  # Compiles, so that stages last as ever after.
    seconds, expected = undisturbed(job, folder / "undisturbed", cache)
    deaths: list[tuple[Death, bool]] = []
    for number in range(measure.ROUNDS.value):
        root, died = folder / f"round_{number}", []
        for stage in _STAGES.value or job.stages:
            for _ in range(ATTEMPTS):
                running = Running(job, root, cache)
                running.wait_for(stage, rng.uniform(0, seconds[stage]))
                if death := disturb(job, fault, running, root):
                    died.append(death)
                    print(death, flush=True)
                    break
                shutil.rmtree(root)  # It was quicker: once more, from the beginning.
        last = Running(job, root, cache)
        status = last.end()
        differing = outcome.differences(outcome.contents(root), expected) if status == 0 else []
        print(f"round {number} ended with {status}", *differing, flush=True)
        if status:
            print(*last.lines)
        shutil.rmtree(root)
        deaths += [(death, status == 0 and not differing) for death in died]
    for stage in job.stages:
        here = [(death, recovered) for death, recovered in deaths if death.stage == stage]
        if here:
            yield {"job": job_name, "fault": fault, "stage": stage, **summary(here)}


def summary(deaths: Sequence[tuple[Death, bool]]) -> dict:
    """Sums up what is known of deaths in a stage, and of whether their round ended alike."""
    died = [death for death, _ in deaths]
    return {
        "tried": len(died),
        "ended as asked": sum(death.as_asked for death in died),
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
    for index in range(_PHOTOS.value):
        path = folder / f"v{index % 2}" / f"c{index % 4}" / f"{index}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(256, size=(PHOTO_SIDE, PHOTO_SIDE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path, quality=95)


def compare() -> Iterator[dict]:
    """Disturbs every job in every way."""
    for job_name in _JOB.value:
        for fault in _FAULT.value:
            with contextlib.ExitStack() as stack:
                folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
                work = folder / "work"
                work.mkdir()
                if fault == "full_disk":
                    stack.enter_context(small_disk.mounted(work, DISK_BYTES))
                if job_name == "prepare":
                    draw_photos(work / "photos")
                yield from rows(job_name, fault, work, folder / "xla")


def main(argv) -> None:
    del argv
    measure.report(__file__, compare())


if __name__ == "__main__":
    app.run(main)
