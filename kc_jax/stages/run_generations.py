"""Trains networks in generations, each taught by the one before; judges them and their ensembles.

Yang et al. (2018).
"""

import pathlib

import numpy as np

from kc_jax import artifacts
from kc_jax.artifacts import Workdir
from kc_jax.config import Config
from kc_jax.core import ensembles
from kc_jax.core.label_space import LabelSpace
from kc_jax.data import batches, sources
from kc_jax.data.sources import Source
from kc_jax.progress import show_progress
from kc_jax.stages import generations, judging, networks, speed
from kc_jax.stages.judging import TestSet

SCORES, TRAINING_SCORES = "scores.npy", "training_scores.json"
MOST_TRAINING_RECORDS = 10_000  # That the score distribution is taken over.
SORTED_PLACES, SECONDARY_PAIRS = 10, 30


def run(config: Config, workdir: Workdir) -> bool:
    """Trains and judges what is missing; tells whether there was anything to do."""
    options = config.generations
    did_any = False
    numbers = range(options.num_generations + 1)
    for number in numbers:
        did_any |= generations.train(config, workdir, number)
    test = _test_set(config)
    judged = [
        (workdir.generation(options.name, number), generations.MADE_BY) for number in numbers
    ]
    has_baseline = (workdir.generalist / artifacts.MANIFEST).exists()
    if has_baseline:
        judged.append((workdir.generalist, "train_generalist"))
    for directory, made_by in judged:
        did_any |= _ask(config, test, directory, made_by)
    directories = [directory for directory, _ in judged]
    members = directories[: len(numbers)]
    results = {
        "process": generations.name_of(options),
        "classes": test.space.num_classes,
        "seed": config.seed,
        "synthetic": config.data.synthetic,
        "test_examples": len(test.labels),
        "baseline": _single(config, test, workdir.generalist) if has_baseline else None,
        "generations": [
            {**_single(config, test, directory), "ensemble": together}
            for directory, together in zip(members, _ensembles(config, test, members), strict=True)
        ],
    }
    artifacts.write_json(workdir.generation_results(options.name), results)
    return did_any


def _test_set(config: Config) -> TestSet:
    source = sources.open_source(config.data, config.data.judged_on)
    generations.check_single_labels(source)
    return TestSet(source, sources.load_label_space(config.data), config.data.test_views)


def _ask(config: Config, test: TestSet, directory: pathlib.Path, made_by: str) -> bool:
    """Asks a network about test and training images, unless that is done."""
    inputs = {
        "network": artifacts.fingerprint_of(directory, made_by),
        "records": test.source.fingerprint,
        "views": networks.view_inputs(config, test.source.split),
        "num_views": test.num_views,
        "training_records": MOST_TRAINING_RECORDS,
    }
    answers = _answers(directory)
    if artifacts.is_complete(answers, inputs):
        return False
    scores = _scores(config, test.space, test.source, directory, made_by, test.num_views)
    np.save(answers / SCORES, scores.astype(np.float32))
    train = sources.open_source(config.data, "train")
    places = _spread(len(train))
    seen = _scores(config, test.space, train, directory, made_by, 1, places)
    labels = np.array([train.labels[place][0] for place in places])
    secondary = ensembles.secondary_classes(seen, labels, SECONDARY_PAIRS)
    artifacts.write_json(answers / TRAINING_SCORES, {
        "records": len(places),
        "top1": float(np.mean(np.argmax(seen, axis=-1) == labels)),
        "sorted_scores": ensembles.sorted_scores(seen, SORTED_PLACES).tolist(),
        "secondary": [_named(test.space, pair) for pair in secondary],
    })
    artifacts.complete(answers)
    return True


def _answers(directory: pathlib.Path) -> pathlib.Path:
    return directory / "answers"


def _spread(num_records: int) -> np.ndarray:
    """Chooses records evenly, all where there are few."""
    count = min(num_records, MOST_TRAINING_RECORDS)
    return np.arange(count) * num_records // count


def _named(space: LabelSpace, pair: dict) -> dict:
    names = {
        key: space.names[pair[f"{key}_id"]] for key in ("class", "secondary")
    }
    return {**names, "share": round(pair["share"], 4), "score": round(pair["score"], 4)}


def _scores(
    config: Config, space: LabelSpace, source: Source, directory: pathlib.Path, made_by: str,
    num_views: int, record_ids: np.ndarray | None = None,
) -> np.ndarray:
    """Asks a network about test views of records, views outermost: f64[n, C]."""
    record_ids = np.arange(len(source)) if record_ids is None else record_ids
    batch_size = config.evaluation.batch_size
    predict = networks.load_predictor(config, directory, made_by, space, "test", batch_size)
    found, done = [], 0
    with show_progress(
        f"{source.split} images, {directory.parent.name} {directory.name}",
        num_views * len(record_ids), 0, config.running.print_every_seconds,
    ) as show:
        for batch in batches.inference_batches(
            source, record_ids, batch_size=batch_size, num_views=num_views
        ):
            found.append(generations.softmax(predict(batch)[batch["mask"]]))
            done += len(found[-1])
            show(done)
    return np.concatenate(found)


def _ensembles(config: Config, test: TestSet, directories: list[pathlib.Path]) -> list[dict]:
    scores = [np.load(_answers(directory) / SCORES) for directory in directories]
    return [_judge(config, test, mean) for mean in ensembles.running_means(scores)]


def _single(config: Config, test: TestSet, directory: pathlib.Path) -> dict:
    manifest = artifacts.read_json(directory / artifacts.MANIFEST)
    seen = artifacts.read_json(_answers(directory) / TRAINING_SCORES)
    return {
        **_judge(config, test, np.load(_answers(directory) / SCORES)),
        **speed.summarise([manifest]),
        "params": manifest["params"],
        "images_seen": manifest["images_seen"],
        "training": seen,
    }


def _judge(config: Config, test: TestSet, scores: np.ndarray) -> dict:
    judge = judging.OverallJudge(test, config.evaluation.at_k)
    judge.add(np.arange(len(scores)), scores)
    return {name: round(value, 6) for name, value in judge.metrics().items()}
