"""The figures about generations: functions from results to matplotlib figures."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from kc_jax.stages.report_figures import INK, OTHERS, make_panels

COLOURS = ("#0072B2", *OTHERS)

# Process → its results.json.
Processes = Mapping[str, Mapping[str, Any]]


def accuracy(processes: Processes, baseline: Mapping[str, Any] | None) -> Figure:
    """Draws accuracy by generation, alone and together, as Yang et al. (2018), Figure 2.

    Args:
      processes: their results.
      baseline: results of the network that learned from labels alone, or None.
    """
    figure, (axes,) = make_panels(1, 4.2)
    for colour, (name, process) in zip(_colours(processes), processes.items(), strict=True):
        generations = process["generations"]
        places = range(len(generations))
        axes.plot(places, _percent(g["top1"] for g in generations), color=colour, marker="o",
                  markersize=4, linewidth=1.6, label=name)
        axes.plot(places, _percent(g["ensemble"]["top1"] for g in generations), color=colour,
                  linewidth=1.2, linestyle=":", label=f"{name}, ensemble")
    if baseline:
        axes.axhline(100 * baseline["top1"], color=INK, linewidth=1.0, linestyle="--",
                     label="baseline")
    axes.set_xlabel("generation")
    axes.set_ylabel("top-1 (%)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1.01, 1.0))
    return figure


def sorted_scores(processes: Processes) -> Figure:
    """Draws the mean score by rank on training images, as Yang et al. (2018), Figure 1, left.

    The score of the first class is near 1 and the others' near 0, so their axis is logarithmic.
    """
    figure, panels = make_panels(len(processes), 3.2 * len(processes))
    for axes, (name, process) in zip(panels, processes.items(), strict=True):
        generations = process["generations"]
        for number, generation in enumerate(generations):
            scores = generation["training"]["sorted_scores"]
            axes.plot(
                range(1, len(scores) + 1), scores, marker="o", markersize=3, linewidth=1.3,
                color=COLOURS[number % len(COLOURS)], label=f"generation {number}",
            )
        axes.set_yscale("log")
        axes.set_title(name, loc="left", fontsize=10, color=INK)
        axes.set_xlabel("rank of the class in its image")
        axes.set_ylabel("mean score")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(frameon=False, fontsize=9, loc="upper right")
    return figure


def _colours(processes: Sequence) -> list[str]:
    return [COLOURS[i % len(COLOURS)] for i in range(len(processes))]


def _percent(values) -> list[float]:
    return [100 * value for value in values]
