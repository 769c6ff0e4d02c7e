"""python -m kc_jax.study --config=configs/study/recipe.py: variants, several seeds, one table.

A study varies its ``students``, its ``processes`` of generations, or its ``structures``, and may do
so in several ``settings`` of everything else. Every setting and seed has a working directory, in
which all variants share what comes before them; what settings have in common is made once and
linked. What is there already is not made again. ``claims`` are put to the test.
"""

import dataclasses
import itertools
import pathlib
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence

from absl import flags
from matplotlib.figure import Figure

from kc_jax import artifacts, command, environment
from kc_jax.config import Config, ConfigError, build
from kc_jax.data import sources
from kc_jax.stages import (
    process_tables,
    report_figures,
    report_structures,
    runner,
    study_claims,
    study_figures,
    study_tables,
)
from kc_jax.train import hooks
from kc_jax.workdir import Workdir

flags.adopt_module_key_flags(command)
_OUTPUT = flags.DEFINE_string("output", None, "Where the table goes; by default WORKDIR/table.md.")
LINKS = "links"


@dataclasses.dataclass(frozen=True)
class Kind:
    """Says what a study varies.

    Attributes:
      part: of the configuration, which has a ``name``.
      stages: run for every variant.
      last_stages: run once all variants of a setting and seed are there.
      read: function (configuration, working directory, variants) → its results.
      table: function (title, variants, results of every seed) → Markdown.
      beside: the methods that results have besides the variants.
      has_settings: whether it may be varied in several settings.
    """

    part: str
    stages: Sequence[str]
    last_stages: Sequence[str]
    read: Callable
    table: Callable
    beside: Sequence[str] = ()
    has_settings: bool = True


def _read_students(config: Config, workdir: Workdir, names: Sequence[str]) -> dict:
    """Reads what `evaluate` wrote, or `evaluate_given` where the verticals are others."""
    del config, names
    results = artifacts.read_json(workdir.results)
    given = artifacts.read_json(workdir.results_given, None)
    if given:
        results["methods"] = {
            name: {**results["methods"][name], **metrics}
            for name, metrics in given["methods"].items()
        }
    return results


def _read_structures(config: Config, workdir: Workdir, names: Sequence[str]) -> dict:
    """Adds to what `evaluate` wrote how the clusters agree with the verticals."""
    results = _read_students(config, workdir, names)
    for found in report_structures.read_structures(workdir, sources.load_label_space(config.data)):
        if found.name in results["methods"]:
            results["methods"][found.name]["rand_index"] = found.rand_index
    return results


def _read_processes(config: Config, workdir: Workdir, names: Sequence[str]) -> dict:
    """Reads what `run_generations` wrote, and adds what claims are about."""
    del config
    results = {name: artifacts.read_json(workdir.generation_results(name)) for name in names}
    return {"methods": {
        name: {**process, **process_tables.process_metrics(process)}
        for name, process in results.items()
    }}


def merge_methods(by_setting: Mapping[str, Mapping]) -> dict:
    """Puts the methods of all settings side by side, as SETTING/METHOD."""
    methods = {
        f"{setting}/{name}" if setting else name: values
        for setting, results in by_setting.items() for name, values in results["methods"].items()
    }
    return {**next(iter(by_setting.values())), "methods": methods}


KINDS = {
    "students": Kind(
        part="student",
        stages=("train_generalist", "train_teachers", "write_soft_targets", "train_student"),
        last_stages=("evaluate",),
        read=_read_students,
        table=study_tables.students_table,
        beside=("generalist", "specialists"),
    ),
    "structures": Kind(
        part="structure",
        stages=("train_generalist", "learn_structure"),
        last_stages=("evaluate", "report_structures"),
        read=_read_structures,
        table=study_tables.structures_table,
        beside=("generalist",),
    ),
    "processes": Kind(
        part="generations",
        stages=("train_generalist", "run_generations"),
        last_stages=("report_generations",),
        read=_read_processes,
        table=process_tables.processes_table,
        has_settings=False,
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


def settings_of(study) -> dict:
    """Gives what the settings change, by name; one without a name where the study has none."""
    return dict(study.get("settings") or {"": {}})


def cell_config(study, seed: int, name: str, setting: str = "") -> Config:
    """Builds the configuration of one variant and seed in a setting.

    Args:
      study: the study's ConfigDict: ``base``, ``seeds``, what it varies, and maybe ``settings``.
      seed: of everything random in training.
      name: of the variant.
      setting: name of the setting.

    Raises:
      ConfigError: the setting or the variant changes what there is not, or to what it cannot be.
    """
    kind, variants = kind_of(study)
    options = study.base.copy_and_resolve_references()
    options.seed = seed
    _update(options, settings_of(study)[setting], f"the setting {setting!r}")
    options[kind.part].name = name
    _update(options[kind.part], variants[name], f"{name!r}, a variant of {kind.part},")
    return build(options)


def _update(options, changes: Mapping, where: str) -> None:
    try:
        with options.unlocked():  # What there is not, `build` names.
            options.update(changes)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where} does not fit the study's base: {error}") from error


def run_study(study, root: pathlib.Path) -> list[dict]:
    """Runs all cells that are missing.

    Args:
      study: the study's ConfigDict.
      root: working directory of the study.

    Returns:
      The results of each seed.
    """
    with artifacts.shared(root / LINKS):
        return [
            merge_methods({
                setting: _run_setting(study, root, seed, setting) for setting in settings_of(study)
            })
            for seed in study.seeds
        ]


def _run_setting(study, root: pathlib.Path, seed: int, setting: str) -> dict:
    kind, variants = kind_of(study)
    workdir = Workdir(root / setting / f"seed_{seed}")
    for name in variants:
        config = cell_config(study, seed, name, setting)
        runner.run_stages(config, workdir, kind.stages)
    last = list(kind.last_stages)
    if config.data.verticals != sources.GIVEN and "evaluate" in last:
        last.append("evaluate_given")
    runner.run_stages(config, workdir, last)
    artifacts.share(workdir.root, root / LINKS)
    return kind.read(config, workdir, list(variants))


def check(study) -> None:
    """Refuses a study that would fail, before anything is trained.

    Raises:
      ConfigError: names what is missing or wrong.
    """
    kind, variants = kind_of(study)
    for name in ("title", "base", "seeds"):
        if not study.get(name):
            raise ConfigError(
                f"config.{name} is missing or empty; a study has a title, a base that is varied, "
                "and seeds"
            )
    settings = settings_of(study)
    if len(settings) > 1 and not kind.has_settings:
        raise ConfigError(
            f"a study of {kind.part} has one setting, not {', '.join(settings)}; make a study for "
            "each, with working directories of their own"
        )
    for setting, name in itertools.product(settings, variants):
        cell_config(study, study.seeds[0], name, setting)
    study_claims.check(study.get("claims") or (), [
        f"{setting}/{name}" if setting else name
        for setting, name in itertools.product(settings, (*kind.beside, *variants))
    ])


def main(study, workdir: str | None):
    """Runs a study and prints its tables."""
    check(study)
    root = pathlib.Path(workdir or f"runs/{study.get('name', 'study')}")
    kind, variants = kind_of(study)
    results = run_study(study, root)
    parts = [kind.table(study.title, list(variants), results)]
    if study.get("by_vertical"):
        parts.append(study_tables.verticals_table(list(variants), results))
    if study.get("claims"):
        parts.append(study_claims.claims_table(study.claims, results))
    output = pathlib.Path(_OUTPUT.value or root / "table.md")
    if study.get("methods_figure"):
        figure = study_figures.methods_figure(list(variants), results)
        parts.append(_put_figure(figure, output, "methods", "A dot a seed, a line at their mean"))
    if study.get("loss_figure"):
        parts.append(_put_figure(
            _losses(study, root), output, "losses", f"Loss by epoch, seed {study.seeds[0]}"
        ))
    parts.append(_made_by())
    text = "\n".join(parts)
    artifacts.write_text(output, text)
    print(f"{text}\nTable: {output}")


def _made_by() -> str:
    """Says what wrote the tables, so that whoever reads them can do it again."""
    made = environment.describe()
    names = ("python", "jax", "kc_jax")
    versions = ", ".join(f"{name} {made['versions'].get(name, '?')}" for name in names)
    command = shlex.join(["python", "-m", "kc_jax.study", *sys.argv[1:]])
    return f"Written with {versions}, on {made['device']}, by\n\n```\n{command}\n```\n"


def _put_figure(figure: Figure, table: pathlib.Path, name: str, words: str) -> str:
    """Writes a figure beside a table; gives the line of Markdown that shows it there."""
    path = table.with_name(f"{table.stem}_{name}.png")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(report_figures.to_png(figure))
    return f"![{words}]({path.name})\n"


def _losses(study, root: pathlib.Path) -> Figure:
    """Draws the training losses of a study's students, of its first setting and seed."""
    _, variants = kind_of(study)
    workdir = Workdir(root / next(iter(settings_of(study))) / f"seed_{study.seeds[0]}")
    logs = {
        name: hooks.shown_metrics(workdir.student(name) / artifacts.METRICS) for name in variants
    }
    return report_figures.loss_curves(logs, {}, report_figures.colours(list(variants), ""))


if __name__ == "__main__":
    command.run(main)
