"""Judges generalist, students and specialists on the test images, or on those held out."""

import dataclasses
import pathlib
import sys
from collections.abc import Iterator

import numpy as np

from kc_jax import artifacts
from kc_jax.artifacts import Workdir
from kc_jax.config import Config
from kc_jax.core.label_space import LabelSpace
from kc_jax.data import batches, sources
from kc_jax.progress import show_progress
from kc_jax.stages import gallery, judging, networks, speed
from kc_jax.stages.judging import TestSet

METRICS, GALLERY, CLASS_AP = "metrics.json", "gallery.json", "class_ap.json"


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
    def manifest(self) -> dict:
        return artifacts.manifest_of(self.directory, self.made_by)

    @property
    def fingerprint(self) -> str:
        return artifacts.fingerprint_of(self.directory, self.made_by)


def run(config: Config, workdir: Workdir) -> bool:
    """Evaluates what is trained and not yet judged, and writes results.json."""
    space = sources.load_label_space(config.data)
    source = sources.open_source(config.data, config.data.judged_on)
    test = TestSet(source, space, config.data.test_views)
    did_any = False
    methods = {}
    judgements = [
        (network.title, _judge_single, [network])
        for network in _single_networks(config, workdir, space)
    ]
    judgements.append(("specialists", _judge_specialists, _specialists(config, workdir, space)))
    for name, judge, judged in judgements:
        directory = workdir.evaluation / name
        if not artifacts.is_complete(directory, _inputs(config, test, judged)):
            for file_name, content in judge(config, test, judged, directory).items():
                artifacts.write_json(directory / file_name, content)
            artifacts.complete(directory)
            did_any = True
        methods[name] = {
            **artifacts.read_json(directory / METRICS),
            **speed.summarise([network.manifest for network in judged]),
        }
    artifacts.write_json(workdir.results, {
        "classes": space.num_classes,
        "verticals": space.num_verticals,
        "seed": artifacts.manifest_of(workdir.generalist, "train_generalist")["inputs"]["seed"],
        "judged_on": config.data.judged_on,
        "synthetic": config.data.synthetic,
        "test_examples": len(test.labels),
        "methods": methods,
        "seconds": artifacts.read_json(workdir.seconds) if workdir.seconds.exists() else {},
    })
    return did_any


def _single_networks(config: Config, workdir: Workdir, space: LabelSpace) -> list[Network]:
    """Lists the networks that name all classes: the generalist and every finished student."""
    artifacts.manifest_of(workdir.generalist, "train_generalist")
    artifacts.manifest_of(workdir.student(config.student.name), "train_student")
    students = [
        Network(path.parent.name, space, path.parent, "train_student")
        for path in sorted(workdir.students.glob(f"*/{artifacts.MANIFEST}"))
        if artifacts.read_json(path)["complete"]
    ]
    generalist = Network("generalist", space, workdir.generalist, "train_generalist")
    return [generalist, *(s for s in students if _is_comparable(s, generalist))]


def _is_comparable(student: Network, generalist: Network) -> bool:
    """Tells whether a student comes from the same seed, records and networks as the others."""
    found, wanted = student.manifest["inputs"], dict(generalist.manifest["inputs"])
    wanted["generalist"] = generalist.fingerprint
    shared = ("seed", "views", "model", "label_space", "records", "generalist")
    differing = [key for key in shared if key in found and found[key] != wanted[key]]
    if differing:
        print(
            f"student {student.title} is left out: its {' and '.join(differing)} differ from the "
            f"generalist's; remove {student.directory} or train it anew", file=sys.stderr,
        )
    return not differing


def _specialists(config: Config, workdir: Workdir, space: LabelSpace) -> list[Network]:
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
    }


def _judge_single(
    config: Config, test: TestSet, judged: list[Network], directory: pathlib.Path
) -> dict:
    """Judges a network that names all classes; gives the files to write."""
    (network,) = judged
    overall = judging.OverallJudge(test, config.evaluation.at_k)
    shown = gallery.Gallery(config.evaluation.gallery_size, test.source, test.space)
    with judging.vertical_judges(test, range(test.space.num_verticals), directory) as verticals:
        for examples, logits in _predictions(config, network, test, np.arange(len(test.source))):
            overall.add(examples, logits)
            shown.add(examples, logits)
            for vertical in verticals:
                vertical.add(*vertical.own(examples, logits))
        verdicts = {vertical.vertical_id: vertical.verdict() for vertical in verticals}
    metrics, class_ap = judging.summarise(test.space, verdicts)
    return {
        METRICS: {**metrics, **overall.metrics(), **_size(judged)},
        CLASS_AP: class_ap,
        GALLERY: shown.entries(config),
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
                for examples, scores in _predictions(config, network, test, records):
                    vertical.add(examples, scores)
                verdicts[vertical_id] = vertical.verdict()
    metrics, class_ap = judging.summarise(test.space, verdicts)
    # A specialist is never asked about another vertical's images.
    overall = {"top1": None, "top5": None}
    return {METRICS: {**metrics, **overall, **_size(judged)}, CLASS_AP: class_ap}


def _size(judged: list[Network]) -> dict:
    manifests = [network.manifest for network in judged]
    return {
        "params": sum(manifest["params"] for manifest in manifests),
        "images_seen": sum(manifest["images_seen"] for manifest in manifests),
        "head": manifests[0]["inputs"]["training"]["head"],
    }


def _predictions(
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
