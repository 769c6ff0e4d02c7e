"""Judges generalist, students and specialists on the test images, or on those held out."""

import pathlib
from collections.abc import Iterator, Mapping

import numpy as np

from kc_jax import artifacts, checksums
from kc_jax.config import Config
from kc_jax.data import sources
from kc_jax.errors import UserError
from kc_jax.stages import (
    asking,
    class_table,
    confusions,
    counting,
    finished,
    gallery,
    judging,
    networks,
    speed,
)
from kc_jax.stages.calibrating import CalibrationJudge
from kc_jax.stages.finished import Network
from kc_jax.stages.judging import TestSet
from kc_jax.workdir import Workdir

METRICS, GALLERY, CLASS_AP = "metrics.json", "gallery.json", "class_ap.json"
CONFUSIONS = "confusions.json"
CALIBRATION = "calibration.json"
ERRORS = ("ece_before", "ece_after")  # Of probabilities, over all classes.


def run(config: Config, workdir: Workdir) -> bool:
    """Evaluates what is trained and not yet judged, and writes results.json and classes.csv."""
    space = sources.load_label_space(config.data)
    source = sources.open_source(config.data, config.data.judged_on)
    test = TestSet(source, space, config.data.test_views)
    did_any = False
    methods = {}
    singles = finished.single_networks(config, workdir, space)
    _check_losses(singles)
    judgements = [(network.title, _judge_single, [network]) for network in singles]
    specialists = finished.specialist_networks(workdir, space, singles[0])
    if specialists:
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
        "starts_from": _start_of(manifests[0]["inputs"]),
        "head": manifests[0]["inputs"]["training"]["head"],
    }


def _start_of(inputs: Mapping) -> str:
    """Names the network that one started from: that which heads grew on, or the configured one."""
    return inputs["base"]["name"] if "base" in inputs else inputs["training"]["init_from"]


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
    for records, views, logits in asking.answers(
        config, predictor, test.source, record_ids, title=f"test {network.title}",
        batch_size=batch_size, num_views=test.num_views,
    ):
        yield views.astype(np.int64) * len(test.source) + records, logits
