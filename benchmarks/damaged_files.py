"""What can happen to a file, and what reads each kind of file of a run next."""

import contextlib
import dataclasses
import hashlib
import io
import pathlib
import random
import shutil
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import jax
import numpy as np
from PIL import Image

from configs import eft, folder
from kc_jax import artifacts, config
from kc_jax.bundle import Bundle
from kc_jax.data import preparation, sources
from kc_jax.data.soft_target_store import SoftTargetStore
from kc_jax.errors import UserError
from kc_jax.stages import networks, runner, storing, training
from kc_jax.train import hooks
from kc_jax.train.state import digest
from kc_jax.workdir import Workdir

STAGES = (
    "train_generalist", "train_teachers", "write_soft_targets", "train_student",
    "learn_structure", "evaluate", "report", "export",
)
LATER = ("report.html", "report", "classes.html", "bundles")  # What is made from the scores.


class Stopped(Exception):
    """Ends a training early; holds the digest of the state that it would go on from."""


def cut(path: pathlib.Path, sibling: pathlib.Path, rng: random.Random) -> None:
    """Leaves the first half of a file, or less."""
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(1, 1 + len(content) // 2)])


def flip(path: pathlib.Path, sibling: pathlib.Path, rng: random.Random) -> None:
    """Turns one bit of a file over."""
    content = bytearray(path.read_bytes())
    place = rng.randrange(8 * len(content))
    content[place // 8] ^= 1 << place % 8
    path.write_bytes(content)


def swap(path: pathlib.Path, sibling: pathlib.Path, rng: random.Random) -> None:
    """Exchanges a file and one of the same kind."""
    content = path.read_bytes()
    path.write_bytes(sibling.read_bytes())
    sibling.write_bytes(content)


DAMAGES: dict[str, Callable[[pathlib.Path, pathlib.Path, random.Random], Any]] = {
    "truncated": cut,
    "bit flipped": flip,
    "emptied": lambda path, sibling, rng: path.write_bytes(b""),
    "missing": lambda path, sibling, rng: path.unlink(),
    "swapped": swap,
    "overwritten": lambda path, sibling, rng: shutil.copyfile(sibling, path),
}


@dataclasses.dataclass(frozen=True)
class Case:
    """Is a kind of file, and what reads it next.

    Attributes:
      kind: for the table.
      files: to damage, each with one of the same kind that it may be taken for.
      read: reads them as the next stage does and fingerprints what came of it.
      older: reads an older state, which may be gone on from if that is said; None where none is.
    """

    kind: str
    files: list[tuple[pathlib.Path, pathlib.Path]]
    read: Callable[[], Any]
    older: Callable[[], Any] | None = None


def outcome(case: Case, path: pathlib.Path, wanted: Any, older: Any) -> tuple[str, str]:
    """Reads a damaged file; tells ``detected``, ``harmless`` or ``wrong``, and why."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            found = case.read()
    except UserError as error:
        return ("detected" if names(str(error), path) else "wrong"), f"{error}"
    except Exception as error:  # Whatever a reader may trip over.
        return "wrong", f"{type(error).__name__}: {error}"
    is_said = names(said.getvalue(), path)
    if is_said and found in (wanted, older):
        return "detected", said.getvalue()
    return ("harmless" if found == wanted else "wrong"), f"{wanted} became {found}"


def names(text: str, path: pathlib.Path) -> bool:
    """Tells whether a text names a file, or the folder that it belongs to."""
    folders = [p for p in path.parents if (p / artifacts.MANIFEST).exists() or "damaged" in p.name]
    near = [path.parent, path.parent.parent]
    return any(str(p) in text for p in (path, *near, *folders[:1]))


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
    run, options = Workdir(root / "run"), built(root)
    teachers = [run.teacher(v) for v in sources.load_label_space(options.data).verticals[:2]]
    student = run.student(options.student.name)

    def later() -> str:
        for name in LATER:
            artifacts.remove(run.root / name)
        runner.run_stages(options, run, STAGES)
        return _print_of(run)

    def load() -> list[str]:
        return [digest(networks.load_variables(teacher, "train_teachers")) for teacher in teachers]

    yield Case("checkpoint of a finished network", _step_files(*teachers), load)
    stopped = Workdir(root / "stopped")
    yield Case(
        "checkpoint of a stopped training", _step_files(stopped.generalist, teachers[0]),
        lambda: _resume(options, stopped), lambda: _resume_older(options, stopped),
    )
    yield Case("manifest.json", [
        (directory / "manifest.json", other / "manifest.json") for directory, other in (
            (run.generalist, student), tuple(teachers), (student, run.generalist),
            (run.evaluation / "student", run.evaluation / "generalist"),
            (run.clusters(options.structure.name), run.evaluation / "student"),
            tuple(run.soft_targets_of(v.name) for v in teachers),
        )
    ], later)
    yield Case("what lies beside a network", [
        (network / name, other / name) for name in ("label_space.json", "metrics.jsonl")
        for network, other in ((run.generalist, teachers[0]), tuple(teachers))
    ] + [(run.student("augmented") / "auxiliary.json", student / "label_space.json")], later)
    yield Case("soft targets", [
        (run.soft_targets_of(teachers[0].name) / name, run.soft_targets_of(teachers[1].name) / name)
        for name in ("records.npy", "index.npz")
    ], lambda: _read_soft_targets(options, run))
    judged = run.evaluation / "student"
    yield Case("scores and results", [
        (path, run.evaluation / "generalist" / path.name)
        for path in sorted(judged.iterdir()) if path.name != "manifest.json"
    ] + [
        (run.results, run.describe if run.describe.exists() else run.seconds),
        (run.class_table, run.clusters(options.structure.name) / "clusters.csv"),
        (run.seconds, run.results),
    ], later)
    yield Case("clusters", [
        (run.clusters(options.structure.name) / name, run.class_table)
        for name in ("clusters.csv", "counts.npz")
    ], later)
    bundle = run.bundle(options.student.name)
    yield Case("bundle", _with_neighbours(bundle), lambda: _ask(bundle))
    yield Case(
        "packed images", _with_neighbours(root / "packed"),
        lambda: _read_images(_pictures(root, "packed")),
    )
    (drawn,) = (root / "data").glob("*/*/*/*")
    yield Case("prepared glyphs", _with_neighbours(drawn), lambda: _read_images(options.data))


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


def _print_of(workdir: Workdir) -> str:
    """Fingerprints what a run has to say: results, tables, pages, and its networks."""
    results = artifacts.read_json(workdir.results)
    results.pop("seconds")
    pages = sorted([*workdir.root.glob("*.html"), *workdir.vertical_pages.glob("*")])
    kept = [path.read_text(encoding="utf-8") for path in (*pages, workdir.class_table)]
    networks_of = [workdir.generalist, *workdir.teachers.iterdir(), *workdir.students.iterdir()]
    digests = [
        digest(networks.load_variables(path, "a stage")) for path in networks_of if path.is_dir()
    ]
    return artifacts.fingerprint([results, kept, digests])


def _hash(*arrays) -> str:
    hasher = hashlib.sha256()
    for array in arrays:
        hasher.update(np.ascontiguousarray(jax.device_get(array)))
    return hasher.hexdigest()
