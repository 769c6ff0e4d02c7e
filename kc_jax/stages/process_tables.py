"""The tables of studies of generations: top-1 by generation, and what Yang et al. (2018) claim."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from kc_jax.stages import study_tables

CONTROL = "D(1.0, 0.0)"  # Networks of the same starts that nobody teaches.


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
    numbers = range(max(len(seed[name]["generations"]) for seed in results for name in processes))
    lines = study_tables.head(
        f"{title}, top-1", [seed[processes[0]] for seed in results],
        f"{first['classes']} classes", ("process",), [f"generation {g}" for g in numbers],
    )
    baselines = study_tables.percent_of_seeds(_baselines(results))
    lines.append(f"| labels alone | {baselines} |{' |' * (len(numbers) - 1)}")
    for name in processes:
        runs = [seed[name]["generations"] for seed in results]
        for label, read in (("", _alone), (", together", _together)):
            cells = [
                study_tables.percent_of_seeds(
                    [read(run[g]) if g < len(run) else None for run in runs]
                )
                for g in numbers
            ]
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
      labels: top-1 of one network that learns from labels alone; None where there is none.
      control: generations of the same starts that nobody teaches.
      strict: generations of D(1.0, λ), λ being the process's.
    """

    run: Sequence[Mapping]
    labels: float | None
    control: Sequence[Mapping] | None
    strict: Sequence[Mapping] | None


def _claims(processes: Sequence[str], results: Sequence[Mapping[str, Mapping]]) -> str:
    """Compares processes with labels alone, a control, and strict teachers, as far as there are.

    The best of three is above the mean of three by chance alone; the control has that chance too.
    """
    columns = {
        "patriarch − labels": lambda c: _less(_alone(c.run[0]), c.labels),
        "best of generations 1–3 − labels":
            lambda c: _less(max(map(_alone, c.run[1:4])), c.labels),
        "mean of students − labels": lambda c: _less(_students(c.run), c.labels),
        f"mean of students − {CONTROL}": lambda c: _gain(_students, c.run, c.control),
        "mean of students − D(1.0, same λ)": lambda c: _gain(_students, c.run, c.strict),
        f"all together − {CONTROL}": lambda c: _gain(_all_together, c.run, c.control),
        "all together − best alone": lambda c: _all_together(c.run) - max(map(_alone, c.run)),
    }
    found = [process_of(results, name) for name in processes]
    cells = {
        title: [
            study_tables.percent_of_seeds([read(seed) for seed in _compared(results, name)])
            for name in found
        ]
        for title, read in columns.items()
    }
    nothing = {study_tables.NOTHING}
    cells = {title: column for title, column in cells.items() if set(column) != nothing}
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
    return _less(read(run), None if other is None else read(other))


def _less(value: float, other: float | None) -> float | None:
    return None if other is None else value - other


def _students(generations: Sequence[Mapping]) -> float:
    return float(np.mean([_alone(generation) for generation in generations[1:]]))


def _alone(generation: Mapping) -> float:
    return generation["top1"]


def _together(generation: Mapping) -> float:
    return generation["ensemble"]["top1"]


def _all_together(generations: Sequence[Mapping]) -> float:
    return _together(generations[-1])


def _baselines(results: Sequence[Mapping[str, Mapping]]) -> list[float | None]:
    baselines = [next(iter(seed.values()))["baseline"] for seed in results]
    return [None if baseline is None else baseline["top1"] for baseline in baselines]
