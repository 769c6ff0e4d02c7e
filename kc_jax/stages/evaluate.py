"""Judges generalist, students and specialists on the test images, or on those held out."""

import dataclasses
import functools
import pathlib
import sys

import numpy as np

from kc_jax import artifacts
from kc_jax.artifacts import Workdir
from kc_jax.config import Config
from kc_jax.core import average_precision as ap
from kc_jax.core.label_space import LabelSpace
from kc_jax.data import batches, sources
from kc_jax.stages import gallery, networks, speed
from kc_jax.train import hooks

METRICS, GALLERY, CLASS_AP = "metrics.json", "gallery.json", "class_ap.json"


@dataclasses.dataclass(frozen=True)
class TestSet:
    """Holds the test examples: each view of each test record, records within views.

    Attributes:
      source: of the records.
      space: label space of all classes.
      num_views: views of each record.
    """

    source: sources.Source
    space: LabelSpace
    num_views: int

    @functools.cached_property
    def labels(self) -> list[tuple[int, ...]]:
        return list(self.source.labels) * self.num_views

    def examples_of(self, vertical_id: int) -> np.ndarray:
        """Lists the examples of a vertical's records: i64[n]."""
        records = self.source.records_of(self.space, vertical_id)
        views = np.arange(self.num_views)[:, None] * len(self.source)
        return (views + records).ravel()


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
            for file_name, content in judge(config, test, judged).items():
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


def _judge_single(config: Config, test: TestSet, judged: list[Network]) -> dict:
    """Judges a network that names all classes; gives the files to write."""
    (network,) = judged
    logits = predict(config, network, test.source, np.arange(len(test.source)))
    metrics, class_ap = judge_verticals(test, [
        logits[np.ix_(test.examples_of(v), test.space.classes_of(v))]
        for v in range(test.space.num_verticals)
    ])
    overall = judge_overall(test, logits, config.evaluation.at_k)
    return {
        METRICS: {**metrics, **overall, **_size(judged)},
        CLASS_AP: class_ap,
        GALLERY: gallery.pick(config, test.source, test.space, logits),
    }


def _judge_specialists(config: Config, test: TestSet, judged: list[Network]) -> dict:
    """Judges each specialist on its own vertical; gives the files to write."""
    metrics, class_ap = judge_verticals(test, [
        predict(config, network, test.source, test.source.records_of(test.space, v))
        for v, network in enumerate(judged)
    ])
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


def predict(
    config: Config, network: Network, source: sources.Source, record_ids: np.ndarray
) -> np.ndarray:
    """Asks a network about every test view of records: f32[num_views · n, C], views outermost."""
    batch_size = config.evaluation.batch_size
    predictor = networks.load_predictor(
        config, network.directory, network.made_by, network.space, source.split, batch_size
    )
    num_views = config.data.test_views
    total = num_views * len(record_ids)
    logits = np.empty((total, network.space.num_classes), np.float32)
    row = 0
    with hooks.progress(
        f"test {network.title}", total, 0, config.running.print_every_seconds
    ) as show:
        for batch in batches.inference_batches(
            source, record_ids, batch_size=batch_size, num_views=num_views
        ):
            part = predictor(batch)[batch["mask"]]
            logits[row : row + len(part)] = part
            row += len(part)
            show(row)
    return logits


def judge_verticals(test: TestSet, by_vertical: list[np.ndarray]) -> tuple[dict, dict]:
    """Computes per-vertical average precision (pvap) and what goes with it.

    Gao et al. (2017), section 4.1: the logits are pruned to the vertical's classes, on the
    vertical's images; mpvap is the mean over verticals.

    Args:
      test: the examples.
      by_vertical: for each vertical f32[examples of the vertical, C_v].

    Returns:
      The metrics, all in 0–1, and the average precision by class id. Classes that no test label
      names have none; ``ancestor_ap`` judges those of them that are ancestors, by smeared labels.
      Verticals without test examples are left out.
    """
    vertical_ap, vertical_top1, ancestor_ap, class_ap = {}, {}, [], {}
    for vertical_id, scores in enumerate(by_vertical):
        classes = test.space.classes_of(vertical_id)
        labels = test.labels
        own = [labels[e] for e in test.examples_of(vertical_id)]
        if not own:
            continue
        local = [[c - classes.start for c in ids if c in classes] for ids in own]
        smeared = [[c - classes.start for c in test.space.smear(ids) if c in classes]
                   for ids in own]
        values = ap.class_average_precision(scores, local)
        named = ~np.isnan(values)
        vertical = test.space.verticals[vertical_id]
        vertical_ap[vertical] = float(np.mean(values[named]))
        vertical_top1[vertical] = ap.top_k_accuracy(
            np.where(named, scores, -np.inf), local, 1
        )
        with_ancestors = ap.class_average_precision(scores, smeared)
        ancestor_ap += [x for x in with_ancestors[~named] if not np.isnan(x)]
        for class_id, value in zip(classes, values, strict=True):
            class_ap[class_id] = None if np.isnan(value) else round(float(value), 6)
    return {
        "mean_vertical_ap": float(np.mean(list(vertical_ap.values()))),
        "vertical_ap": vertical_ap,
        "mean_vertical_top1": float(np.mean(list(vertical_top1.values()))),
        "ancestor_ap": float(np.mean(ancestor_ap)) if ancestor_ap else None,
    }, class_ap


def judge_overall(test: TestSet, logits: np.ndarray, at_k: int) -> dict[str, float]:
    """Computes accuracy and average precision at K over all classes that test labels name.

    Args:
      test: the examples.
      logits: f32[N, C].
      at_k: names that the average precision at K looks at.
    """
    labels = test.labels
    named = np.zeros(logits.shape[1], bool)
    named[[c for ids in labels for c in ids]] = True
    logits = np.where(named, logits, -np.inf)
    return {
        "top1": ap.top_k_accuracy(logits, labels, 1),
        "top5": ap.top_k_accuracy(logits, labels, 5),
        f"mean_ap_at_{at_k}": ap.average_precision_at_k(logits, labels, at_k),
    }
