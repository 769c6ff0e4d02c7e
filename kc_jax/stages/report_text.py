"""The report's numbers in words and as a table on a terminal."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from kc_jax.stages.report_figures import plain
from kc_jax.stages.terminal import plain_table
from kc_jax.workdir import Workdir

GENERALIST, SPECIALISTS = "generalist", "specialists"
LEAST_GAP = 0.01  # A share of less than a point says nothing.
NO_GAP = "no gap worth speaking of"


@dataclasses.dataclass(frozen=True)
class Results:
    """Holds what results.json says.

    Attributes:
      values: the content of results.json.
      student: name of the student that the report is about.
    """

    values: Mapping[str, Any]
    student: str

    @property
    def methods(self) -> list[str]:
        """Lists generalist, other students, the student and specialists, those that there are."""
        judged = self.values["methods"]
        others = [m for m in judged if m not in (GENERALIST, self.student, SPECIALISTS)]
        return [m for m in (GENERALIST, *others, self.student, SPECIALISTS) if m in judged]

    @property
    def verticals(self) -> list[str]:
        return list(self[self.student]["vertical_ap"])

    def __getitem__(self, method: str) -> Mapping[str, Any]:
        return self.values["methods"][method]

    def best(self, values: Mapping[str, float | None]) -> set[str]:
        """Names the single networks that are best at their printed precision."""
        shown = {m: percent(v) for m, v in values.items() if m != SPECIALISTS and v is not None}
        top = max((values[m] for m in shown), default=None)
        return {m for m, text in shown.items() if text == percent(top)}

    def of_vertical(self, vertical: str) -> dict[str, float | None]:
        return {m: self[m]["vertical_ap"].get(vertical) for m in self.methods}

    @property
    def means(self) -> dict[str, float]:
        return {m: self.mean_ap(m) for m in self.methods}

    def mean_ap(self, method: str) -> float:
        return self[method]["mean_vertical_ap"]

    @property
    def has_gap(self) -> bool:
        """Tells whether there are both a generalist and specialists, which make a gap."""
        return {GENERALIST, SPECIALISTS} <= set(self.methods)

    @property
    def gap_closed(self) -> float | None:
        if not self.has_gap:
            return None
        return gap_closed(*map(self.mean_ap, (GENERALIST, self.student, SPECIALISTS)))


def gap_closed(generalist: float, student: float, specialists: float) -> float | None:
    """Computes the share of the gap from generalist to specialists that the student closes.

    Args:
      generalist: mean per-vertical average precision.
      student: the same of the student.
      specialists: the same of the specialists.

    Returns:
      1 where the student is as good as the specialists, less than 0 where it is worse than the
      generalist, None where the specialists are less than `LEAST_GAP` above the generalist.
    """
    if specialists - generalist < LEAST_GAP:
        return None
    return (student - generalist) / (specialists - generalist)


def percent(value: float | None) -> str:
    """Writes a share in % with one decimal, and what there is not, or is NaN, as a dash."""
    return "–" if value is None or math.isnan(value) else f"{100 * value:.1f}"


def images_seen(metrics: Mapping) -> str:
    """Writes how many images a network has learnt from, and whose else are behind it.

    Args:
      metrics: what evaluate found of a network.
    """
    start = metrics.get("starts_from", "scratch")
    after = "" if start == "scratch" else f" after {start}’s"
    return f"{metrics['images_seen']:,}{after}"


def gap_line(results: Results) -> str:
    """Says in a line which share of the gap is closed."""
    if not results.has_gap:
        absent = [m for m in (GENERALIST, SPECIALISTS) if m not in results.methods]
        return f"Gap closed: unknown without {' and '.join(absent)}"
    share = results.gap_closed
    closed = NO_GAP if share is None else f"{round(100 * share)} %"
    means = [f"{plain(m)} {percent(results.mean_ap(m))}"
             for m in (GENERALIST, results.student, SPECIALISTS)]
    return f"Gap closed: {closed} ({', '.join(means)})"


def headline(results: Results) -> str:
    """Says in words how the student compares with generalist and specialists, if there are any."""
    own = results.mean_ap(results.student)
    name = plain(results.student)
    student = "The student" if name == "student" else f"The student “{name}”"
    text = f"{student} reaches a mean average precision of {percent(own)} %"
    if GENERALIST in results.methods:
        base = results.mean_ap(GENERALIST)
        points = 100 * (own - base)
        side = "above" if points > 0 else "below"
        against = f"{abs(points):.1f} points {side}" if abs(points) >= 0.05 else "level with"
        text += f", {against} the generalist ({percent(base)} %)"
    if SPECIALISTS in results.methods:
        top = percent(results.mean_ap(SPECIALISTS))
        text += f". The specialists together reach {top} %"
    verdict = f" {_verdict(results)}" if results.has_gap else ""
    return f"{synthetic_note(results)}{text}.{verdict}"


def _verdict(results: Results) -> str:
    params = {m: results[m]["params"] / results[GENERALIST]["params"] for m in results.methods}
    share = results.gap_closed
    if share is None:
        verdict = f"From generalist to specialists there is {NO_GAP}"
    else:
        shown = f"{round(100 * share)} %"
        closed, note = (shown, "") if share >= 0 else ("none", f" ({shown})")
        verdict = f"The student closes {closed} of the gap from generalist to specialists{note}"
    return (
        f"{verdict}. The student has {params[results.student]:.2f} times the generalist's "
        f"parameters, the specialists together {params[SPECIALISTS]:.2f} times as many."
    )


def synthetic_note(results: Results) -> str:
    """Warns where the networks learned from noise; empty where they did not."""
    if not results.values.get("synthetic"):
        return ""
    return "SYNTHETIC INPUT: all networks learned from noise; no figure but speed means anything. "


def print_summary(results: Results, workdir: Workdir) -> None:
    """Prints verticals by methods, the share of the gap closed, and where the report is.

    Args:
      results: of evaluate.
      workdir: of the run.
    """
    console = Console(highlight=False)
    print("Average precision inside each vertical, %. Best single network:",
          "bold." if console.is_terminal else "*.")
    for table in _tables(console, results, results.methods):
        console.print(table)
    print(synthetic_note(results) + gap_line(results))
    print(f"Report: {workdir.report}")


def _tables(console: Console, results: Results, methods: Sequence[str]) -> list[Table]:
    """Makes one table, or several of fewer methods where one is wider than the console."""
    wide = console.options.update(max_width=10_000)
    for name_width in (None, 18):
        table = _table(console, results, methods, name_width)
        if console.measure(table, options=wide).maximum <= console.width or len(methods) == 1:
            return [table]
    half = (len(methods) + 1) // 2
    return [*_tables(console, results, methods[:half]), *_tables(console, results, methods[half:])]


def _table(
    console: Console, results: Results, methods: Sequence[str], name_width: int | None
) -> Table:
    table = plain_table()
    table.add_column("vertical", overflow="fold", max_width=name_width)
    for method in methods:
        table.add_column(Text(plain(method)), justify="right", no_wrap=True)

    def add(name: str, values: Mapping[str, float | None]) -> None:
        best = results.best(values)
        table.add_row(
            Text(name), *(_cell(console, percent(values[m]), m in best) for m in methods)
        )

    for vertical in results.verticals:
        add(plain(vertical), results.of_vertical(vertical))
    table.add_section()
    add("mean", results.means)
    add("top-1, all classes", {m: results[m]["top1"] for m in results.methods})
    table.add_row("parameters", *(f"{results[m]['params']:,}" for m in methods))
    return table


def _cell(console: Console, text: str, is_best: bool) -> Text:
    if console.is_terminal:
        return Text(text, style="bold" if is_best else "")
    return Text(text + ("*" if is_best else " "))
