"""Judges generalist, students and specialists on the test images, or on those held out."""

import dataclasses
import pathlib
import sys
from collections.abc import Collection, Iterator, Mapping

import numpy as np

from kc_jax import artifacts, checksums
from kc_jax.config import Config
from kc_jax.core import alignment
from kc_jax.core.label_space import LabelSpace
from kc_jax.data import batches, sources
from kc_jax.errors import UserError
from kc_jax.progress import show_progress
from kc_jax.stages import (
    class_table,
    confusions,
    counting,
    gallery,
    judging,
    networks,
    speed,
    tasks,
)
from kc_jax.stages.calibrating import CalibrationJudge
from kc_jax.stages.judging import TestSet
from kc_jax.workdir import Workdir

METRICS, GALLERY, CLASS_AP = "metrics.json", "gallery.json", "class_ap.json"
CONFUSIONS = "confusions.json"
CALIBRATION = "calibration.json"
ERRORS = ("ece_before", "ece_after")  # Of probabilities, over all classes.


@dataclasses.dataclass(frozen=True)
class Network:
    """Says which trained network is to be judged.

    Attributes:
      title: for the person who watches.
      space: its label space.
      directory: where it lies.
      made_by: the stage that makes it.
    """

    title: str
    space: LabelSpace
    directory: pathlib.Path
    made_by: str

    @property
    def is_complete(self) -> bool:
        manifest = artifacts.read_json(self.directory / artifacts.MANIFEST, {"complete": False})
        return manifest["complete"]

    @property
    def manifest(self) -> dict:
        return artifacts.manifest_of(self.directory, self.made_by)

    @property
    def fingerprint(self) -> str:
        return artifacts.fingerprint_of(self.directory, self.made_by)

    def check_classes(self) -> None:
        """Checks that it was trained with the classes and verticals that it is to be judged on.

        Raises:
          StaleArtifactError: it was not; says in what they differ.
        """
        trained = tasks.space_of(self.directory)
        if (trained.names, trained.sizes) != (self.space.names, self.space.sizes):
            lines = alignment.describe(self.space, trained) or ["their order"]
            raise artifacts.StaleArtifactError(
                f"{self.directory} was trained with other classes or verticals:\n  "
                + "\n  ".join(lines[:10])
                + "\nGive the config.data.verticals and label space that it was trained with"
            )


def run(config: Config, workdir: Workdir) -> bool:
    """Evaluates what is trained and not yet judged, and writes results.json and classes.csv."""
    space = sources.load_label_space(config.data)
    source = sources.open_source(config.data, config.data.judged_on)
    test = TestSet(source, space, config.data.test_views)
    did_any = False
    methods = {}
    singles = single_networks(config, workdir, space)
    _check_losses(singles)
    judgements = [(network.title, _judge_single, [network]) for network in singles]
    specialists = _specialists(workdir, space)
    if all(network.is_complete for network in specialists):
        for network in specialists:
            network.check_classes()
        judgements.append(("specialists", _judge_specialists, specialists))
    for name, judge, judged in judgements:
        directory = workdir.evaluation / name
        if not artifacts.is_complete(directory, _inputs(config, test, judged)):
            found = judge(config, test, judged, directory)
            for file_name, content in found.items():
                artifacts.write_json(directory / file_name, content)
            artifacts.complete(directory, files=found)
            did_any = True
        methods[name] = {
            **artifacts.read_json(directory / METRICS),
            **speed.summarise([network.manifest for network in judged]),
        }
    if did_any or not _is_table_written(workdir, list(methods)):
        _write_class_table(config, workdir, test, list(methods))
    artifacts.write_sealed(workdir.results, {
        "classes": space.num_classes,
        "verticals": space.num_verticals,
        "seed": singles[0].manifest["inputs"]["seed"],
        "judged_on": config.data.judged_on,
        "synthetic": config.data.synthetic,
        "test_examples": len(test.labels),
        "methods": methods,
        "files": checksums.describe(workdir.root, [workdir.class_table.name]),
        "seconds": artifacts.read_json(workdir.seconds, {}),
    })
    return did_any


def _check_losses(singles: list[Network]) -> None:
    """Checks that probabilities are sigmoids; those of a softmax `run_generations` judges."""
    for network in singles:
        if network.manifest["inputs"]["training"]["loss"] != "sigmoid":
            raise UserError(
                f"{network.directory} is a softmax network, which evaluate does not judge; the "
                "stage run_generations does, or train it with --config.generalist.loss=sigmoid"
            )


def _is_table_written(workdir: Workdir, methods: list[str]) -> bool:
    noted = artifacts.read_json(workdir.results, {}).get("files", {})
    wanted = noted.get(workdir.class_table.name)
    if wanted is None or checksums.difference(workdir.class_table, wanted):
        return False
    return class_table.read_columns(workdir.class_table) == class_table.columns(methods)


def _write_class_table(
    config: Config, workdir: Workdir, test: TestSet, methods: list[str]
) -> None:
    train = sources.open_source(config.data, "train")
    class_table.write(
        workdir.class_table,
        test.space,
        class_table.count_images(train.labels, test.space.num_classes),
        class_table.count_images(test.source.labels, test.space.num_classes),
        {name: artifacts.read_json(workdir.evaluation / name / CLASS_AP) for name in methods},
    )


def single_networks(config: Config, workdir: Workdir, space: LabelSpace) -> list[Network]:
    """Lists the finished networks that name all classes: the generalist, if any, and students.

    The first of generalist and the configuration's student is what the others must agree with.
    """
    students = {
        path.name: Network(path.name, space, path, networks.maker_of(path))
        for path in sorted(workdir.students.glob("*"))
    }
    generalist = Network("generalist", space, workdir.generalist, "train_generalist")
    if "train_student" in config.stages or not generalist.is_complete:
        artifacts.manifest_of(workdir.student(config.student.name), "train_student")
    first = generalist if generalist.is_complete else students.pop(config.student.name)
    first.check_classes()
    finished = {name: student for name, student in students.items() if student.is_complete}
    kept = {first.title: first}
    for name in sorted(finished, key=lambda name: (_depth(name, finished), name)):
        if _is_comparable(finished[name], first, finished.keys(), kept):
            kept[name] = finished[name]
    return [first, *(kept[name] for name in finished if name in kept)]


def _base_of(network: Network) -> str:
    """Gives the name of the network that one has grown on; of most there is none."""
    return network.manifest["inputs"].get("base", {}).get("name", "")


def _depth(name: str, finished: Mapping[str, Network]) -> int:
    """Counts how many students are below one, each grown on the one before."""
    return 1 + _depth(_base_of(finished[name]), finished) if name in finished else 0


def _is_comparable(
    student: Network, first: Network, known: Collection[str], kept: Mapping[str, Network]
) -> bool:
    """Tells whether a student comes from the same seed, records and networks as the first.

    One that has grown on another must have grown on what that is now, and that must be comparable.

    Args:
      student: to compare.
      first: to compare it with.
      known: names of all finished students.
      kept: the first, and those that are comparable, all on which it may have grown among them.
    """
    found, wanted = student.manifest["inputs"], dict(first.manifest["inputs"])
    if first.title == "generalist":
        wanted["generalist"] = first.fingerprint
    shared = ("seed", "views", "model", "label_space", "records", "generalist")
    differing = [
        key for key in shared if key in found and key in wanted and found[key] != wanted[key]
    ]
    base = _base_of(student)
    if base in known and base not in kept or (
        base in kept and kept[base].fingerprint != found["base"]["fingerprint"]
    ):
        differing.append(f"base {base}")
    if differing:
        print(
            f"student {student.title} is left out: its {' and '.join(differing)} differ from the "
            f"{first.title}'s; remove {student.directory} or train it anew", file=sys.stderr,
        )
    return not differing


def _specialists(workdir: Workdir, space: LabelSpace) -> list[Network]:
    return [
        Network(
            f"specialist {name}", space.restrict(v), workdir.teacher(name), "train_teachers"
        )
        for v, name in enumerate(space.verticals)
    ]


def _inputs(config: Config, test: TestSet, judged: list[Network]) -> dict:
    return {
        "networks": [network.fingerprint for network in judged],
        "records": test.source.fingerprint,
        "label_space": test.space.fingerprint,
        "views": networks.view_inputs(config, test.source.split),
        "num_views": test.num_views,
        "at_k": config.evaluation.at_k,
        "gallery_size": config.evaluation.gallery_size,
        "confusions": config.evaluation.confusions,
        "wanted_precision": config.evaluation.wanted_precision,
    }


def _judge_single(
    config: Config, test: TestSet, judged: list[Network], directory: pathlib.Path
) -> dict:
    """Judges a network that names all classes; gives the files to write."""
    (network,) = judged
    overall = judging.OverallJudge(test, config.evaluation.at_k)
    probabilities = CalibrationJudge(test, config.evaluation.wanted_precision)
    shown = gallery.Gallery(config.evaluation.gallery_size, test.source, test.space)
    confused = confusions.Confusions(test)
    with judging.vertical_judges(test, range(test.space.num_verticals), directory) as verticals:
        for examples, logits in predictions(config, network, test, np.arange(len(test.source))):
            overall.add(examples, logits)
            probabilities.add(examples, logits)
            shown.add(examples, logits)
            confused.add(examples, logits)
            for vertical in verticals:
                vertical.add(*vertical.own(examples, logits))
        verdicts = {vertical.vertical_id: vertical.verdict() for vertical in verticals}
    metrics, class_ap = judging.summarise(test.space, verdicts)
    calibration = probabilities.verdict()
    errors = {key: calibration[key] for key in ERRORS}
    return {
        METRICS: {**metrics, **overall.metrics(), **errors, **_size(config, judged)},
        CLASS_AP: class_ap,
        CALIBRATION: calibration,
        GALLERY: shown.entries(config),
        CONFUSIONS: confused.entries(config),
    }


def _judge_specialists(
    config: Config, test: TestSet, judged: list[Network], directory: pathlib.Path
) -> dict:
    """Judges each specialist on its own vertical; gives the files to write."""
    verdicts = {}
    for vertical_id, network in enumerate(judged):
        records = test.source.records_of(test.space, vertical_id)
        with judging.vertical_judges(test, [vertical_id], directory) as verticals:
            for vertical in verticals:
                for examples, scores in predictions(config, network, test, records):
                    vertical.add(examples, scores)
                verdicts[vertical_id] = vertical.verdict()
    metrics, class_ap = judging.summarise(test.space, verdicts)
    # A specialist is never asked about another vertical's images.
    overall = dict.fromkeys(("top1", "top5", *ERRORS))
    return {METRICS: {**metrics, **overall, **_size(config, judged)}, CLASS_AP: class_ap}


def _size(config: Config, judged: list[Network]) -> dict:
    manifests = [network.manifest for network in judged]
    models = (
        networks.recorded_model(network.directory, network.made_by, network.space)
        for network in judged
    )
    return {
        "params": sum(manifest["params"] for manifest in manifests),
        "multiply_adds": sum(counting.count(config, model)["multiply_adds"] for model in models),
        "images_seen": sum(manifest["images_seen"] for manifest in manifests),
        "head": manifests[0]["inputs"]["training"]["head"],
    }


def predictions(
    config: Config, network: Network, test: TestSet, record_ids: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Asks a network about every test view of records, views outermost.

    Yields:
      Successive examples i64[b] and their logits f32[b, C].
    """
    batch_size = config.evaluation.batch_size
    predictor = networks.load_predictor(
        config, network.directory, network.made_by, network.space, test.source.split, batch_size
    )
    total, done = test.num_views * len(record_ids), 0
    with show_progress(
        f"test {network.title}", total, 0, config.running.print_every_seconds
    ) as show:
        for batch in batches.inference_batches(
            test.source, record_ids, batch_size=batch_size, num_views=test.num_views
        ):
            real = batch["mask"]
            examples = batch["view"].astype(np.int64) * len(test.source) + batch["record_id"]
            yield examples[real], predictor(batch)[real]
            done += np.count_nonzero(real)
            show(done)
