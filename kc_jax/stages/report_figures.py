"""The report's figures: functions from numbers to matplotlib figures, without global state."""

import io
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart by colour-blind readers; the specialists are grey.
ORANGE, BLUE, GREY = "#E69F00", "#0072B2", "#7A7A7A"
OTHERS = ("#CC79A7", "#009E73", "#D55E00", "#56B4E9", "#882255", "#332288")
INK, GRID = "#222222", "#DDDDDD"
WIDTH, SMALL = 9.0, (5.5, 3.2)  # Inches.
DPI = 150
WIDE = 20  # Times the least loss, from which on a figure of losses is logarithmic.
SMOOTH_FROM = 80  # Points from which a loss curve also shows its running mean.
MOST_LABELS = 24  # Curves that get a name at their end.

Log = Sequence[Mapping[str, object]]


def plain(name: str) -> str:
    """Writes a vertical's or method's name with spaces."""
    return name.replace("_", " ").strip()


def colours(methods: Sequence[str], student: str) -> dict[str, str]:
    """Gives each method its colour, the same in all figures.

    Args:
      methods: their names.
      student: name of the student that the report is about.
    """
    fixed = {"generalist": ORANGE, student: BLUE, "specialists": GREY}
    others = [name for name in methods if name not in fixed]
    return {**fixed, **{name: OTHERS[i % len(OTHERS)] for i, name in enumerate(others)}}


def vertical_bars(
    vertical_ap: Mapping[str, Mapping[str, float]], colour_of: Mapping[str, str]
) -> Figure:
    """Draws the average precision of each method in each vertical as grouped bars.

    Args:
      vertical_ap: method → vertical → average precision, 0–1.
      colour_of: method → colour.
    """
    verticals = list(next(iter(vertical_ap.values())))
    count = len(vertical_ap)
    height = 1.1 + len(verticals) * (0.1 + 0.095 * count)
    figure, (axes,) = make_panels(1, height)
    thickness = 0.84 / count
    for i, (method, values) in enumerate(vertical_ap.items()):
        places = np.arange(len(verticals)) + (i - (count - 1) / 2) * thickness
        axes.barh(
            places, [100 * values.get(v, np.nan) for v in verticals], thickness * 0.92,
            color=colour_of[method], label=plain(method),
        )
    axes.set_yticks(
        range(len(verticals)), [plain(v) for v in verticals], parse_math=False, color=INK
    )
    axes.set_ylim(len(verticals) - 0.4, -0.6)
    axes.set_xlim(0, 100)
    axes.set_xlabel("average precision inside the vertical (%)")
    axes.grid(axis="y", visible=False)
    _legend_above(axes, count)
    return figure


def loss_curves(
    logs: Mapping[str, Log], teachers: Mapping[str, Log], colour_of: Mapping[str, str]
) -> Figure:
    """Draws the training loss: networks of all classes, and below them the teachers.

    Args:
      logs: method → lines of metrics.jsonl.
      teachers: vertical → lines of metrics.jsonl.
      colour_of: method → colour.
    """
    figure, panels = make_panels(2 if teachers else 1, 6.4 if teachers else 3.6)
    axes = panels[0]
    for method, log in logs.items():
        _curve(axes, log, "loss", color=colour_of[method], label=plain(method))
    axes.set_title("networks that name all classes", loc="left", fontsize=10, color=INK)
    axes.legend(frameon=False, fontsize=9)
    for log in teachers.values():
        _curve(panels[-1], log, "loss", color=GREY, linewidth=0.9, alpha=0.7)
    if teachers:
        title = f"specialists, a line each ({len(teachers)})"
        panels[1].set_title(title, loc="left", fontsize=10, color=INK)
    for axes in panels:
        drawn = [value for line in axes.lines for value in line.get_ydata()]
        if drawn and 0 < WIDE * min(drawn) < max(drawn):
            axes.set_yscale("log")
        axes.set_ylabel("loss (nats per image)")
        axes.set_xlabel("epochs")
        axes.set_xlim(left=0)
    return figure


def class_histogram(
    class_ap: Mapping[str, np.ndarray], colour_of: Mapping[str, str]
) -> Figure:
    """Draws how many classes have which average precision, a line for each method.

    Args:
      class_ap: method → f64[n], 0–1, NaN for classes that were not judged.
      colour_of: method → colour.
    """
    figure, axes = _small_panel()
    edges = np.linspace(0, 100, 21)
    for method, values in class_ap.items():
        counts, _ = np.histogram(100 * values[~np.isnan(values)], edges)
        axes.stairs(counts, edges, color=colour_of[method], linewidth=1.6, label=plain(method))
    axes.set_xlim(0, 100)
    axes.set_xlabel("average precision of a class (%)")
    axes.set_ylabel("classes")
    axes.yaxis.get_major_locator().set_params(integer=True)
    _legend_above(axes, 3)
    return figure


def teacher_loss(log: Log) -> Figure:
    """Draws a specialist's training loss from the lines of its metrics.jsonl."""
    figure, axes = _small_panel()
    _curve(axes, log, "loss", color=INK)
    axes.set_ylabel("loss (nats per image)")
    axes.set_xlabel("epochs")
    axes.set_xlim(left=0)
    return figure


def pace_curves(logs: Mapping[str, Log], verticals: Sequence[str]) -> Figure:
    """Draws the scaling factors γ_v/√N_v of self-paced students over training, a panel each.

    Args:
      logs: student → lines of metrics.jsonl with ``pace``.
      verticals: names, in the order of ``pace``.
    """
    height = max(3.4, 1.2 + 0.17 * min(len(verticals), MOST_LABELS))
    figure, panels = make_panels(len(logs), height * len(logs))
    for axes, (student, log) in zip(panels, logs.items(), strict=True):
        _pace_panel(axes, log, verticals, height)
        axes.set_title(plain(student), loc="left", fontsize=10, color=INK, parse_math=False)
    return figure


def to_png(figure: Figure) -> bytes:
    """Encodes a figure as PNG."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # A name in a script that the font lacks is drawn as boxes; the page's text has it right.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", append=False)
        figure.savefig(buffer, format="png", dpi=DPI, facecolor="white")
    return buffer.getvalue()


def make_panels(count: int, height: float) -> tuple[Figure, list[Axes]]:
    """Makes a figure of so many panels one below the other, ``height`` inches high in all."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, [style(axes) for axes in figure.subplots(count, 1, squeeze=False)[:, 0]]


def _small_panel() -> tuple[Figure, Axes]:
    """Makes a panel of fixed margins: there are many, and fitting them takes half the time."""
    figure = Figure(figsize=SMALL)
    return figure, style(figure.subplots(
        gridspec_kw={"left": 0.13, "right": 0.97, "bottom": 0.16, "top": 0.89}
    ))


def style(axes: Axes) -> Axes:
    """Gives axes the look of all figures: a pale grid behind, and lines on two sides alone."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=9, color=GRID)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#999999")
    return axes


def _legend_above(axes: Axes, count: int) -> None:
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=min(count, 6), frameon=False, fontsize=9,
        borderaxespad=0.2,
    )


def _curve(axes: Axes, log: Log, key: str, *, label: str | None = None, **style) -> None:
    """Draws a logged value; a long noisy one is drawn pale under its running mean."""
    x = np.array([entry["epoch"] for entry in log], float)
    y = np.array([entry[key] for entry in log], float)
    style = {"linewidth": 1.6, "marker": "." if len(x) == 1 else "", **style}
    if len(x) >= SMOOTH_FROM:
        axes.plot(x, y, **{**style, "linewidth": 0.7, "alpha": 0.25})
        window = len(x) // 30 | 1
        kernel = np.ones(window)
        y = np.convolve(y, kernel, "same") / np.convolve(np.ones(len(y)), kernel, "same")
    axes.plot(x, y, label=label, **style)


def _pace_panel(axes: Axes, log: Log, verticals: Sequence[str], height: float) -> None:
    x = np.array([entry["epoch"] for entry in log], float)
    pace = np.array([entry["pace"] for entry in log], float)
    order = np.argsort(-pace[-1], kind="stable")
    shades = colormaps["viridis"](np.linspace(0.92, 0.0, len(order)))
    if len(order) <= MOST_LABELS:
        named = set(order)
    else:
        named = {*order[: MOST_LABELS // 2], *order[-MOST_LABELS // 2 :]}
    marker = "." if len(x) == 1 else ""
    for vertical, shade in zip(order, shades, strict=True):
        axes.plot(x, pace[:, vertical], color=shade, linewidth=1.4, marker=marker)
    low, high = float(pace.min()), float(pace.max())
    margin = 0.06 * (high - low) or 0.01
    axes.set_ylim(low - margin, high + margin)
    axes.set_xlim(0, x[-1])
    if low - margin < 1 < high + margin:
        axes.axhline(1, color=INK, linewidth=0.8, linestyle="--")
    axes.set_xlabel("epochs")
    axes.set_ylabel(r"pace  $\gamma_v / \sqrt{N_v}$")
    ends = [(pace[-1, v], plain(verticals[v]), s) for v, s in zip(order, shades, strict=True)
            if v in named]
    _name_ends(axes, ends, 10.5 / 72 / (height - 0.8))


def _name_ends(axes: Axes, ends: Sequence[tuple[float, str, object]], gap: float) -> None:
    """Names curves right of the axes, highest first, a share of its height apart."""
    low, high = axes.get_ylim()
    ideal = [(value - low) / (high - low) for value, _, _ in ends]
    gap = min(gap, 1 / max(len(ends) - 1, 1))
    for place, (value, name, shade) in zip(_spread(ideal, gap), ends, strict=True):
        axes.annotate(
            name, xy=(1, (value - low) / (high - low)), xytext=(1.035, place),
            xycoords="axes fraction", textcoords="axes fraction", fontsize=8, va="center",
            color=INK, parse_math=False, annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": shade, "linewidth": 0.8,
                        "shrinkA": 0, "shrinkB": 0, "relpos": (0, 0.5)},
        )


def _spread(ideal: Sequence[float], gap: float) -> list[float]:
    """Moves places in 0–1, sorted from high to low, apart by at least a gap."""
    places: list[float] = []
    for place in ideal:
        places.append(min(place, places[-1] - gap) if places else min(place, 1.0))
    floor = 0.0
    for i in range(len(places) - 1, -1, -1):
        places[i] = max(places[i], floor)
        floor = places[i] + gap
    return places
