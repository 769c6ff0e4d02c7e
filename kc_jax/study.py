"""python -m kc_jax.study --config=configs/study/recipe.py: variants, several seeds, one table.

A study varies its ``students``, its ``processes`` of generations, or its ``structures``, and may do
so in several ``settings`` of everything else. Every setting and seed has a working directory, in
which all variants share what comes before them; what settings have in common is made once and
linked. What is there already is not made again. ``claims`` are put to the test.
"""

import dataclasses
import itertools
import pathlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from absl import flags
from ml_collections import ConfigDict

from kc_jax import artifacts, command, links
from kc_jax.config import Config, ConfigError, build
from kc_jax.data import sources
from kc_jax.options import Constraint, Seed, build_part
from kc_jax.stages import (
    runner,
    study_claims,
    study_figures,
    study_kinds,
    study_page,
    study_tables,
)
from kc_jax.stages.study_kinds import FURTHER, KINDS, Kind
from kc_jax.workdir import Workdir

flags.adopt_module_key_flags(command)
_OUTPUT = flags.DEFINE_string("output", None, "Where the table goes; by default WORKDIR/table.md.")
LINKS = "links"
Changes = Mapping[str, Mapping[str, Any]]


class Distinct(Constraint):
    """Takes lists in which nothing comes twice."""

    def __str__(self):
        return "a list in which nothing comes twice"

    def allows(self, value) -> bool:
        return len(set(value)) == len(value)


@dataclasses.dataclass(frozen=True)
class Study:
    """Says what is varied over which seeds, and what is written about it.

    Attributes:
      title: of the table.
      base: the configuration that every cell starts from.
      seeds: of everything random in training.
      students: changes to the base's ``student``, by name, where these are varied.
      processes: the same to its ``generations``.
      structures: the same to its ``structure``.
      settings: changes to anything else, by name; one without a name changes nothing.
      claims: see `study_claims.claims_table`.
      by_vertical: whether there is also a table of verticals.
      methods_figure: whether there is also a figure of all methods.
      loss_figure: whether there is also one of the training losses.
      name: of the working directory under ``runs/``.
    """

    title: str
    base: ConfigDict
    seeds: Annotated[tuple[Seed, ...], Distinct()]
    students: Changes
    processes: Changes
    structures: Changes
    settings: Changes
    claims: tuple[tuple[str, ...], ...]
    by_vertical: bool
    methods_figure: bool
    loss_figure: bool
    name: str

    @property
    def kind(self) -> Kind:
        return kind_of(vars(self))[0]

    @property
    def variants(self) -> Changes:
        return kind_of(vars(self))[1]


NEEDED = ("title", "base", "seeds")
LEFT_OUT = {  # What parts are that a study leaves out.
    **{name: {} for name in KINDS}, **dict.fromkeys(FURTHER, False), "claims": (), "name": "study",
}


def kind_of(options: Mapping) -> tuple[Kind, Changes]:
    """Gives what a study varies, and its variants.

    Raises:
      ConfigError: it varies nothing, or two things.
    """
    names = [name for name in KINDS if options.get(name)]
    if len(names) != 1:
        raise ConfigError(
            f"the study varies {' and '.join(names) or 'nothing'}; expected one of "
            f"{', '.join(KINDS)}, with a variant or more"
        )
    return KINDS[names[0]], options[names[0]]


def settings_of(options: Mapping) -> Changes:
    """Gives what the settings change, by name; one without a name where the study has none."""
    return options.get("settings") or {"": {}}


def build_study(options: Mapping) -> Study:
    """Builds a study from the parts of its file, and checks each by itself; see `check`.

    Args:
      options: the study's ConfigDict.

    Raises:
      ConfigError: names the part that is missing, unknown or wrong.
    """
    kind_of(options)
    for name in NEEDED:
        if not options.get(name):
            raise ConfigError(
                f"config.{name} is missing or empty; a study has a title, a base that is varied, "
                "and seeds"
            )
    return build_part(Study, {**LEFT_OUT, **options, "settings": settings_of(options)})


def cell_config(options: Mapping, seed: int, name: str, setting: str = "") -> Config:
    """Builds the configuration of one cell of a study's file; see `build_cell`."""
    return build_cell(build_study(options), seed, name, setting)


def build_cell(study: Study, seed: int, name: str, setting: str) -> Config:
    """Builds the configuration of one variant and seed in a setting.

    Args:
      study: of which it is a cell.
      seed: of everything random in training.
      name: of the variant.
      setting: name of the setting.

    Raises:
      ConfigError: the setting or the variant changes what there is not, or to what it cannot be, or
        what the study itself gives to its cells.
    """
    part, options = study.kind.part, study.base.copy_and_resolve_references()
    for changes, where in (
        ({"seed": seed, part: {"name": name}}, "what a study gives to its cells"),
        (study.settings[setting], f"the setting {setting!r}"),
        ({part: study.variants[name]}, f"{name!r}, a variant of {part},"),
    ):
        try:
            with options.unlocked():  # What there is not, `build` names.
                _update(options, changes)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"{where} does not fit the study's base: {error}") from error
        for key, found, given, by in (
            ("seed", options.seed, seed, "seeds"), ("name", options[part].name, name, "variants"),
        ):
            if found != given:
                raise ConfigError(
                    f"{where} changes the {key} to {found!r}, but the study's {by} give that; "
                    "take it out"
                )
    return build(options)


def _update(options: ConfigDict, changes: Mapping) -> None:
    """Changes options, those of groups one by one."""
    for key, value in changes.items():
        if not isinstance(options.get(key), ConfigDict):
            options[key] = value
        elif hasattr(value, "items"):
            _update(options[key], value)
        else:
            raise TypeError(f"{key} is {value!r}; expected a group of options")


def check(options: Mapping) -> Study:
    """Builds a study, and refuses one that would fail before anything of it is trained.

    Args:
      options: the study's ConfigDict.

    Raises:
      ConfigError: names what is missing or wrong.
    """
    study = build_study(options)
    kind, settings = study.kind, study.settings
    if len(settings) > 1 and not kind.has_settings:
        raise ConfigError(
            f"a study of {kind.part} has one setting, not {', '.join(settings)}; make a study for "
            "each, with working directories of their own"
        )
    for part in FURTHER:
        if getattr(study, part) and part not in kind.further:
            raise ConfigError(
                f"config.{part} is True, but a study of {kind.part} has no such part; take it out"
            )
    metrics = {}
    for setting, seed in itertools.product(settings, study.seeds):
        cells = {name: build_cell(study, seed, name, setting) for name in study.variants}
        metrics.update({
            study_tables.method_of(setting, method): names
            for method, names in kind.metrics(cells).items()
        })
    study_claims.check(study.claims, list(metrics))
    study_kinds.check_metrics(study.claims, metrics)
    return study


def run_study(study: Study, root: pathlib.Path) -> list[dict]:
    """Runs all cells that are missing.

    Args:
      study: to run.
      root: its working directory.

    Returns:
      The results of each seed.
    """
    with links.shared(root / LINKS):
        return [
            study_kinds.merge_methods({
                setting: _run_setting(study, root, seed, setting) for setting in study.settings
            })
            for seed in study.seeds
        ]


def _workdir(root: pathlib.Path, seed: int, setting: str) -> Workdir:
    return Workdir(root / setting / f"seed_{seed}")


def _run_setting(study: Study, root: pathlib.Path, seed: int, setting: str) -> dict:
    kind, workdir = study.kind, _workdir(root, seed, setting)
    for name in study.variants:
        config = build_cell(study, seed, name, setting)
        runner.run_stages(config, workdir, kind.stages)
    last = list(kind.last_stages)
    if config.data.verticals != sources.GIVEN and "evaluate" in last:
        last.append("evaluate_given")
    runner.run_stages(config, workdir, last)
    links.share(workdir.root, root / LINKS)
    return kind.read(config, workdir, list(study.variants))


def main(options: Mapping, workdir: str | None):
    """Runs a study and prints its tables."""
    study = check(options)
    root = pathlib.Path(workdir or f"runs/{study.name}")
    output = pathlib.Path(_OUTPUT.value or root / "table.md")
    artifacts.make_folder(root, "workdir")
    study_page.check_place(output)
    results = run_study(study, root)
    text = "\n".join(_parts(study, root, results, output))
    artifacts.write_text(output, text)
    print(f"{text}\nTable: {output}")


def _parts(
    study: Study, root: pathlib.Path, results: Sequence[Mapping], output: pathlib.Path
) -> Iterator[str]:
    """Gives the parts of the page, in order, and writes the figures beside it."""
    names = list(study.variants)
    yield study.kind.table(study.title, names, results)
    if study.by_vertical:
        yield study_tables.verticals_table(names, results)
    if study.claims:
        yield study_claims.claims_table(study.claims, results)
    if study.methods_figure:
        figure = study_figures.methods_figure(names, results)
        yield study_page.put_figure(figure, output, "methods", "A dot a seed, a line at their mean")
    if study.loss_figure:
        first = _workdir(root, study.seeds[0], next(iter(study.settings)))
        figure, words = study_figures.losses(names, first), f"Loss by epoch, seed {study.seeds[0]}"
        yield study_page.put_figure(figure, output, "losses", words)
    yield study_page.made_by(sys.argv[1:])


if __name__ == "__main__":
    command.run(main)
