"""Runs stages in order and keeps the time of each."""

import contextlib
import dataclasses
import functools
import pathlib
import sys
import time
from collections.abc import Callable, Sequence

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


@dataclasses.dataclass(frozen=True)
class Stage:
    """Says what a stage does.

    Attributes:
      run: function (config, workdir) that tells whether there was anything to do.
      outputs: function (config, workdir) → what it writes.
      is_together: whether several processes do it together; else the first does while others wait.
    """

    run: Callable[[Config, Workdir], bool]
    outputs: Callable[[Config, Workdir], list[pathlib.Path]] = lambda config, workdir: []
    is_together: bool = False


def _of_teachers(config: Config, workdir: Workdir) -> list[pathlib.Path]:
    """Lists teachers without their locks, which stay: who waits for one has it open."""
    return [path for path in workdir.teachers.glob("*") if path.suffix != ".lock"]


STAGES = {
    discovery.STAGE: Stage(
        discovery.run, lambda config, workdir: [workdir.discovery.root], is_together=True,
    ),
    "describe": Stage(describe.run, lambda config, workdir: [workdir.describe]),
    "train_generalist": Stage(
        train_generalist.run, lambda config, workdir: [workdir.generalist], is_together=True,
    ),
    "train_teachers": Stage(train_teachers.run, _of_teachers, is_together=True),
    "write_soft_targets": Stage(
        write_soft_targets.run, lambda config, workdir: [workdir.soft_targets], is_together=True,
    ),
    "import_soft_targets": Stage(
        import_soft_targets.run, lambda config, workdir: [workdir.soft_targets],
    ),
    "train_student": Stage(
        train_student.run, lambda config, workdir: [workdir.student(config.student.name)],
        is_together=True,
    ),
    "evaluate": Stage(evaluate.run, lambda config, workdir: [
        workdir.evaluation, workdir.results, workdir.class_table,
    ]),
    "evaluate_given": Stage(evaluate_given.run, lambda config, workdir: [
        workdir.evaluation_given, workdir.results_given,
    ]),
    "report": Stage(report.run, lambda config, workdir: [
        workdir.report, workdir.class_page, workdir.vertical_pages, workdir.figures,
    ]),
    "export": Stage(export.run, lambda config, workdir: [workdir.bundle(config.student.name)]),
    "verify_soft_targets": Stage(verify_soft_targets.run),
    "soft_target_stats": Stage(
        soft_target_stats.run, lambda config, workdir: [workdir.soft_target_stats],
    ),
    learn_structure.STAGE: Stage(learn_structure.run, lambda config, workdir: [
        workdir.clusters(config.structure.name), workdir.student(config.structure.name),
    ], is_together=True),
    "report_structures": Stage(
        report_structures.run, lambda config, workdir: [workdir.structures_report],
    ),
    "run_generations": Stage(run_generations.run, lambda config, workdir: [
        workdir.generations / config.generations.name,
    ], is_together=True),
    "report_generations": Stage(
        report_generations.run, lambda config, workdir: [workdir.generations_report],
    ),
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
      ConfigError: two of them would write the same network or soft targets.
      UnwritableFolderError: nothing can be written in the working directory.
      DiskSpaceError: its disk is full.
      WorkdirInUseError: another run works there.
    """
    _check_outputs(config, workdir, names)
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


def _check_outputs(config: Config, workdir: Workdir, names: Sequence[str]) -> None:
    wrote = {}
    for name in dict.fromkeys(names):
        for path in STAGES[name].outputs(config, workdir):
            if path in wrote:
                raise ConfigError(
                    f"the stages {wrote[path]} and {name} would both write {path}; leave one of "
                    "them out, or give what they make different names"
                )
            wrote[path] = name


def _remove_outputs(config: Config, workdir: Workdir, names: Sequence[str]) -> None:
    """Removes what stages wrote; not under the hands of runs that train one teacher each."""
    is_of_teachers = "train_teachers" in names
    with run_lock.locked_parts(workdir.teachers) if is_of_teachers else contextlib.nullcontext():
        for name in names:
            for path in STAGES[name].outputs(config, workdir):
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
    run = functools.partial(STAGES[name].run, resolved, workdir)
    did_work = run() if STAGES[name].is_together else hosts.first_alone(run)
    hosts.wait_for_all(name)
    seconds = time.monotonic() - start
    if not workdir.config.exists():
        artifacts.write_sealed(workdir.config, dataclasses.asdict(config))
    if did_work:
        _note_seconds(workdir, name, seconds)
    verdict = f"{seconds:.0f} s" if did_work else "complete, skipped"
    if hosts.is_first():
        print(f"[{name}] {verdict}", file=sys.stderr, flush=True)


def _note_seconds(workdir: Workdir, name: str, seconds: float) -> None:
    noted = artifacts.read_json(workdir.seconds, {})
    noted[name] = round(seconds, 1)
    artifacts.write_sealed(workdir.seconds, noted)
    if workdir.results.exists():
        results = artifacts.read_json(workdir.results)
        artifacts.write_sealed(workdir.results, {**results, "seconds": noted})
