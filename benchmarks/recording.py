"""What the benchmarks share: medians, a table, a CSV beside the script, a line of JSON."""

import argparse
import csv
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence

import jax

PACKAGES = ("jax", "flax", "optax", "grain", "numpy", "pillow")


def parser(description: str) -> argparse.ArgumentParser:
    """Makes a parser of what every benchmark takes."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--json", action="store_true", help="print one line of JSON, write no CSV")
    made.add_argument("--rounds", type=int, default=5, help="interleaved; medians are reported")
    return made


def interleaved_medians(measures: Mapping[str, Callable[[], float]], rounds: int) -> dict:
    """Takes every measure once a round, and gives the median of each.

    Args:
      measures: functions by name.
      rounds: how often.
    """
    values = {name: [] for name in measures}
    for _ in range(rounds):
        for name, measure in measures.items():
            values[name].append(measure())
    return {name: statistics.median(taken) for name, taken in values.items()}


def machine() -> dict[str, str]:
    """Names date, machine and versions."""
    device = jax.devices()[0]
    return {
        "date": datetime.date.today().isoformat(),
        "device": f"{jax.device_count()} × {device.device_kind}",
        "cores": str(len(os.sched_getaffinity(0))),
        "load": f"{os.getloadavg()[0]:.1f}",
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in PACKAGES},
    }


def report(script: str, rows: Sequence[Mapping], as_json: bool) -> None:
    """Prints rows as a table and writes them beside the script, or prints them as JSON.

    Args:
      script: the benchmark's ``__file__``.
      rows: of the same keys.
      as_json: prints one line of JSON and writes nothing.
    """
    path = pathlib.Path(script)
    if as_json:
        print(json.dumps({"benchmark": path.stem, **machine(), "rows": rows}))
        return
    cells = [list(rows[0]), *([_text(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)))
    with path.with_suffix(".csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*rows[0], *machine()])
        writer.writeheader()
        writer.writerows({**row, **machine()} for row in rows)


def _text(value) -> str:
    return f"{value:,.2f}" if isinstance(value, float) else str(value)
