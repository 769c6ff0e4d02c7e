"""Reckons what a run takes on machines that nobody needs to have: steps, bytes, hosts and hours.

python -m kc_jax.main --config=configs/eft.py:paper --stages=describe --workdir=runs/paper
python -m launch.cost_sheet --workdir=runs/paper > docs/cost_sheet.md

Counts come from what `describe` has left in the working directory; machines, with what is assumed
of them, from launch/machines.json or another file (--machines). The page is printed.
"""

import argparse
import dataclasses
import json
import pathlib
import sys
from collections.abc import Iterator, Sequence

from launch import costs
from launch.costs import Cost, Line, Machine, Work

MACHINES = pathlib.Path(__file__).with_name("machines.json")
TEMPLATE = pathlib.Path(__file__).with_name("cost_sheet.md.template")
PAPER_BATCH = 64


def page(
    description: dict, config: dict, machines: Sequence[Machine], options: argparse.Namespace
) -> str:
    """Writes the page."""
    stages = costs.works(description, config, options.images)
    found = {m: [costs.cost(work, m, options) for work in stages] for m in machines}
    assumed = {name: f"{n:,}" for name, n in vars(options).items() if isinstance(n, int)}
    return TEMPLATE.read_text(encoding="utf-8").format(
        name=config["name"], classes=f"{description['classes']:,}",
        verticals=description["verticals"], paper_batch=PAPER_BATCH,
        paper_steps=f"{-(-stages[-1].passes // PAPER_BATCH):,}", **assumed,
        summary="\n".join(_summary(stages, found)),
        machines="\n".join(_table_of_machines(machines)),
        bytes="\n".join(_block(costs.bytes_of(description, config, options))),
        arithmetic="\n".join(_arithmetic(stages, found)),
    )


def _summary(stages: Sequence[Work], reckoned: dict[Machine, list[Cost]]) -> Iterator[str]:
    yield "| machine | stage | steps | hours: devices | decoding | reading | top K | the largest |"
    yield "|---|---|---:|---:|---:|---:|---:|---:|"
    for machine, found in reckoned.items():
        for work, each in zip(stages, found, strict=True):
            kinds = [each.hours.get(k) for k in ("devices", "decoding", "reading", "top K")]
            cells = " | ".join("" if hours is None else f"{hours:.1f}" for hours in kinds)
            largest = max(each.hours.values())
            yield f"| {machine.name} | {work.name} | {each.steps:,} | {cells} | {largest:.1f} |"
        total = sum(max(each.hours.values()) for each in found)
        devices = sum(each.hours["devices"] for each in found)
        yield (f"| {machine.name}: {machine.hosts} host{'s' if machine.hosts > 1 else ''} | "
               f"**together** | | {devices:.1f} | | | | **{total:.1f}** |")


def _table_of_machines(machines: Sequence[Machine]) -> Iterator[str]:
    yield f"| | {' | '.join(machine.name for machine in machines)} |"
    yield f"|---|{'---:|' * len(machines)}"
    for field in dataclasses.fields(Machine)[1:]:
        values = (f"{getattr(machine, field.name):g}" for machine in machines)
        yield f"| `{field.name}` | {' | '.join(values)} |"


def _arithmetic(
    stages: Sequence[Work], reckoned: dict[Machine, list[Cost]]
) -> Iterator[str]:
    for machine, found in reckoned.items():
        for work, each in zip(stages, found, strict=True):
            yield f"\n**{work.name}, {machine.name}**\n"
            yield from _block(each.lines)


def _block(lines: Sequence[Line]) -> Iterator[str]:
    first, second, third = (max(len(line[i]) for line in lines) for i in range(3))
    yield "```"
    for what, how, result in lines:
        yield f"{what:{first}}  {how:{second}} = {result:>{third}}"
    yield "```"


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Reads the options; each has what it assumes as its default."""
    parser = argparse.ArgumentParser(
        prog="python -m launch.cost_sheet", description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--workdir", required=True, type=pathlib.Path, help="where describe wrote")
    parser.add_argument("--machines", default=MACHINES, type=pathlib.Path, help="as machines.json")
    for name, default, meaning in (
        ("images", 400_000_000, "training images"),
        ("image_bytes", 20_000, "of one, as it is packed"),
        ("batch_per_device", 64, "images"),
        ("decoded_per_vcpu", 600, "images a second, read, decoded and augmented"),
        ("top_k_per_process", 15_000, "soft targets a second"),
        ("record_memory", 160, "bytes of an image's name and labels in memory"),
    ):
        parser.add_argument(f"--{name}", default=default, type=int, help=meaning)
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> None:
    """Prints the page."""
    options = parse(argv)
    try:
        description, config = (
            json.loads((options.workdir / name).read_text(encoding="utf-8"))
            for name in ("describe.json", "config.json")
        )
    except FileNotFoundError as error:
        sys.exit(f"kc_jax: {error.filename} is missing; run the stage describe with this --workdir")
    except ValueError as error:
        sys.exit(f"kc_jax: {options.workdir} has a damaged describe.json or config.json: {error}")
    missing = {"generalist", "teachers", "student"} - set(description["networks"])
    if missing:
        sys.exit(
            f"kc_jax: describe.json in {options.workdir} has no {', '.join(sorted(missing))}; run "
            "the stage describe with a configuration whose stages train all three"
        )
    try:
        machines = [Machine(**row) for row in json.loads(options.machines.read_text("utf-8"))]
    except (OSError, TypeError, ValueError) as error:
        sys.exit(f"kc_jax: {options.machines} is no list of machines as {MACHINES.name}: {error}")
    print(page(description, config, machines, options), end="")


if __name__ == "__main__":
    main(sys.argv[1:])
