"""Trains networks in generations, each taught by the one before; judges them and their ensembles.

Yang et al. (2018).
"""

import dataclasses
import functools
import pathlib
import sys
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from kc_jax import artifacts, disk_space, hosts, sharding
from kc_jax.config import Config
from kc_jax.core import ensembles
from kc_jax.data import sources
from kc_jax.data.sources import Source
from kc_jax.stages import asking, generations, judging, networks, speed, tasks
from kc_jax.stages.judging import TestSet
from kc_jax.workdir import Workdir

SCORES, TRAINING_SCORES = "scores.npy", "training_scores.json"
MOST_TRAINING_RECORDS = 10_000  # That the score distribution is taken over.
SORTED_PLACES, SECONDARY_PAIRS = 10, 30
SHARED_INPUTS = ("seed", "views", "model", "label_space", "records")


@dataclasses.dataclass(frozen=True)
class Member:
    """Is a trained network that is judged.

    Attributes:
      directory: of the network.
      made_by: the stage that makes it.
      answers: directory of what it says of test and training images.
    """

    directory: pathlib.Path
    made_by: str
    answers: pathlib.Path


def run(config: Config, workdir: Workdir) -> bool:
    """Trains and judges what is missing; tells whether there was anything to do."""
    test = _test_set(config)
    name = config.generations.name
    members = [
        Member(
            workdir.generation(name, number), generations.MADE_BY,
            workdir.generation_answers(name, str(number)),
        )
        for number in range(config.generations.num_generations + 1)
    ]
    did_any = False
    for number, member in enumerate(members):  # Asked before it teaches: it may have diverged.
        did_any |= generations.train(config, workdir, number)
        did_any |= hosts.first_alone(functools.partial(_ask, config, test, member))
    judge = functools.partial(_judge, config, workdir, test, members)
    return hosts.first_alone(judge) or did_any


def _judge(config: Config, workdir: Workdir, test: TestSet, members: Sequence[Member]) -> bool:
    """Writes the results; tells whether a baseline was yet to be asked."""
    name = config.generations.name
    baseline = _baseline(workdir, name, members[0])
    did_any = any([_ask(config, test, member) for member in baseline])
    together = _judge_ensembles(config, test, members)
    artifacts.write_sealed(workdir.generation_results(name), {
        "process": generations.name_of(config.generations),
        "settings": generations.settings_of(config.generations),
        "classes": test.space.num_classes,
        "seed": config.seed,
        "synthetic": config.data.synthetic,
        "judged_on": config.data.judged_on,
        "test_examples": len(test.labels),
        "baseline": _judge_alone(config, test, baseline[0]) if baseline else None,
        "generations": [
            {**_judge_alone(config, test, member), "ensemble": ensemble}
            for member, ensemble in zip(members, together, strict=True)
        ],
    })
    return did_any


def _test_set(config: Config) -> TestSet:
    """Opens the test records, and refuses what would else be refused after the training."""
    mesh = sharding.make_mesh(config.mesh.data, config.mesh.model)
    sharding.check_batch_size(mesh, config.evaluation.batch_size, "evaluation.batch_size")
    source = sources.open_source(config.data, config.data.judged_on)
    tasks.check_single_labels(source)
    return TestSet(source, sources.load_label_space(config.data), config.data.test_views)


def _baseline(workdir: Workdir, name: str, patriarch: Member) -> list[Member]:
    """Gives the generalist, if it is a softmax network of the patriarch's images and shape."""
    path = workdir.generalist / artifacts.MANIFEST
    if not path.exists():
        return []
    manifest = artifacts.read_json(path)
    wanted = artifacts.manifest_of(patriarch.directory, patriarch.made_by)["inputs"]
    found = manifest["inputs"]
    differing = [key for key in SHARED_INPUTS if found.get(key) != wanted[key]]
    if found.get("training", {}).get("loss") != "softmax":
        differing.append("loss")
    if differing or not manifest["complete"]:
        why = f"its {' and '.join(differing)} differ" if differing else "it is unfinished"
        print(f"{workdir.generalist} is no baseline here: {why}", file=sys.stderr)
        return []
    answers = workdir.generation_answers(name, "baseline")
    return [Member(workdir.generalist, "train_generalist", answers)]


def _ask(config: Config, test: TestSet, member: Member) -> bool:
    """Asks a network about test and training images, unless that is done."""
    train = sources.open_source(config.data, "train")
    split = test.source.split
    inputs = {
        "network": artifacts.fingerprint_of(member.directory, member.made_by),
        "records": [test.source.fingerprint, train.fingerprint],
        "split": split,
        "views": networks.view_inputs(config, split),
        "num_views": test.num_views,
        "training_records": MOST_TRAINING_RECORDS,
    }
    try:
        if artifacts.is_complete(member.answers, inputs):
            return False
    except artifacts.StaleArtifactError:  # They are soon asked for again.
        artifacts.remove(member.answers)
        artifacts.is_complete(member.answers, inputs)
    ask = networks.load_predictor(
        config, member.directory, member.made_by, test.space, split, config.evaluation.batch_size
    )
    title = f"{member.answers.parent.parent.name} {member.answers.name}"
    scores_of = functools.partial(_scores, config, ask, title)
    everything = np.arange(len(test.source))
    shape = (test.num_views * len(everything), test.space.num_classes)
    (member.answers / SCORES).unlink(missing_ok=True)  # Of an interrupted run.
    num_bytes = 4 * shape[0] * shape[1]
    disk_space.check_space(member.answers, num_bytes, "a network's scores of the test images")
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    with (member.answers / SCORES).open("wb") as file:  # A full disk kills who maps a file.
        np.lib.format.write_array_header_1_0(file, header)
        for scores in scores_of(test.source, everything, test.num_views):
            file.write(scores.tobytes())
    artifacts.write_json(member.answers / TRAINING_SCORES, _training_scores(scores_of, test, train))
    artifacts.complete(member.answers, files=[SCORES, TRAINING_SCORES])
    return True


def _training_scores(scores_of: Callable, test: TestSet, train: Source) -> dict:
    """Describes a network's scores of training images, seen as test images are."""
    labelled = train.labelled
    count = min(len(labelled), MOST_TRAINING_RECORDS)
    places = labelled[np.arange(count) * len(labelled) // count]
    seen = np.concatenate(list(scores_of(train, places, 1)))
    labels = np.array([train.labels[place][0] for place in places])
    secondary = ensembles.secondary_classes(seen, labels, SECONDARY_PAIRS)
    return {
        "records": count,
        "top1": float(np.mean(np.argmax(seen, axis=-1) == labels)),
        "sorted_scores": ensembles.sorted_scores(seen, SORTED_PLACES).tolist(),
        "secondary": [
            {
                "class": test.space.names[pair["class_id"]],
                "secondary": test.space.names[pair["secondary_id"]],
                "share": round(pair["share"], 4),
                "score": round(pair["score"], 4),
            }
            for pair in secondary
        ],
    }


def _scores(
    config: Config, ask: Callable, title: str, source: Source, record_ids: np.ndarray,
    num_views: int,
) -> Iterator[np.ndarray]:
    """Yields a network's scores of test views of records, f32[b, C], views outermost."""
    for _, _, logits in asking.answers(
        config, ask, source, record_ids, title=f"{source.split} images, {title}",
        batch_size=config.evaluation.batch_size, num_views=num_views,
    ):
        yield ensembles.softmax(logits).astype(np.float32)


def _judge_ensembles(config: Config, test: TestSet, members: Sequence[Member]) -> list[dict]:
    """Judges the mean scores of the first, the first two, … members, some rows at a time."""
    judges = [judging.OverallJudge(test, config.evaluation.at_k) for _ in members]
    scores = [
        np.load(artifacts.checked(member.answers / SCORES), mmap_mode="r") for member in members
    ]
    for rows in _blocks(config, test):
        means = ensembles.running_means([member[rows] for member in scores])
        for judge, mean in zip(judges, means, strict=True):
            judge.add(rows, mean)
    return [_rounded(judge) for judge in judges]


def _judge_alone(config: Config, test: TestSet, member: Member) -> dict:
    manifest = artifacts.manifest_of(member.directory, member.made_by)
    (alone,) = _judge_ensembles(config, test, [member])
    return {
        **alone,
        **speed.summarise([manifest]),
        "params": manifest["params"],
        "images_seen": manifest["images_seen"],
        "training": artifacts.read_json(member.answers / TRAINING_SCORES),
    }


def _blocks(config: Config, test: TestSet) -> Iterator[np.ndarray]:
    rows, size = np.arange(len(test.labels)), config.evaluation.batch_size
    return (rows[start : start + size] for start in range(0, len(rows), size))


def _rounded(judge: judging.OverallJudge) -> dict:
    return {name: round(value, 6) for name, value in judge.metrics().items()}
