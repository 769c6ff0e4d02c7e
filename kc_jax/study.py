"""python -m kc_jax.study --config=configs/study/parts.py: many students, several seeds, one table.

Every seed has a working directory, in which all students share the generalist, the teachers and
the soft targets. What is there already is not made again.
"""

import pathlib

import numpy as np
from absl import flags

from kc_jax import artifacts, command
from kc_jax.config import build
from kc_jax.stages import runner

_OUTPUT = flags.DEFINE_string("output", None, "Where the table goes; by default WORKDIR/table.md.")
SHARED_STAGES = ("train_generalist", "train_teachers", "write_soft_targets")
METRICS = {
    "mean_vertical_ap": "mean AP",
    "mean_vertical_top1": "top-1 in vertical",
    "top1": "top-1",
    "top5": "top-5",
    "ancestor_ap": "ancestors' AP",
}


def cell_config(study, seed: int, student: str):
    """Builds the configuration of one student and seed.

    Args:
      study: the study's ConfigDict: ``base``, ``students`` and ``seeds``.
      seed: of everything random in training.
      student: name of the student.
    """
    options = study.base.copy_and_resolve_references()
    options.seed = seed
    options.student.name = student
    options.student.update(study.students[student])
    return build(options)


def run_study(study, root: pathlib.Path) -> list[dict]:
    """Runs all cells that are missing.

    Args:
      study: the study's ConfigDict.
      root: working directory of the study.

    Returns:
      For each seed the content of its results.json.
    """
    results = []
    for seed in study.seeds:
        workdir = artifacts.Workdir(root / f"seed_{seed}")
        for student in study.students:
            config = cell_config(study, seed, student)
            runner.run_stages(config, workdir, (*SHARED_STAGES, "train_student"))
        runner.run_stages(config, workdir, ("evaluate",))
        results.append(artifacts.read_json(workdir.results))
    return results


def table(study, results: list[dict]) -> str:
    """Writes mean ± standard deviation over seeds as a Markdown table.

    Args:
      study: the study's ConfigDict.
      results: of `run_study`.
    """
    methods = ["generalist", *study.students, "specialists"]
    noise = "SYNTHETIC INPUT: no figure means anything. " if results[0].get("synthetic") else ""
    lines = [
        f"{noise}{study.title}: {results[0]['classes']} classes, "
        f"{results[0]['verticals']} verticals, {len(results)} seeds, mean ± standard deviation, %.",
        "",
        f"| method | head | {' | '.join(METRICS.values())} | parameters | images seen |",
        f"|---|---|{'---:|' * (len(METRICS) + 2)}",
    ]
    for method in methods:
        runs = [result["methods"][method] for result in results]
        cells = [_mean_and_deviation([run[key] for run in runs]) for key in METRICS]
        lines.append(
            f"| {method} | {runs[0]['head']} | {' | '.join(cells)} | {runs[0]['params']:,} | "
            f"{runs[0]['images_seen']:,} |"
        )
    return "\n".join(lines) + "\n"


def _mean_and_deviation(values: list) -> str:
    if None in values:
        return "—"
    percent = 100 * np.asarray(values)
    deviation = f" ± {np.std(percent, ddof=1):.1f}" if len(percent) > 1 else ""
    return f"{np.mean(percent):.1f}{deviation}"


def main(study, workdir: str | None):
    """Runs a study and prints its table."""
    root = pathlib.Path(workdir or "runs/study")
    text = table(study, run_study(study, root))
    output = pathlib.Path(_OUTPUT.value or root / "table.md")
    artifacts.write_text(output, text)
    print(f"{text}\nTable: {output}")


if __name__ == "__main__":
    command.run(main)
