"""What a study may vary, what is measured of it, and how its results are read."""

import dataclasses
import difflib
from collections.abc import Callable, Mapping, Sequence

from kc_jax import artifacts
from kc_jax.config import Config, ConfigError
from kc_jax.data import sources
from kc_jax.stages import (
    discovery,
    evaluate,
    process_tables,
    report_structures,
    report_text,
    study_claims,
    study_tables,
)
from kc_jax.workdir import Workdir

IN_VERTICALS = ("mean_vertical_ap", "mean_vertical_top1", "ancestor_ap")
OF_PROCESSES = ("patriarch", "students", "together")  # What `process_metrics` gives.
RAND_INDEX = "rand_index"
FURTHER = ("by_vertical", "methods_figure", "loss_figure")  # Parts of the page besides the table.


@dataclasses.dataclass(frozen=True)
class Kind:
    """Says what a study varies.

    Attributes:
      part: of the configuration, which has a ``name``.
      stages: run for every variant.
      last_stages: run once all variants of a setting and seed are there.
      metrics: function (a setting's configurations by variant) → for each method that its results
        are going to have, the names of its shares.
      read: function (configuration, working directory, variants) → its results.
      table: function (title, variants, results of every seed) → Markdown.
      further: those of `FURTHER` that it may have.
      has_settings: whether it may be varied in several settings.
    """

    part: str
    stages: Sequence[str]
    last_stages: Sequence[str]
    metrics: Callable
    read: Callable
    table: Callable
    further: Sequence[str] = ()
    has_settings: bool = True


def _of_network(config: Config) -> tuple[str, ...]:
    """Names what `evaluate` measures of a network that names all classes."""
    at_k = f"mean_ap_at_{config.evaluation.at_k}"
    return (*IN_VERTICALS, "top1", "top5", at_k, *evaluate.ERRORS)


def _students_metrics(configs: Mapping[str, Config]) -> dict[str, tuple[str, ...]]:
    """Counts specialists in where verticals are the given ones: `evaluate_given` asks none."""
    first = next(iter(configs.values()))
    found = dict.fromkeys((report_text.GENERALIST, *configs), _of_network(first))
    if first.data.verticals == sources.GIVEN:
        found[report_text.SPECIALISTS] = IN_VERTICALS
    return found


def _structures_metrics(configs: Mapping[str, Config]) -> dict[str, tuple[str, ...]]:
    """Counts the agreement with the verticals in where there are clusters that may agree."""
    first = next(iter(configs.values()))
    return {report_text.GENERALIST: _of_network(first)} | {
        name: (*_of_network(config), *[RAND_INDEX] * bool(config.structure.num_clusters))
        for name, config in configs.items()
    }


def _processes_metrics(configs: Mapping[str, Config]) -> dict[str, tuple[str, ...]]:
    return dict.fromkeys(configs, OF_PROCESSES)


def check_metrics(
    claims: Sequence[Sequence[str]], metrics: Mapping[str, Sequence[str]]
) -> None:
    """Refuses claims about numbers that their methods are not going to have.

    Args:
      claims: as `study_claims.claims_table` takes them, about methods that there are.
      metrics: what is measured of each method, by its name.

    Raises:
      ConfigError: names the claim, the method and the nearest of its numbers.
    """
    for text, better, other, *metric in claims:
        wanted = metric[0] if metric else study_claims.METRIC
        for method in (better, other):
            if wanted not in metrics[method]:
                close = difflib.get_close_matches(wanted, metrics[method], n=1)
                hint = f"; did you mean {close[0]!r}?" if close else "."
                raise ConfigError(
                    f"the claim {text!r} is about {wanted!r} of {method!r}, which has no such "
                    f"number{hint} It has {', '.join(metrics[method])}"
                )


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
    space = sources.load_label_space(discovery.resolve(config, workdir).data)
    for found in report_structures.read_structures(workdir, space):
        if found.name in results["methods"]:
            results["methods"][found.name][RAND_INDEX] = found.rand_index
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
        study_tables.method_of(setting, name): values
        for setting, results in by_setting.items() for name, values in results["methods"].items()
    }
    return {**next(iter(by_setting.values())), "methods": methods}


KINDS = {
    "students": Kind(
        part="student",
        stages=("train_generalist", "train_teachers", "write_soft_targets", "train_student"),
        last_stages=("evaluate",),
        metrics=_students_metrics,
        read=_read_students,
        table=study_tables.students_table,
        further=FURTHER,
    ),
    "structures": Kind(
        part="structure",
        stages=("train_generalist", "learn_structure"),
        last_stages=("evaluate", "report_structures"),
        metrics=_structures_metrics,
        read=_read_structures,
        table=study_tables.structures_table,
        further=FURTHER,
    ),
    "processes": Kind(
        part="generations",
        stages=("train_generalist", "run_generations"),
        last_stages=("report_generations",),
        metrics=_processes_metrics,
        read=_read_processes,
        table=process_tables.processes_table,
        has_settings=False,
    ),
}
