"""Runs stages in order and keeps the time of each."""

import contextlib
import dataclasses
import functools
import sys
import time
from collections.abc import Sequence

from kc_jax import artifacts, disk_space, host_watch, hosts, run_lock
from kc_jax.config import Config, ConfigError
from kc_jax.stages import (
    describe,
    discovery,
    evaluate,
    evaluate_given,
    export,
    import_soft_targets,
    learn_structure,
    report,
    report_generations,
    report_structures,
    run_generations,
    soft_target_stats,
    train_generalist,
    train_student,
    train_teachers,
    verify_soft_targets,
    write_soft_targets,
)
from kc_jax.workdir import Workdir

STAGES = {
    discovery.STAGE: discovery.run,
    "describe": describe.run,
    "train_generalist": train_generalist.run,
    "train_teachers": train_teachers.run,
    "write_soft_targets": write_soft_targets.run,
    "import_soft_targets": import_soft_targets.run,
    "train_student": train_student.run,
    "evaluate": evaluate.run,
    "evaluate_given": evaluate_given.run,
    "report": report.run,
    "export": export.run,
    "verify_soft_targets": verify_soft_targets.run,
    "soft_target_stats": soft_target_stats.run,
    "learn_structure": learn_structure.run,
    "report_structures": report_structures.run,
    "run_generations": run_generations.run,
    "report_generations": report_generations.run,
}
# What several processes do together; all else the first does while the others wait.
TOGETHER = {
    discovery.STAGE, "train_generalist", "train_teachers", "write_soft_targets", "train_student",
    "learn_structure", "run_generations",
}


def planned(config: Config, names: Sequence[str]) -> list[str]:
    """Lists the stages to run: those named, after the discovery of verticals where it is asked for.

    Args:
      config: of the run.
      names: of stages, in order.
    """
    is_first = config.data.verticals in discovery.PERMUTED and discovery.STAGE not in names
    return [*[discovery.STAGE] * is_first, *names]


def run_stages(
    config: Config, workdir: Workdir, names: Sequence[str], redo: Sequence[str] = ()
) -> None:
    """Runs stages; each skips itself where its output is complete and its inputs are the same.

    Args:
      config: of the run.
      workdir: where everything is written.
      names: of the stages, in order.
      redo: stages whose output is removed first.

    Raises:
      UnwritableFolderError: nothing can be written in the working directory.
      DiskSpaceError: its disk is full.
      WorkdirInUseError: another run works there.
    """
    artifacts.make_folder(workdir.root, "workdir")
    if config.running.vertical:
        return _train_one_teacher(config, workdir, names, redo)
    with (
        host_watch.watched(workdir.root),
        disk_space.watched(workdir.root),
        hosts.by_first(lambda: run_lock.locked(workdir.root)),
    ):
        hosts.first_alone(lambda: _sweep(workdir))
        hosts.first_alone(lambda: _remove_outputs(config, workdir, redo))
        for name in planned(config, names):
            _run_stage(config, workdir, name)
        # Not before: what a stage refuses is not the configuration of what lies here.
        artifacts.write_sealed(workdir.config, dataclasses.asdict(config))


def _remove_outputs(config: Config, workdir: Workdir, names: Sequence[str]) -> None:
    """Removes what stages wrote; not under the hands of runs that train one teacher each."""
    is_of_teachers = "train_teachers" in names
    with run_lock.locked_parts(workdir.teachers) if is_of_teachers else contextlib.nullcontext():
        for name in names:
            for path in outputs(config, workdir)[name]:
                artifacts.remove(path)


def _sweep(workdir: Workdir) -> None:
    """Removes what a dead run was about to write; inside of artifacts it is written again."""
    for path in workdir.root.glob(f"*{artifacts.TEMPORARY}"):
        artifacts.remove(path)


def _train_one_teacher(
    config: Config, workdir: Workdir, names: Sequence[str], redo: Sequence[str]
) -> None:
    """Trains one teacher beside runs that train others; only its own lock is taken."""
    if list(names) != ["train_teachers"] or redo:
        raise ConfigError(
            f"config.running.vertical is {config.running.vertical!r}, which is for "
            f"--stages=train_teachers alone; the stages are {', '.join(names)}"
            + f" and --redo has {', '.join(redo)}" * bool(redo)
        )
    with host_watch.watched(workdir.root), disk_space.watched(workdir.root):
        did_work = train_teachers.run(discovery.resolve(config, workdir), workdir)
    print(f"[train_teachers] {'done' if did_work else 'complete, skipped'}", file=sys.stderr)


def _run_stage(config: Config, workdir: Workdir, name: str) -> None:
    start = time.monotonic()
    hosts.note_work(f"the stage {name}")
    resolved = config if name == discovery.STAGE else discovery.resolve(config, workdir)
    stage = functools.partial(STAGES[name], resolved, workdir)
    did_work = stage() if name in TOGETHER else hosts.first_alone(stage)
    hosts.wait_for_all(name)
    seconds = time.monotonic() - start
    if not workdir.config.exists():
        artifacts.write_sealed(workdir.config, dataclasses.asdict(config))
    if did_work:
        _note_seconds(workdir, name, seconds)
    verdict = f"{seconds:.0f} s" if did_work else "complete, skipped"
    if hosts.is_first():
        print(f"[{name}] {verdict}", file=sys.stderr, flush=True)


def outputs(config: Config, workdir: Workdir) -> dict[str, list]:
    """Names what each stage writes."""
    return {
        discovery.STAGE: [workdir.discovery.root],
        "describe": [workdir.describe],
        "train_generalist": [workdir.generalist],
        "train_teachers": [  # Locks stay: who waits for one has it open.
            path for path in workdir.teachers.glob("*") if path.suffix != ".lock"
        ],
        "write_soft_targets": [workdir.soft_targets],
        "import_soft_targets": [workdir.soft_targets],
        "train_student": [workdir.student(config.student.name)],
        "evaluate": [workdir.evaluation, workdir.results, workdir.class_table],
        "evaluate_given": [workdir.evaluation_given, workdir.results_given],
        "report": [
            workdir.report, workdir.class_page, workdir.vertical_pages, workdir.figures,
        ],
        "export": [workdir.bundle(config.student.name)],
        "verify_soft_targets": [],
        "soft_target_stats": [workdir.soft_target_stats],
        "learn_structure": [
            workdir.clusters(config.structure.name), workdir.student(config.structure.name),
        ],
        "report_structures": [workdir.structures_report],
        "run_generations": [workdir.generations / config.generations.name],
        "report_generations": [workdir.generations_report],
    }


def _note_seconds(workdir: Workdir, name: str, seconds: float) -> None:
    noted = artifacts.read_json(workdir.seconds, {})
    noted[name] = round(seconds, 1)
    artifacts.write_sealed(workdir.seconds, noted)
    if workdir.results.exists():
        results = artifacts.read_json(workdir.results)
        artifacts.write_sealed(workdir.results, {**results, "seconds": noted})
