"""Counts parameters, multiply-adds and memory a device; needs no data and no devices."""

import dataclasses

from rich.console import Console
from rich.table import Table

from kc_jax import artifacts
from kc_jax.config import Config, Training
from kc_jax.core.label_space import LabelSpace
from kc_jax.data import sources
from kc_jax.stages import counting, learn_structure, memory, networks
from kc_jax.workdir import Workdir

# Each network, in the order of the tables, and the stage that trains it.
TRAINED_BY = {
    "student": "train_student", "generalist": "train_generalist", "teachers": "train_teachers",
    "generations": "run_generations", "structure": "learn_structure",
}


def run(config: Config, workdir: Workdir) -> bool:
    """Writes describe.json and prints it as tables; tells whether there was anything to do.

    The networks are those that the configuration's stages train, all where these train none.
    """
    space = sources.load_label_space(config.data)
    inputs = _inputs(config, space)
    if workdir.describe.exists():
        description = artifacts.read_json(workdir.describe, needs=["inputs"])
        if description["inputs"] == inputs:
            _print(description)
            return False
    singles = {
        name: getattr(config, name) for name in _names(config) if name not in SEVERAL
    }
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
        "networks": {
            name: describe_network(config, singles[name], space) if name in singles
            else SEVERAL[name](config, space)
            for name in _names(config)
        },
    }
    artifacts.write_sealed(workdir.describe, description)
    _print(description)
    return True


def _names(config: Config) -> list[str]:
    trained = [name for name, stage in TRAINED_BY.items() if stage in config.stages]
    structure = config.structure
    if structure.base == "generalist" and structure.num_clusters:
        return trained or list(TRAINED_BY)
    return [name for name in trained or TRAINED_BY if name != "structure"]


def _inputs(config: Config, space: LabelSpace) -> str:
    return artifacts.fingerprint([
        space.fingerprint, config.data.image_size, config.data.channels,
        dataclasses.asdict(config.model),
        {name: dataclasses.asdict(getattr(config, name)) for name in _names(config)},
        dataclasses.asdict(config.mesh),
    ])


def _describe_teachers(config: Config, space: LabelSpace) -> dict:
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


def _describe_structure(config: Config, space: LabelSpace) -> dict:
    """Counts the generalist with auxiliary heads for even clusters."""
    options, base = config.structure, config.generalist
    members = [c % options.num_clusters for c in range(space.num_classes)]
    spec = learn_structure.make_spec(options, members, base.head)
    model = networks.build_model(config.model, base, space, config.seed, (spec,))
    widths = "-".join(map(str, options.widths))
    head = f"{base.head} and {options.num_clusters} auxiliary heads of {widths}"
    return {"head": head, **counting.count(config, model)}


SEVERAL = {"teachers": _describe_teachers, "structure": _describe_structure}


def _print(description: dict) -> None:
    console = Console()
    for name, network in description["networks"].items():
        count = f", {network['count']} networks" if "count" in network else ""
        table = Table(title=f"{name} {network['head']}{count}", title_justify="left")
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
