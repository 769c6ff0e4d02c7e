"""Clusters of classes that are taken for each other: Warde-Farley et al. (2015), section 4."""

import pathlib
from collections.abc import Iterator

import numpy as np
import scipy.sparse

from kc_jax import artifacts
from kc_jax.config import Config, ConfigError, Structure
from kc_jax.core import confusion, label_space, spectral
from kc_jax.core.average_precision import best_classes
from kc_jax.core.label_space import LabelSpace
from kc_jax.core.quantisation import LEAST_PROBABILITY
from kc_jax.core.regrouping import regroup
from kc_jax.data import class_groups, sources
from kc_jax.data.soft_target_store import SoftTargetStore
from kc_jax.data.sources import VALIDATION, Source
from kc_jax.stages import asking, networks, storing
from kc_jax.workdir import Workdir

CLUSTERS, COUNTS, LABEL_SPACE = "clusters.csv", "counts.npz", "label_space.csv"
FOUND_BY = ("answers", "similarity", "top_k", "num_clusters", "largest", "permuted")

# Successive images' best classes, most probable first, and their labels.
Answers = Iterator[tuple[np.ndarray | list[np.ndarray], list[tuple[int, ...]]]]


def find(
    config: Config, workdir: Workdir, base: pathlib.Path, made_by: str, space: LabelSpace
) -> bool:
    """Writes the clusters of the classes; tells whether there was anything to do.

    Args:
      config: of the run; its structure says how.
      workdir: of the run; gets `CLUSTERS`, `COUNTS`, which they were found from, and
        `LABEL_SPACE`, whose verticals they are.
      base: directory of the network that is asked.
      made_by: the stage that makes it, for the error.
      space: its label space.

    Raises:
      ConfigError: no images were held out, or no such number of clusters can be found.
    """
    check(config, space)
    options = config.structure
    directory = workdir.clusters(options.name)
    asked, answers = {
        "network": _ask_network, "soft_targets": _read_soft_targets, "verticals": _ask_nobody,
    }[options.answers](config, workdir, base, made_by, space)
    inputs = {
        "seed": config.seed, "label_space": space.fingerprint, "method": spectral.VERSION, **asked,
        **{name: getattr(options, name) for name in FOUND_BY},
    }
    if artifacts.is_complete(directory, inputs):
        return False
    if options.answers == "verticals":
        members, placed, written = space.vertical_of_class, {}, (CLUSTERS, LABEL_SPACE)
    else:
        counts = _count(options, answers, space)
        scipy.sparse.save_npz(directory / COUNTS, counts)
        members, placed = _cluster(config, counts)
        written = (CLUSTERS, LABEL_SPACE, COUNTS)
    if options.permuted:
        members = np.random.default_rng(config.seed).permutation(members)
    class_groups.write(directory / CLUSTERS, space, members)
    label_space.write_csv(directory / LABEL_SPACE, regroup(space, members)[0])
    artifacts.complete(
        directory, files=written, sizes=np.bincount(members).tolist(), placed=placed
    )
    return True


def check(config: Config, space: LabelSpace) -> None:
    """Refuses what cannot be, whatever the answers.

    Args:
      config: of the run.
      space: of the classes that are to be divided.

    Raises:
      ConfigError: names the option.
    """
    options = config.structure
    if 0 < options.largest < 1:
        raise ConfigError(
            f"config.structure.largest is {options.largest}; expected 0, no limit, or at least 1"
        )
    if options.answers == "network":
        _check_network(config, space)
    if options.answers != "verticals" and not 2 <= options.num_clusters < space.num_classes:
        raise ConfigError(
            f"config.structure.num_clusters is {options.num_clusters}; expected 2 to "
            f"{space.num_classes - 1}, less than there are classes"
        )


def _check_network(config: Config, space: LabelSpace) -> None:
    if not config.data.hold_out:
        raise ConfigError(
            "config.data.hold_out is False, so that no images were kept to ask the network about; "
            "set it to True and train the network anew, or set config.structure.answers"
        )
    if config.data.judged_on == VALIDATION:
        raise ConfigError(
            "config.data.judged_on is 'validation', the very images that clusters are found on; "
            "set it to 'test'"
        )
    if config.structure.top_k >= space.num_classes:
        raise ConfigError(
            f"config.structure.top_k is {config.structure.top_k}, but there are "
            f"{space.num_classes} classes: each would be among the best of every image; take a "
            "tenth of them or less"
        )


def _count(options: Structure, answers: Answers, space: LabelSpace) -> scipy.sparse.csr_array:
    if options.similarity == "confusions":
        return confusion.count_confusions(answers, space.num_classes)
    return confusion.count_co_detections((best for best, _ in answers), space.num_classes)


def _cluster(config: Config, counts: scipy.sparse.csr_array) -> spectral.Clusters:
    options = config.structure
    try:
        return spectral.cluster(
            counts, options.num_clusters, seed=config.seed, largest=options.largest
        )
    except ValueError as error:
        raise ConfigError(f"config.structure: {error}") from None


def read(directory: pathlib.Path, space: LabelSpace) -> tuple[int, ...]:
    """Reads the cluster of each class, by class id."""
    return class_groups.read(artifacts.checked(directory / CLUSTERS), space)


def read_counts(directory: pathlib.Path) -> scipy.sparse.csr_array | None:
    """Reads how often classes were taken for each other; None where nobody was asked."""
    path = artifacts.checked(directory / COUNTS)
    return scipy.sparse.load_npz(path) if path.exists() else None


def _ask_nobody(*_) -> tuple[dict, Answers]:
    return {}, iter(())


def _ask_network(
    config: Config, workdir: Workdir, base: pathlib.Path, made_by: str, space: LabelSpace
) -> tuple[dict, Answers]:
    """Prepares to ask a network about the images that were held out of its training."""
    del workdir
    source = sources.open_source(config.data, VALIDATION)
    inputs = {
        "network": artifacts.fingerprint_of(base, made_by),
        "records": source.fingerprint,
        "views": networks.view_inputs(config, VALIDATION),
    }
    return inputs, _network_answers(config, base, made_by, space, source)


def _network_answers(
    config: Config, base: pathlib.Path, made_by: str, space: LabelSpace, source: Source
) -> Answers:
    batch_size = config.evaluation.batch_size
    ask = networks.load_predictor(config, base, made_by, space, VALIDATION, batch_size)
    for records, _, logits in asking.answers(
        config, ask, source, np.arange(len(source)), title="held-out images",
        batch_size=batch_size,
    ):
        best = best_classes(logits, config.structure.top_k)
        yield best, [source.labels[record] for record in records]


def _read_soft_targets(
    config: Config, workdir: Workdir, base: pathlib.Path, made_by: str, space: LabelSpace
) -> tuple[dict, Answers]:
    """Prepares to read what teachers said of the training images, each of its own vertical."""
    del base, made_by
    source = sources.open_source(config.data, "train")
    inputs = storing.store_inputs(config, workdir, space, source)
    store = SoftTargetStore(workdir.soft_targets, space, inputs)
    asked = {"soft_targets": artifacts.fingerprint(inputs), "records": source.fingerprint}
    return asked, _stored_answers(config, store, source)


def _stored_answers(config: Config, store: SoftTargetStore, source: Source) -> Answers:
    size = config.evaluation.batch_size
    for start in range(0, len(source), size):
        records = np.arange(start, min(start + size, len(source)))
        ids, probs = store(records, np.zeros_like(records))
        order = np.argsort(-probs, axis=-1, kind="stable")[:, : config.structure.top_k]
        kept = zip(ids, probs, order, strict=True)
        best = [row[places[p[places] > LEAST_PROBABILITY]] for row, p, places in kept]
        yield best, [source.labels[record] for record in records]
