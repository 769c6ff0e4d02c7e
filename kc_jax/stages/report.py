"""Writes the report's pages, each a file that opens offline, and prints the results as a table."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

from kc_jax import artifacts, environment
from kc_jax.config import Config
from kc_jax.stages import class_table, evaluate, report_pages, report_text
from kc_jax.stages import report_figures as figures
from kc_jax.stages.class_table import ClassTable
from kc_jax.stages.report_text import GENERALIST, SPECIALISTS, Results
from kc_jax.train import hooks
from kc_jax.workdir import Workdir

PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy")
NO_CONFUSIONS = {"missed": 0, "overall": [], "verticals": {}}


def run(config: Config, workdir: Workdir) -> bool:
    """Writes all pages and figures/ unless they are current, and always prints the table.

    Args:
      config: of the run; its student is the one that the report is about.
      workdir: of the run; reads what evaluate wrote.

    Returns:
      Whether it wrote anything.

    Raises:
      MissingArtifactError: results.json or classes.csv is missing, or has no such student.
    """
    results = read_results(config, workdir)
    artifacts.checked(workdir.class_table, workdir.results)
    table = class_table.read(workdir.class_table, results.methods)
    inputs = artifacts.fingerprint([
        results.values, dataclasses.asdict(config), report_pages.template_texts(),
        workdir.class_table.read_text(encoding="utf-8"),
    ])
    is_new = not _is_current(workdir, results, inputs)
    if is_new:
        write_report(config, workdir, results, table, inputs)
    report_text.print_summary(results, workdir)
    return is_new


def read_results(config: Config, workdir: Workdir) -> Results:
    """Reads results.json.

    Args:
      config: for the student's name.
      workdir: of the run.

    Raises:
      MissingArtifactError: it is missing, or has no such student.
    """
    if not workdir.results.exists():
        raise artifacts.MissingArtifactError(
            f"{workdir.results} is missing; run the stage evaluate first"
        )
    values = artifacts.read_json(workdir.results, needs=["methods"])
    values.pop("seconds", None)  # They grow with every stage, this one too.
    if config.student.name not in values["methods"]:
        raise artifacts.MissingArtifactError(
            f"{workdir.results} has no student {config.student.name!r}; run the stage evaluate "
            "first"
        )
    return Results(values, config.student.name)


def write_report(
    config: Config, workdir: Workdir, results: Results, table: ClassTable, inputs: str
) -> None:
    """Writes figures/*.png, the other pages and, last, report.html.

    Args:
      config: of the run.
      workdir: of the run.
      results: of evaluate.
      table: of all classes.
      inputs: fingerprint of all that the report depends on.
    """
    drawn = make_figures(workdir, results)
    artifacts.remove(workdir.figures)
    workdir.figures.mkdir(parents=True)
    for name, png in drawn.items():
        (workdir.figures / f"{name}.png").write_bytes(png)
    shared = {
        "config": config,
        "inputs": inputs,
        "results": results,
        "table": table,
        "judged_on": results.values["judged_on"],
        "colours": figures.colours(results.methods, results.student),
    }
    directory = workdir.evaluation / results.student
    confusions = artifacts.read_json(directory / evaluate.CONFUSIONS, NO_CONFUSIONS)
    gallery = artifacts.read_json(directory / evaluate.GALLERY, [])
    report_pages.write_pages(workdir, results, table, confusions, gallery, shared)
    artifacts.write_text(workdir.report, report_pages.render(
        "report.html.jinja",
        values=results.values,
        headline=report_text.headline(results),
        best={v: results.best(results.of_vertical(v)) for v in results.verticals},
        best_mean=results.best(results.means),
        heads={m: _head(workdir, results, m) for m in results.methods},
        at_k=[key for key in results[results.student] if key.startswith("mean_ap_at_")],
        slices=report_pages.frequency_slices(table, results),
        counts={v: report_pages.vertical_counts(table, table.of_vertical(v))
                for v in results.verticals},
        links={v: report_pages.link_of(workdir, v) for v in results.verticals},
        figures=drawn,
        confusions=confusions,
        gallery=gallery,
        seconds=artifacts.read_json(workdir.seconds, {}),
        configuration=_flatten(_configuration(config, workdir)),
        versions=environment.versions(PACKAGES),
        **shared,
    ))


def _configuration(config: Config, workdir: Workdir) -> dict:
    """Gives the configuration, with what the networks' own manifests say of their training."""
    options = dataclasses.asdict(config)
    trained = {"generalist": workdir.generalist, "student": workdir.student(config.student.name)}
    for name, directory in trained.items():
        manifest = artifacts.read_json(directory / artifacts.MANIFEST, {"inputs": {"training": {}}})
        options[name].update(manifest["inputs"].get("training", {}))
    return options


def make_figures(workdir: Workdir, results: Results) -> dict[str, bytes]:
    """Draws the figures that the run has numbers for.

    Args:
      workdir: of the run.
      results: of evaluate.

    Returns:
      PNGs by name: ``vertical_ap``, ``loss`` and ``pace``.
    """
    colour_of = figures.colours(results.methods, results.student)
    singles = {m: _log(workdir.generalist if m == GENERALIST else workdir.student(m))
               for m in results.methods if m != SPECIALISTS}
    singles = {m: log for m, log in singles.items() if log}
    teachers = {v: _log(workdir.teacher(v)) for v in results.verticals}
    teachers = {v: log for v, log in teachers.items() if log}
    paced = {m: log for m, log in singles.items() if all("pace" in entry for entry in log)}
    vertical_ap = {m: results[m]["vertical_ap"] for m in results.methods}
    drawn = {"vertical_ap": figures.vertical_bars(vertical_ap, colour_of)}
    if singles:
        drawn["loss"] = figures.loss_curves(singles, teachers, colour_of)
    if paced:
        drawn["pace"] = figures.pace_curves(paced, results.verticals)
    return {name: figures.to_png(figure) for name, figure in drawn.items()}


def _is_current(workdir: Workdir, results: Results, inputs: str) -> bool:
    others = [workdir.class_page, *map(workdir.vertical_page, results.verticals)]
    if not (workdir.figures.is_dir() and all(page.exists() for page in others)):
        return False
    return report_pages.is_written(workdir.report, inputs)


def _head(workdir: Workdir, results: Results, method: str) -> str:
    """Names a network as the paper does: its head, +D where distilled, +S where self-paced."""
    head = results[method]["head"]
    manifest = artifacts.read_json(workdir.student(method) / artifacts.MANIFEST, {})
    training = manifest.get("inputs", {}).get("training")
    if training is None:
        return head
    distilled = "+D" if training["distill_weight"] else ""
    return head + distilled + ("+S" if training["self_paced"]["level"] != "none" else "")


def _log(directory: pathlib.Path) -> list[dict[str, Any]]:
    return hooks.shown_metrics(directory / artifacts.TRAINING_LOG)


def _flatten(options: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Lists nested options as ``part.option`` → value."""
    flat: dict[str, str] = {}
    for key, value in options.items():
        if isinstance(value, Mapping) and value:
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = str(list(value) if isinstance(value, tuple) else value)
    return flat
