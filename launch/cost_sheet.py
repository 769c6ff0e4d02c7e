"""Reckons what a run takes on machines that nobody needs to have: steps, bytes, hosts and hours.

python -m kc_jax.main --config=… --stages=describe --workdir=runs/mine
python -m launch.cost_sheet --workdir=runs/mine --images=1_000_000 > cost_sheet.md

Networks, stages and their options come from what `describe` has left in the working directory;
machines, with what is assumed of them, from launch/machines.json or another file (--machines).
The page is printed.
"""

import argparse
import dataclasses
import json
import pathlib
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from kc_jax.command import positive_number
from launch import costs
from launch.costs import Cost, Line, Machine, Work

MACHINES = pathlib.Path(__file__).with_name("machines.json")
TEMPLATE = pathlib.Path(__file__).with_name("cost_sheet.md.template")
KINDS = ("devices", "decoding", "reading", "top K")
# What the page says of a stage, where it is reckoned.
NOTES = {
    "train_teachers": "Teachers are reckoned one after the other on all devices; side by side, on "
    "a share each and with as many images a device, they take as long.",
    costs.SOFT_TARGETS: "Soft targets are written by processes that take whole verticals, and all "
    "wait for the one with most; *top K* begins when the devices have answered, so their hours add "
    "up.",
}


class Number(NamedTuple):
    """Is a number that the page assumes unless it is given.

    Attributes:
      name: of the option.
      default: its value where it is not given; None has to be, or does without.
      meaning: for --help and the page.
      origin: of the default, for the page.
    """

    name: str
    default: int | None
    meaning: str
    origin: str = ""


NUMBERS = (
    Number("images", None, "training images"),
    Number("image_bytes", 20_000, "bytes an image, as it is packed",
           "**assumed**: a JPEG of 224 to 256 pixels"),
    Number("batch_per_device", None, "images a device and step, instead of the configured batches"),
    Number("decoded_per_thread", 600, "images that a thread reads, decodes and augments a second",
           "**measured** on 2 cores, 1,237 images/s with 4 threads (`python -m benchmarks.input`); "
           "that they are as many with a core for each thread is **assumed**, and more threads in "
           "one process, of which Python runs one at a time between decodings, were not tried"),
    Number("top_k_per_process", 15_000, "image-views whose top K a process takes a second",
           "**measured** on one core, 15,216 for 5,000 classes "
           "(`python -m benchmarks.soft_targets`)"),
    Number("record_memory", 160, "bytes of memory an image's name and labels take",
           "**reckoned**: a name of 24 letters, a tuple, a number and two references, in Python"),
)


def page(
    description: dict, config: dict, machines: Sequence[Machine], options: argparse.Namespace
) -> str:
    """Writes the page.

    Args:
      description: what `describe` counted.
      config: of the run.
      machines: to reckon for.
      options: of `parse`.
    """
    stages = costs.works(description, config, options.images)
    found = {m: [costs.cost(work, m, options) for work in stages] for m in machines}
    return TEMPLATE.read_text(encoding="utf-8").format(
        name=config["name"], classes=f"{description['classes']:,}",
        verticals=description["verticals"], images=f"{options.images:,}",
        read_threads=config["data"]["read_threads"],
        compute_dtype=config["model"]["compute_dtype"],
        summary="\n".join(_summary(stages, found)),
        notes="\n".join(_notes(description, config, stages, options)),
        numbers="\n".join(_table_of_numbers(options)),
        machines="\n".join(_table_of_machines(machines)),
        bytes="\n".join(_block(costs.bytes_of(description, config, options))),
        arithmetic="\n".join(_arithmetic(stages, found)),
    )


def _summary(stages: Sequence[Work], found: dict[Machine, list[Cost]]) -> Iterator[str]:
    titles = ("machine", "stage", "steps", f"hours: {' | '.join(KINDS)}", "the largest")
    yield f"| {' | '.join(titles)} | threads to keep up |"
    yield f"|---|---|{'---:|' * (len(KINDS) + 3)}"
    for machine, of_stages in found.items():
        for work, each in zip(stages, of_stages, strict=True):
            kinds = [each.hours.get(kind) for kind in KINDS]
            cells = " | ".join("" if hours is None else f"{hours:.1f}" for hours in kinds)
            yield (f"| {machine.name} | {work.name} | {each.steps:,} | {cells} | "
                   f"{each.longest:.1f} | {each.threads} |")
        total = sum(each.longest for each in of_stages)
        devices = sum(each.hours["devices"] for each in of_stages)
        hosts = f"{machine.hosts} host{'s' if machine.hosts > 1 else ''}"
        hosts += f", {machine.processes} process{'es' if machine.processes > 1 else ''}"
        yield (f"| {machine.name}: {hosts} | **all stages** | | {devices:.1f} | | | | "
               f"**{total:.1f}** | |")


def _notes(
    description: dict, config: dict, stages: Sequence[Work], options: argparse.Namespace
) -> Iterator[str]:
    """Says what the steps are of, and what is left out."""
    last = stages[-1]
    if options.batch_per_device:
        yield (
            f"Steps are those of {options.batch_per_device} images a device; in the configured "
            f"batch of {last.batch_size} the last stage, {last.name}, would take "
            f"{-(-last.passes // last.batch_size):,}. No learning rate was tried for such batches."
        )
    else:
        yield ("Steps are those of the configured batches (`batch_size`), which all devices share "
               "and so must be a multiple of them; `--batch_per_device` takes others.")
    reckoned = costs.reckoned(description, config)
    yield from (NOTES[stage] for stage in reckoned if stage in NOTES)
    left = [f"`{name}`" for name in config["stages"] if name not in (*reckoned, "describe")]
    stages_left = f"the stages {', '.join(left)}; " if left else ""
    yield (f"Left out: {stages_left}checkpoints, compiling and what preemption costs; prices, for "
           "which multiply the hours by the devices.")


def _table_of_numbers(options: argparse.Namespace) -> Iterator[str]:
    for number in NUMBERS:
        value = getattr(options, number.name)
        if value is not None:
            origin = number.origin if value == number.default else "**given**"
            yield f"| {number.meaning}, `--{number.name}` | {value:,} | {origin} |"


def _table_of_machines(machines: Sequence[Machine]) -> Iterator[str]:
    yield f"| | {' | '.join(machine.name for machine in machines)} |"
    yield f"|---|{'---:|' * len(machines)}"
    for field in dataclasses.fields(Machine)[1:-1]:
        values = (f"{getattr(machine, field.name):g}" for machine in machines)
        yield f"| `{field.name}` | {' | '.join(values)} |"
    yield ""
    for machine in machines:
        yield f"- {machine.name}: {machine.origin or 'its file does not say where this is from'}"


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
    """Reads the options; a number that is not given is what `NUMBERS` assumes."""
    parser = argparse.ArgumentParser(
        prog="python -m launch.cost_sheet", description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--workdir", required=True, type=pathlib.Path, help="where describe wrote")
    parser.add_argument("--machines", default=MACHINES, type=pathlib.Path, help="as machines.json")
    for number in NUMBERS:
        parser.add_argument(
            f"--{number.name}", default=number.default, type=positive_number,
            required=number.name == "images", help=number.meaning,
        )
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> None:
    """Prints the page."""
    options = parse(argv)
    description, config = (
        _read(options.workdir / name) for name in ("describe.json", "config.json")
    )
    machines = read_machines(options.machines)
    try:
        if not costs.reckoned(description, config):
            sys.exit(
                f"kc_jax: describe.json in {options.workdir} counts no network of the configured "
                f"stages ({', '.join(config['stages'])}); expected some of "
                f"{', '.join(costs.NETWORK_OF)}; run the stage describe with a configuration that "
                "has them"
            )
        print(page(description, config, machines, options), end="")
    except KeyError as error:
        sys.exit(
            f"kc_jax: describe.json or config.json in {options.workdir} has no {error}, which this "
            "version writes; count anew with --stages=describe --redo=describe"
        )


def _read(path: pathlib.Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        sys.exit(f"kc_jax: {path} is missing; run the stage describe with this --workdir")
    except ValueError as error:
        sys.exit(
            f"kc_jax: {path} is damaged: {error}; count anew with --stages=describe "
            "--redo=describe"
        )


def read_machines(path: pathlib.Path) -> list[Machine]:
    """Reads the machines; what is no list of them ends the command.

    Args:
      path: of a file as machines.json.
    """
    try:
        machines = [Machine(**row) for row in json.loads(path.read_text("utf-8"))]
        for machine in machines:
            _check(machine)
    except (OSError, TypeError, ValueError) as error:
        sys.exit(f"kc_jax: {path} is no list of machines as {MACHINES.name}: {error}")
    return machines


def _check(machine: Machine) -> None:
    for field in dataclasses.fields(Machine)[1:-1]:
        value = getattr(machine, field.name)
        if not isinstance(value, int | float) or value <= 0:
            raise ValueError(f"{field.name} is {value!r}; expected a number above 0")


if __name__ == "__main__":
    main(sys.argv[1:])
