"""What the benchmarks share: interleaved medians, the machine, a table, a CSV, a line of JSON.

Nothing here imports JAX before it is needed, so that a benchmark can measure memory without it.
"""

import contextlib
import csv
import ctypes
import datetime
import json
import os
import pathlib
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from absl import flags

from kc_jax import environment

JSON = flags.DEFINE_bool("json", False, "Print one line of JSON alone, and write no CSV.")
ROUNDS = flags.DEFINE_integer("rounds", 7, "Interleaved; medians are reported.", lower_bound=1)

PACKAGES = ("jax", "flax", "optax", "grain", "numpy", "pillow", "scikit-learn", "torch")


def timed(call: Callable) -> tuple[float, object]:
    """Gives the seconds that a call took, and its result."""
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def interleaved_medians(
    measures: Mapping[str, Callable[[], float]], rounds: int
) -> dict[str, float]:
    """Takes measures in turn, so that a noisy machine is noisy to all of them.

    Args:
      measures: by name; each does its work once, waits for the end and gives its figure.
      rounds: of all of them, after one that is not counted.

    Returns:
      The median of each.
    """
    values = {name: [] for name in measures}
    for turn in range(rounds + 1):
        for name, measure in measures.items():
            value = measure()
            if turn:
                values[name].append(value)
    return {name: statistics.median(taken) for name, taken in values.items()}


def median_seconds(runs: Mapping[str, Callable], rounds: int) -> dict[str, float]:
    """Times functions in turn; gives the median of each, as `interleaved_medians`.

    Each runs twice in its turn and the second is timed, as in a loop of its own: caches, pages and
    threads that the one before left behind are not counted.
    """
    def second(run: Callable) -> float:
        run()
        return timed(run)[0]

    return interleaved_medians({name: lambda run=run: second(run) for name, run in runs.items()},
                               rounds)


def peak_resident_bytes() -> int:
    """Gives the peak of this process's own memory; `getrusage` counts its parent's too."""
    status = pathlib.Path("/proc/self/status").read_text(encoding="utf-8")
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def forget_peak() -> None:
    """Counts `peak_resident_bytes` anew from what is in use now; freed memory is given back."""
    ctypes.CDLL(None).malloc_trim(0)
    pathlib.Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")


def optional_torch():
    """Imports PyTorch where it is installed, with a thread a core, else gives None."""
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    return torch


def machine() -> dict[str, str]:
    """Describes when, where and with what a benchmark ran."""
    import jax

    kind = _processor() if jax.default_backend() == "cpu" else jax.devices()[0].device_kind
    versions = environment.versions(PACKAGES)
    return {
        "date": datetime.date.today().isoformat(),
        "device": f"{jax.device_count()} × {kind}",
        "cores": str(len(os.sched_getaffinity(0))),
        "load": f"{os.getloadavg()[0]:.1f}",
        "versions": " ".join(f"{name} {version}" for name, version in versions.items()),
    }


def _processor() -> str:
    for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def report(script: str, rows: Iterable[Mapping], show: Callable | None = None) -> None:
    """Appends rows to the CSV beside a script and prints them, or prints one line of JSON.

    Args:
      script: the benchmark's ``__file__``.
      rows: of the same keys. Each is written as soon as it is there; whatever is printed while
        it is made goes to stderr.
      show: makes the text to print of all rows; `table` where None.
    """
    path, taken = pathlib.Path(script), []
    with contextlib.redirect_stdout(sys.stderr):
        for row in rows:
            taken.append(row)
            if not JSON.value:
                append_csv(path.with_suffix(".csv"), {**row, **machine()})
    if JSON.value:
        figures = taken[0] if len(taken) == 1 else {"rows": taken}
        print(json.dumps({"benchmark": path.stem, **figures, **machine()}))
    else:
        print((show or table)(taken))


def append_csv(path: pathlib.Path, row: Mapping) -> None:
    """Adds a row to a CSV, which is made where there is none.

    Args:
      path: of the file.
      row: by column; a file with other columns is refused.
    """
    is_new = not path.exists()
    if not is_new:
        with path.open(encoding="utf-8", newline="") as file:
            columns = next(csv.reader(file))
        if columns != list(row):
            raise SystemExit(f"{path} has other columns ({', '.join(columns)}); move it away")
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(row), lineterminator="\n")
        if is_new:
            writer.writeheader()
        writer.writerow(row)


def table(rows: Sequence[Mapping]) -> str:
    """Writes one line a key, and one column a row."""
    columns = [list(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in columns]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in zip(*columns, strict=True)
    )
