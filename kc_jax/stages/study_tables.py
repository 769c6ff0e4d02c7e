"""The tables of studies: mean ± standard deviation over seeds, in Markdown."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from kc_jax.stages import report_text, speed

METRICS = {
    "mean_vertical_ap": "mean AP",
    "mean_vertical_top1": "top-1 in vertical",
    "top1": "top-1",
    "top5": "top-5",
    "ancestor_ap": "ancestors' AP",
}

NOTHING = "—"
CONTROL = "D(1.0, 0.0)"  # Networks of the same starts that nobody teaches.
_AT_K = "mean_ap_at_"


def name_of(metric: str) -> str:
    """Gives the heading of a metric, a key of what evaluate wrote."""
    if metric.startswith(_AT_K):
        return f"mAP at top {metric.removeprefix(_AT_K)}"
    return METRICS.get(metric, metric.replace("_", " "))


def num_seeds(results: Sequence[Mapping]) -> str:
    """Says how many seeds there are."""
    return "one seed" if len(results) == 1 else f"{len(results)} seeds"


def students_table(title: str, students: Sequence[str], results: Sequence[Mapping]) -> str:
    """Writes a table with a row for the generalist, each student and the specialists.

    *Closed* is what of the gap between generalist and specialists in mean AP a method closes, where
    there are both. *Minutes* are those of training, on whatever machine and beside whatever load.

    Args:
      title: of the table.
      students: their names.
      results: for each seed what evaluate wrote.
    """
    first = results[0]
    lines = _head(
        title, results, f"{first['classes']} classes, {first['verticals']} verticals",
        ("method", "head"), (*METRICS.values(), "closed", "parameters", "images seen", "minutes"),
    )
    methods = methods_of(results, ("generalist", *students, "specialists"))
    minutes = {
        method: [speed.minutes(result["methods"][method]) for result in results]
        for method in methods
    }
    for method in methods:
        runs = [result["methods"][method] for result in results]
        cells = [_percent([run[key] for run in runs]) for key in METRICS]
        cells.append(_percent([_closed(result["methods"], method) for result in results]))
        lines.append(
            f"| {method} | {runs[0]['head']} | {' | '.join(cells)} | {runs[0]['params']:,} | "
            f"{report_text.images_seen(runs[0])} | {_number(minutes[method], 1)} |"
        )
    timed = [value for values in minutes.values() for value in values if value is not None]
    if timed:
        lines += ["", f"Training took {sum(timed) / 60:.1f} hours, those of all seeds together."]
    return "\n".join(lines) + "\n"


def _closed(methods: Mapping[str, Mapping], method: str) -> float | None:
    setting, slash, _ = method.rpartition("/")
    ends = [methods.get(f"{setting}{slash}{end}") for end in ("generalist", "specialists")]
    if None in ends:
        return None
    low, high, found = (
        values["mean_vertical_ap"] for values in (*ends, methods[method])
    )
    return (found - low) / (high - low) if high > low else None


def verticals_table(students: Sequence[str], results: Sequence[Mapping]) -> str:
    """Writes the average precision of each vertical by method, as the paper's tables 4 and 6 do.

    Args:
      students: their names.
      results: for each seed what evaluate wrote.
    """
    methods = methods_of(results, ("generalist", *students, "specialists"))
    found = {
        method: [result["methods"][method]["vertical_ap"] for result in results]
        for method in methods
    }
    lines = [f"| vertical | {' | '.join(methods)} |", f"|---|{'---:|' * len(methods)}"]
    for vertical in found[methods[0]][0]:
        cells = [_percent([seed.get(vertical) for seed in found[method]]) for method in methods]
        lines.append(f"| {vertical} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def structures_table(title: str, names: Sequence[str], results: Sequence[Mapping]) -> str:
    """Writes a table with a row for the base network and for each that has auxiliary heads.

    Args:
      title: of the table.
      names: of the augmented networks.
      results: for each seed what evaluate wrote.
    """
    first = results[0]["methods"]
    at_k = next(key for key in first["generalist"] if key.startswith(_AT_K))
    metrics = {at_k: name_of(at_k), **METRICS}
    del metrics["ancestor_ap"]
    lines = _head(
        title, results, f"{results[0]['classes']} classes", ("network",),
        (*metrics.values(), "multiply-adds", "to generalist", "Rand index"),
    )
    for name in methods_of(results, ("generalist", *names)):
        runs = [result["methods"][name] for result in results]
        cells = [_percent([run[key] for run in runs]) for key in metrics]
        cost = first[name]["multiply_adds"]
        ratio = cost / first["generalist"]["multiply_adds"]
        agreement = _number([run.get("rand_index") for run in runs], 2)
        lines.append(f"| {name} | {' | '.join(cells)} | {cost:,} | {ratio:.3f} | {agreement} |")
    return "\n".join(lines) + "\n"


def methods_of(results: Sequence[Mapping], names: Sequence[str]) -> list[str]:
    """Lists the methods that all seeds have, by setting, and in a setting in the order of names.

    One that several settings share, such as a generalist, is listed in the first of them.
    """
    found: list[str] = []
    for method in results[0]["methods"]:
        is_everywhere = all(method in result["methods"] for result in results)
        if is_everywhere and not any(_is_same(results, method, other) for other in found):
            found.append(method)
    settings = list(dict.fromkeys(method.rpartition("/")[0] for method in found))
    order = [f"{setting}/{name}" if setting else name for setting in settings for name in names]
    return [method for method in order if method in found]


def _is_same(results: Sequence[Mapping], method: str, other: str) -> bool:
    name, other_name = (title.rpartition("/")[2] for title in (method, other))
    return name == other_name and all(
        result["methods"][method] == result["methods"][other] for result in results
    )


def processes_table(
    title: str, processes: Sequence[str], results: Sequence[Mapping]
) -> str:
    """Writes top-1 by generation, alone and together, and what Yang et al. (2018) claim of it.

    Args:
      title: of the table.
      processes: their names.
      results: for each seed what run_generations wrote of each process, under ``methods``.
    """
    results = [seed["methods"] for seed in results]
    first = results[0][processes[0]]
    numbers = range(len(first["generations"]))
    lines = _head(
        f"{title}, top-1", [seed[processes[0]] for seed in results],
        f"{first['classes']} classes", ("process",), [f"generation {g}" for g in numbers],
    )
    lines.append(f"| labels alone | {_percent(_baselines(results))} |{' |' * (len(numbers) - 1)}")
    for name in processes:
        runs = [seed[name]["generations"] for seed in results]
        for label, read in (("", _alone), (", together", _together)):
            cells = [_percent([read(run[g]) for run in runs]) for g in numbers]
            lines.append(f"| {process_of(results, name)}{label} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n\n" + _claims(processes, results)


def process_metrics(process: Mapping) -> dict[str, float]:
    """Sums a process up, for claims: top-1 of its patriarch, its students' mean, and all together.

    Args:
      process: what run_generations wrote.
    """
    generations = process["generations"]
    return {
        "patriarch": _alone(generations[0]),
        "students": _students(generations),
        "together": _all_together(generations),
    }


def process_of(results: Sequence[Mapping[str, Mapping]], name: str) -> str:
    """Gives a process's D(confidence, λ)."""
    return results[0][name]["process"]


class _Compared(NamedTuple):
    """Is one seed's process and what it is compared with; None where there is no such process.

    Attributes:
      run: its generations.
      labels: top-1 of one network that learns from labels alone.
      control: generations of the same starts that nobody teaches.
      strict: generations of D(1.0, λ), λ being the process's.
    """

    run: Sequence[Mapping]
    labels: float
    control: Sequence[Mapping] | None
    strict: Sequence[Mapping] | None


def _claims(processes: Sequence[str], results: Sequence[Mapping[str, Mapping]]) -> str:
    """Compares processes with labels alone, a control, and strict teachers, as far as there are.

    The best of three is above the mean of three by chance alone; the control has that chance too.
    """
    columns = {
        "patriarch − labels": lambda c: _alone(c.run[0]) - c.labels,
        "best of generations 1–3 − labels": lambda c: max(map(_alone, c.run[1:4])) - c.labels,
        "mean of students − labels": lambda c: _students(c.run) - c.labels,
        f"mean of students − {CONTROL}": lambda c: _gain(_students, c.run, c.control),
        "mean of students − D(1.0, same λ)": lambda c: _gain(_students, c.run, c.strict),
        f"all together − {CONTROL}": lambda c: _gain(_all_together, c.run, c.control),
        "all together − best alone": lambda c: _all_together(c.run) - max(map(_alone, c.run)),
    }
    found = [process_of(results, name) for name in processes]
    cells = {
        title: [_percent([read(seed) for seed in _compared(results, name)]) for name in found]
        for title, read in columns.items()
    }
    cells = {title: column for title, column in cells.items() if set(column) != {NOTHING}}
    lines = [
        f"| process | {' | '.join(cells)} |",
        f"|---|{'---:|' * len(cells)}",
        *(f"| {' | '.join(row)} |" for row in zip(found, *cells.values(), strict=True)),
    ]
    return "\n".join(lines) + "\n"


def _compared(results: Sequence[Mapping[str, Mapping]], process: str) -> list[_Compared]:
    strict = f"D(1.0,{process.partition(',')[2]}"
    runs = (_runs_of(results, name) for name in (process, CONTROL, strict))
    return [
        _Compared(run, labels, *others)
        for labels, run, *others in zip(_baselines(results), *runs, strict=True)
    ]


def _runs_of(results: Sequence[Mapping[str, Mapping]], process: str) -> list[Sequence | None]:
    """Gives each seed's generations of D(p, λ); None where it is not among the processes."""
    return [
        next((run["generations"] for run in seed.values() if run["process"] == process), None)
        for seed in results
    ]


def _gain(read: Callable, run: Sequence[Mapping], other: Sequence[Mapping] | None) -> float | None:
    return None if other is None else read(run) - read(other)


def _students(generations: Sequence[Mapping]) -> float:
    return float(np.mean([_alone(generation) for generation in generations[1:]]))


def _alone(generation: Mapping) -> float:
    return generation["top1"]


def _together(generation: Mapping) -> float:
    return generation["ensemble"]["top1"]


def _all_together(generations: Sequence[Mapping]) -> float:
    return _together(generations[-1])


def _baselines(results: Sequence[Mapping[str, Mapping]]) -> list[float]:
    return [next(iter(seed.values()))["baseline"]["top1"] for seed in results]


def _head(
    title: str, results: Sequence[Mapping], facts: str, left: Sequence[str], right: Sequence[str]
) -> list[str]:
    noise = "SYNTHETIC INPUT: no figure means anything. " if results[0].get("synthetic") else ""
    return [
        f"{noise}{title}: {facts}, {num_seeds(results)}, mean ± standard deviation, %.",
        "",
        f"| {' | '.join((*left, *right))} |",
        f"|{'---|' * len(left)}{'---:|' * len(right)}",
    ]


def _percent(values: Sequence[float | None]) -> str:
    return NOTHING if None in values else _number([100 * value for value in values], 1)


def _number(values: Sequence[float | None], digits: int) -> str:
    """Writes mean ± standard deviation over seeds."""
    if None in values:
        return NOTHING
    deviation = f" ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else ""
    return f"{np.mean(values):.{digits}f}{deviation}"
