"""Counts parameters, multiply-adds and memory a device; needs no data and no devices."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from kc_jax import artifacts
from kc_jax.config import Config, Training
from kc_jax.core.auxiliary import AuxiliarySpec
from kc_jax.core.label_space import LabelSpace
from kc_jax.data import sources
from kc_jax.stages import counting, learn_structure, memory, networks
from kc_jax.workdir import Workdir

# Each network, in the order of the tables, and the stage that trains it.
TRAINED_BY = {
    "student": "train_student", "generalist": "train_generalist", "teachers": "train_teachers",
    "generations": "run_generations", "structure": "learn_structure",
}
SEVERAL = ("teachers", "structure")  # Made of several parts; the others are one network each.


def run(config: Config, workdir: Workdir) -> bool:
    """Writes describe.json and prints it as tables; tells whether there was anything to do.

    The networks are those that the configuration's stages train, all where these train none. Heads
    that grow on another network than the generalist are described once that is trained.
    """
    space = sources.load_label_space(config.data)
    names, base = [name for name in TRAINED_BY if TRAINED_BY[name] in config.stages], None
    names = names or list(TRAINED_BY)
    if "structure" in names:
        try:
            base = _base(config, workdir, space)
        except (artifacts.MissingArtifactError, artifacts.StaleArtifactError) as error:
            names.remove("structure")
            print(f"structure is left out: {error}")
    inputs = _inputs(config, space, names, base)
    if workdir.describe.exists():
        description = artifacts.read_json(workdir.describe, needs=["inputs"])
        if description["inputs"] == inputs:
            _print(description)
            return False
    singles = {name: getattr(config, name) for name in names if name not in SEVERAL}
    described = {name: describe_network(config, singles[name], space) for name in singles}
    if "teachers" in names:
        described["teachers"] = describe_teachers(config, space)
    if base is not None:
        described["structure"] = _describe_structure(config, space, base)
    description = {
        "inputs": inputs,
        "classes": space.num_classes,
        "verticals": space.num_verticals,
        "memory": {
            "data": max(config.mesh.data, 1),
            "model": config.mesh.model,
            "bytes_per_device": {
                name: memory.bytes_per_device(config, training, space)
                for name, training in singles.items()
            },
        },
        "networks": {name: described[name] for name in names},
    }
    artifacts.write_sealed(workdir.describe, description)
    _print(description)
    return True


class _Base(NamedTuple):
    """Is the network that auxiliary heads grow on, and the heads that it has already."""

    built: networks.Recorded
    auxiliary: tuple[AuxiliarySpec, ...] = ()


def _base(config: Config, workdir: Workdir, space: LabelSpace) -> _Base:
    """Takes the generalist as it is configured, and any other network as it was trained."""
    name = config.structure.base
    if name == learn_structure.GENERALIST:
        return _Base(networks.Recorded(config.model, config.generalist, config.seed))
    directory, made_by = learn_structure.base_of(workdir, config.structure)
    if artifacts.manifest_of(directory, made_by)["inputs"]["label_space"] != space.fingerprint:
        raise artifacts.StaleArtifactError(f"{directory} names other classes or verticals")
    return _Base(
        networks.recorded_options(directory, made_by), networks.recorded_auxiliary(directory)
    )


def _inputs(config: Config, space: LabelSpace, names: Sequence[str], base: _Base | None) -> str:
    return artifacts.fingerprint([
        space.fingerprint, config.data.image_size, config.data.channels,
        dataclasses.asdict(config.model),
        {name: dataclasses.asdict(getattr(config, name)) for name in names},
        dataclasses.asdict(config.mesh), base and repr(base),
    ])


def describe_teachers(config: Config, space: LabelSpace) -> dict:
    """Counts the teachers of all verticals together, and shows the layers of the first."""
    teachers = {
        name: describe_network(config, config.teachers, space.restrict(v))
        for v, name in enumerate(space.verticals)
    }
    sizes = {
        name: {"params": teacher["params"], "multiply_adds": teacher["multiply_adds"]}
        for name, teacher in teachers.items()
    }
    return {
        "head": config.teachers.head,
        "count": len(teachers),
        **_sums(list(sizes.values())),
        "layers": teachers[space.verticals[0]]["layers"],
        "per_vertical": sizes,
    }


def describe_network(config: Config, training: Training, space: LabelSpace) -> dict:
    """Counts one network's parameters and the multiply-adds of one image.

    Args:
      config: of the run.
      training: for the head.
      space: label space of the network.

    Returns:
      ``head``, ``params``, ``multiply_adds`` and ``layers``, rows of `cost.layer_table`.
    """
    model = networks.build_model(config.model, training, space, config.seed)
    return {"head": training.head, **counting.count(config, model)}


def _describe_structure(config: Config, space: LabelSpace, base: _Base) -> dict:
    """Counts a network with auxiliary heads for its verticals, or for even clusters."""
    options, (built, auxiliary) = config.structure, base
    count = functools.partial(_count_structure, config, space, built)
    head = built.training.head
    if options.num_clusters:
        members = space.vertical_of_class if options.answers == "verticals" else (
            np.arange(space.num_classes) % options.num_clusters
        )
        spec = learn_structure.make_spec(options, members.tolist(), head)
        auxiliary = (*auxiliary, spec)
    counted = count(auxiliary)
    stacks = [
        f"{len(s.sizes)} auxiliary heads of {'-'.join(map(str, s.widths))}" for s in auxiliary
    ]
    return {
        "head": " and ".join([head, *stacks]),
        **counted,
        "base": options.base,
        "to_base": counted["multiply_adds"] / count(base.auxiliary)["multiply_adds"],
    }


def _count_structure(
    config: Config, space: LabelSpace, built: networks.Recorded,
    auxiliary: tuple[AuxiliarySpec, ...],
) -> dict:
    return counting.count(config, networks.build_model(
        built.model, built.training, space, built.seed, auxiliary
    ))


def _print(description: dict) -> None:
    console = Console()
    for name, network in description["networks"].items():
        more = f", {network['count']} networks" if "count" in network else ""
        table = Table(title=f"{name} {network['head']}{more}", title_justify="left")
        table.add_column("layer")
        for heading in ("parameters", "2^20", "multiply-adds"):
            table.add_column(heading, justify="right")
        if "count" in network:
            rows = [{"layer": f"first of {network['count']}", **_sums(network["layers"])}]
        else:
            rows = network["layers"]
        for row in [*rows, {"layer": "total", **network}]:
            table.add_row(
                row["layer"], f"{row['params']:,}", f"{row['params'] / 2**20:.1f}",
                f"{row['multiply_adds']:,}",
            )
        console.print(table)
        if "to_base" in network:
            print(f"{network['to_base']:.3f} times the multiply-adds of {network['base']}")
    if description["memory"]["bytes_per_device"]:  # None of teachers alone.
        console.print(_memory_table(description["memory"]))


def _memory_table(described: dict) -> Table:
    title = f"memory a device, mesh {described['data']} data × {described['model']} model, MiB"
    table = Table(title=title, title_justify="left")
    table.add_column("network")
    networks_bytes = described["bytes_per_device"]
    for heading in (*next(iter(networks_bytes.values())), "together"):
        table.add_column(heading.replace("_", " "), justify="right")
    for name, held in networks_bytes.items():
        values = (*held.values(), sum(held.values()))
        table.add_row(name, *(f"{value / 2**20:,.1f}" for value in values))
    return table


def _sums(layers: list[dict]) -> dict[str, int]:
    return {key: sum(row[key] for row in layers) for key in ("params", "multiply_adds")}
