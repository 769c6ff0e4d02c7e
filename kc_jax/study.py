"""python -m kc_jax.study --config=configs/study/parts.py: variants, several seeds, one table.

A study varies its ``students``, its ``processes`` of generations, or its ``structures``. Every seed
has a working directory, in which all variants share what comes before them. What is there already
is not made again.
"""

import dataclasses
import pathlib
from collections.abc import Callable, Sequence

from absl import flags

from kc_jax import artifacts, command
from kc_jax.artifacts import Workdir
from kc_jax.config import ConfigError, build
from kc_jax.stages import runner, study_tables

flags.adopt_module_key_flags(command)
_OUTPUT = flags.DEFINE_string("output", None, "Where the table goes; by default WORKDIR/table.md.")


@dataclasses.dataclass(frozen=True)
class Kind:
    """Says what a study varies.

    Attributes:
      part: of the configuration, which has a ``name``.
      stages: run for every variant.
      last_stages: run once all variants of a seed are there.
      read: function (working directory, variants) → results of a seed.
      table: function (title, variants, results of every seed) → Markdown.
    """

    part: str
    stages: Sequence[str]
    last_stages: Sequence[str]
    read: Callable
    table: Callable


def _read_students(workdir: Workdir, names: Sequence[str]) -> dict:
    del names
    return artifacts.read_json(workdir.results)


def _read_processes(workdir: Workdir, names: Sequence[str]) -> dict[str, dict]:
    return {name: artifacts.read_json(workdir.generation_results(name)) for name in names}


KINDS = {
    "students": Kind(
        part="student",
        stages=("train_generalist", "train_teachers", "write_soft_targets", "train_student"),
        last_stages=("evaluate",),
        read=_read_students,
        table=study_tables.students_table,
    ),
    "structures": Kind(
        part="structure",
        stages=("train_generalist", "learn_structure"),
        last_stages=("evaluate", "report_structures"),
        read=_read_students,
        table=study_tables.structures_table,
    ),
    "processes": Kind(
        part="generations",
        stages=("train_generalist", "run_generations"),
        last_stages=("report_generations",),
        read=_read_processes,
        table=study_tables.processes_table,
    ),
}


def kind_of(study) -> tuple[Kind, dict]:
    """Gives what a study varies, and its variants.

    Raises:
      ConfigError: it varies nothing, or two things.
    """
    names = [name for name in KINDS if study.get(name)]
    if len(names) != 1:
        raise ConfigError(
            f"the study varies {' and '.join(names) or 'nothing'}; expected one of "
            f"{', '.join(KINDS)}, with a variant or more"
        )
    return KINDS[names[0]], study[names[0]]


def cell_config(study, seed: int, name: str):
    """Builds the configuration of one variant and seed.

    Args:
      study: the study's ConfigDict: ``base``, ``seeds``, and what it varies.
      seed: of everything random in training.
      name: of the variant.
    """
    kind, variants = kind_of(study)
    options = study.base.copy_and_resolve_references()
    options.seed = seed
    options[kind.part].name = name
    options[kind.part].update(variants[name])
    return build(options)


def run_study(study, root: pathlib.Path) -> list[dict]:
    """Runs all cells that are missing.

    Args:
      study: the study's ConfigDict.
      root: working directory of the study.

    Returns:
      The results of each seed.
    """
    kind, variants = kind_of(study)
    results = []
    for seed in study.seeds:
        workdir = Workdir(root / f"seed_{seed}")
        for name in variants:
            config = cell_config(study, seed, name)
            runner.run_stages(config, workdir, kind.stages)
        runner.run_stages(config, workdir, kind.last_stages)
        results.append(kind.read(workdir, list(variants)))
    return results


def main(study, workdir: str | None):
    """Runs a study and prints its table."""
    root = pathlib.Path(workdir or "runs/study")
    kind, variants = kind_of(study)
    text = kind.table(study.title, list(variants), run_study(study, root))
    output = pathlib.Path(_OUTPUT.value or root / "table.md")
    artifacts.write_text(output, text)
    print(f"{text}\nTable: {output}")


if __name__ == "__main__":
    command.run(main)
