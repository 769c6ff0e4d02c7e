"""The figures of studies: functions from results, or logs, to matplotlib figures."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kc_jax import artifacts
from kc_jax.stages import report_figures, study_tables
from kc_jax.train import hooks
from kc_jax.workdir import Workdir

AXIS_LABELS = {
    "mean_vertical_ap": "mean AP inside verticals (%)",
    "top1": "top-1 of all classes (%)",
}


def methods_figure(students: Sequence[str], results: Sequence[Mapping]) -> Figure:
    """Draws a row for each method: a dot for each seed, and a line at their mean.

    Args:
      students: their names.
      results: for each seed what evaluate wrote.
    """
    methods = study_tables.methods_of(results, ("generalist", *students, "specialists"))
    figure = Figure(figsize=(report_figures.WIDTH, 1.1 + 0.3 * len(methods)), layout="constrained")
    panels = figure.subplots(1, len(AXIS_LABELS), sharey=True)
    colour_of = report_figures.colours([_name(method) for method in methods], students[0])
    for axes, (metric, words) in zip(panels, AXIS_LABELS.items(), strict=True):
        report_figures.style(axes)
        for row, method in enumerate(methods):
            found = [result["methods"][method][metric] for result in results]
            if None not in found:  # Specialists name the classes of their own verticals alone.
                _dots(axes, row, 100 * np.asarray(found), colour_of[_name(method)])
        axes.set_xlabel(words)
    names = [report_figures.plain(method) for method in methods]
    panels[0].set_yticks(range(len(methods)), names, parse_math=False, color=report_figures.INK)
    panels[0].set_ylim(len(methods) - 0.5, -0.5)
    return figure


def losses(names: Sequence[str], workdir: Workdir) -> Figure:
    """Draws the training loss of networks by epoch, as far as their logs are whole.

    Args:
      names: of the networks, which lie among the students.
      workdir: of one setting and seed.
    """
    logs = {
        name: hooks.shown_metrics(workdir.student(name) / artifacts.TRAINING_LOG) for name in names
    }
    return report_figures.loss_curves(logs, {}, report_figures.colours(names, ""))


def _name(method: str) -> str:
    return method.rpartition("/")[2]  # Without its setting.


def _dots(axes: Axes, row: int, values: np.ndarray, colour: str) -> None:
    axes.plot(values, np.full(len(values), row), "o", color=colour, alpha=0.55, markersize=5)
    axes.plot(np.full(2, values.mean()), (row - 0.3, row + 0.3), color=colour, linewidth=2.4)
