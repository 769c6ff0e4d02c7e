"""What reads each kind of file of a run next, and a run that has them all."""

import contextlib
import dataclasses
import hashlib
import pathlib
import shutil
from collections.abc import Iterator
from unittest import mock

import jax
import numpy as np
from PIL import Image

from benchmarks.damages import Case
from configs import eft, folder
from kc_jax import artifacts, config
from kc_jax.bundle import Bundle
from kc_jax.core.label_space import LabelSpace
from kc_jax.data import preparation, sources
from kc_jax.data.soft_target_store import SoftTargetStore
from kc_jax.stages import (
    clusters,
    export,
    networks,
    report_figures,
    runner,
    storing,
    tasks,
    training,
)
from kc_jax.train import hooks
from kc_jax.train.state import digest
from kc_jax.workdir import Workdir

STAGES = (
    "train_generalist", "train_teachers", "write_soft_targets", "train_student",
    "learn_structure", "evaluate", "report", "export",
)


class Stopped(Exception):
    """Ends a training early; holds the digest of the state that it would go on from."""


def built(root: pathlib.Path, **overrides) -> config.Config:
    """Gives the configuration of the run: the smoke preset, with every stage that is tried."""
    options = eft.get_config("smoke")
    options.data.directory = str(root / "data")
    options.data.hold_out = True
    options.structure.update({"num_clusters": 3, "widths": (8, 8), "top_k": 8, "num_epochs": 1.0})
    options.update_from_flattened_dict(overrides)
    return config.build(options)


def make(root: pathlib.Path) -> None:
    """Makes a finished run, one that was stopped, and packed images, below a folder."""
    runner.run_stages(built(root), Workdir(root / "run"), STAGES)

    def stopping(show, log):
        def hook(step, state, metrics):
            if step == 17:
                raise Stopped

        return hook

    with mock.patch.object(hooks, "progress_hook", stopping), contextlib.suppress(Stopped):
        often = built(root, **{"running.checkpoint_every_steps": 5})
        runner.run_stages(often, Workdir(root / "stopped"), ["train_generalist"])
    _draw_pictures(root / "pictures")
    preparation.prepare(_pictures(root, "folder"), root / "packed", shard_bytes=4_000)


def _draw_pictures(directory: pathlib.Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("animal/bird", "animal/wren", "car/sedan", "car/truck"):
        (directory / name).mkdir(parents=True)
        for number in range(6):
            pixels = rng.integers(256, size=(12, 12, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(directory / name / f"{number}.png")


def _pictures(root: pathlib.Path, source: str) -> config.Data:
    data = config.build(folder.get_config("small")).data
    where = {"folder": "pictures", "packed": "packed"}[source]
    return dataclasses.replace(data, image_size=8, source=source, directory=str(root / where))


def cases(root: pathlib.Path) -> Iterator[Case]:
    """Gives every kind of file below a folder that `make` filled."""
    run, stopped, options = Workdir(root / "run"), Workdir(root / "stopped"), built(root)
    space = sources.load_label_space(options.data)
    teachers = [run.teacher(name) for name in space.verticals[:2]]
    student, informed = run.student(options.student.name), run.student(options.structure.name)
    judged, clustered = run.evaluation / student.name, run.clusters(options.structure.name)
    bundle, log = run.bundle(student.name), run.generalist / artifacts.TRAINING_LOG
    stored = [run.soft_targets_of(name) for name in space.verticals[:2]]
    (drawn,) = (root / "data").glob("*/glyph_tree/smoke/*")

    def case(kind, files, read, older=None):
        return Case(kind, root, list(files), read, older)

    yield case("state of a finished network", _step_files(*teachers), lambda: [
        digest(networks.load_variables(teacher, "train_teachers")) for teacher in teachers
    ])
    yield case(
        "state of a stopped training", _step_files(stopped.generalist, teachers[0]),
        lambda: _resume(options, stopped), lambda: _resume_older(options, stopped),
    )
    yield case("manifest.json", (
        (path / artifacts.MANIFEST, other / artifacts.MANIFEST) for path, other in (
            (run.generalist, student), (student, informed), teachers, stored,
            (judged, run.evaluation / "generalist"), (clustered, judged),
        )
    ), lambda: _run_all(options, run))
    yield case("label_space.json, auxiliary.json", [
        (run.generalist / artifacts.LABEL_SPACE, teachers[0] / artifacts.LABEL_SPACE),
        (informed / artifacts.AUXILIARY, informed / artifacts.LABEL_SPACE),
    ], lambda: _describe(run.generalist, informed, options, space))
    yield case(
        "metrics.jsonl", [(log, student / artifacts.TRAINING_LOG)],
        lambda: hooks.shown_metrics(log), lambda: [],
    )
    yield case(
        "soft targets", ((stored[0] / n, stored[1] / n) for n in ("records.npy", "index.npz")),
        lambda: _read_soft_targets(options, run),
    )
    yield case("clusters", [
        (clustered / clusters.CLUSTERS, run.class_table), (clustered / clusters.COUNTS, run.seconds)
    ], lambda: [clusters.read(clustered, space), digest(clusters.read_counts(clustered).toarray())])
    yield case("scores of a network", (
        (path, run.evaluation / "generalist" / path.name)
        for path in sorted(judged.iterdir()) if path.name != artifacts.MANIFEST
    ), lambda: _judge(options, run, [run.class_table, run.report]))
    yield case("results.json, classes.csv", [
        (run.results, run.config), (run.class_table, clustered / clusters.CLUSTERS),
    ], lambda: _judge(options, run, [run.report]))
    yield case("seconds.json", [(run.seconds, run.results)], lambda: _run_all(options, run))
    yield case("bundle", _with_neighbours(bundle), lambda: _ask(bundle))
    yield case(
        "packed images", _with_neighbours(root / "packed"),
        lambda: _read_images(_pictures(root, "packed")),
    )
    yield case("prepared glyphs", _with_neighbours(drawn), lambda: _read_images(options.data))


def _with_neighbours(folder: pathlib.Path) -> list[tuple[pathlib.Path, pathlib.Path]]:
    """Lists the files of a folder, each with the next of the same ending, if there is one."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    pairs = []
    for path in files:
        alike = [f for f in files if f.suffix[:6] == path.suffix[:6] and f != path] or files
        pairs.append((path, next((f for f in alike if f > path), alike[0])))
    return pairs


def _step_files(network, other) -> list[tuple[pathlib.Path, pathlib.Path]]:
    """Lists the files of a network's newest state, each with the same of another network."""
    mine, theirs = _newest_step(network), _newest_step(other)

    def place(path: pathlib.Path, step: pathlib.Path) -> str:
        named = path.relative_to(step).as_posix()
        return named if len(path.name) != 32 else str(pathlib.PurePosixPath(named).parent)

    others = {place(path, theirs): path for path in theirs.rglob("*") if path.is_file()}
    files = sorted(path for path in mine.rglob("*") if path.is_file())
    return [(path, others[place(path, mine)]) for path in files]


def _newest_step(network: pathlib.Path) -> pathlib.Path:
    steps = (network / artifacts.CHECKPOINTS).iterdir()
    return max((p for p in steps if p.name.isdigit()), key=lambda p: int(p.name))


def _resume(options: config.Config, workdir: Workdir) -> str:
    """Gives the state that a stopped training would go on from."""
    def stop(built, task, model, mesh, state, *_):
        raise Stopped(digest(state))

    with mock.patch.object(training, "_run_steps", stop):
        try:
            runner.run_stages(options, workdir, ["train_generalist"])
        except Stopped as stopped:
            return str(stopped)
    return "nothing was to be done"


def _resume_older(options: config.Config, workdir: Workdir) -> str:
    shutil.rmtree(_newest_step(workdir.generalist))
    return _resume(options, workdir)


def _read_soft_targets(options: config.Config, workdir: Workdir) -> str:
    """Reads all that a student learns from, and fingerprints it."""
    space = sources.load_label_space(options.data)
    source = sources.open_source(options.data, "train")
    inputs = storing.store_inputs(options, workdir, space, source)
    store = SoftTargetStore(workdir.soft_targets, space, inputs)
    records = np.arange(len(source))
    return _hash(*(a for view in range(2) for a in store(records, np.full_like(records, view))))


def _read_images(data: config.Data) -> str:
    sources.open_source.cache_clear()
    space = sources.load_label_space(data)
    images = []
    for split in ("train", "test"):
        source = sources.open_source(data, split)
        images += [np.array(source.read(record)) for record in range(len(source))]
        images += [np.array(artifacts.fingerprint(source.labels))]
    return artifacts.fingerprint([space.fingerprint, _hash(*images)])


def _ask(directory: pathlib.Path) -> str:
    bundle = Bundle.load(directory)
    shape = (2, bundle.side, bundle.side, bundle.channels)
    logits = bundle.classify(np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8))
    return artifacts.fingerprint([_hash(logits), str(bundle.names(logits)), bundle.metrics])


def _run_all(options: config.Config, workdir: Workdir) -> str:
    """Runs all stages, which find their work done; fingerprints results and networks."""
    runner.run_stages(options, workdir, STAGES)
    results = artifacts.read_json(workdir.results)
    results.pop("seconds")
    parts = [workdir.generalist, *workdir.teachers.iterdir(), *workdir.students.iterdir()]
    found = [digest(networks.load_variables(p, "a stage")) for p in parts if p.is_dir()]
    return artifacts.fingerprint([results, found])


def _judge(options: config.Config, workdir: Workdir, anew: list[pathlib.Path]) -> str:
    """Makes files anew from what is known; fingerprints the pages, and what is exported."""
    for path in anew:
        artifacts.remove(path)
    with mock.patch.object(report_figures, "DPI", 20):
        runner.run_stages(options, workdir, ["evaluate", "report"])
    pages = sorted([*workdir.root.glob("*.html"), *workdir.vertical_pages.glob("*")])
    kept = [path.read_text(encoding="utf-8") for path in (*pages, workdir.class_table)]
    return artifacts.fingerprint([kept, export.gather_facts(options, workdir)])


def _describe(
    network: pathlib.Path, informed: pathlib.Path, options: config.Config, space: LabelSpace
) -> str:
    """Reads what a network starts from, and how one with auxiliary heads is built."""
    started = dataclasses.replace(options.student, init_from=str(network))
    model = networks.recorded_model(informed, "learn_structure", space)
    return artifacts.fingerprint([str(tasks.start_elsewhere(started, space)), str(model)])


def _hash(*arrays) -> str:
    hasher = hashlib.sha256()
    for array in arrays:
        hasher.update(np.ascontiguousarray(jax.device_get(array)))
    return hasher.hexdigest()
