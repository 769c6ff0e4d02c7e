"""Writes report.html, one file that opens offline, and prints the results as a table."""

import base64
import dataclasses
import importlib.metadata
import pathlib
import platform
from collections.abc import Mapping
from typing import Any

import jinja2

from kc_jax import artifacts
from kc_jax.artifacts import Workdir
from kc_jax.config import Config
from kc_jax.stages import evaluate, report_text
from kc_jax.stages import report_figures as figures
from kc_jax.stages.report_text import GENERALIST, SPECIALISTS, Results
from kc_jax.train import hooks

TEMPLATE = pathlib.Path(__file__).with_name("report.html.jinja")
PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy")


def run(config: Config, workdir: Workdir) -> bool:
    """Writes report.html and figures/ unless they are current, and always prints the table.

    Args:
      config: of the run; its student is the one that the report is about.
      workdir: of the run; reads what evaluate wrote.

    Returns:
      Whether it wrote anything.

    Raises:
      MissingArtifactError: results.json is missing, or has no such student.
    """
    results = read_results(config, workdir)
    inputs = artifacts.fingerprint(
        [results.values, dataclasses.asdict(config), TEMPLATE.read_text(encoding="utf-8")]
    )
    is_new = not _is_current(workdir, inputs)
    if is_new:
        write_report(config, workdir, results, inputs)
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
    values = artifacts.read_json(workdir.results)
    values.pop("seconds", None)  # They grow with every stage, this one too.
    if config.student.name not in values["methods"]:
        raise artifacts.MissingArtifactError(
            f"{workdir.results} has no student {config.student.name!r}; run the stage evaluate "
            "first"
        )
    return Results(values, config.student.name)


def write_report(config: Config, workdir: Workdir, results: Results, inputs: str) -> None:
    """Writes figures/*.png and report.html.

    Args:
      config: of the run.
      workdir: of the run.
      results: of evaluate.
      inputs: fingerprint of all that the report depends on.
    """
    drawn = make_figures(workdir, results)
    artifacts.remove(workdir.figures)
    workdir.figures.mkdir(parents=True)
    for name, png in drawn.items():
        (workdir.figures / f"{name}.png").write_bytes(png)
    artifacts.write_text(workdir.report, _template().render(
        results=results,
        values=results.values,
        config=config,
        inputs=inputs,
        headline=report_text.headline(results),
        colours=figures.colours(results.methods, results.student),
        best={v: results.best(results.of_vertical(v)) for v in results.verticals},
        best_mean=results.best(results.means),
        heads={m: _head(workdir, results, m) for m in results.methods},
        at_k=[key for key in results[results.student] if key.startswith("mean_ap_at_")],
        figures=drawn,
        gallery=_read(workdir.evaluation / results.student / evaluate.GALLERY, []),
        seconds=_read(workdir.seconds, {}),
        configuration=_flatten(_configuration(config, workdir)),
        versions={"Python": platform.python_version(), **_versions()},
    ))


def _configuration(config: Config, workdir: Workdir) -> dict:
    """Gives the configuration, with what the networks' own manifests say of their training."""
    options = dataclasses.asdict(config)
    trained = {"generalist": workdir.generalist, "student": workdir.student(config.student.name)}
    for name, directory in trained.items():
        manifest = _read(directory / artifacts.MANIFEST, {"inputs": {"training": {}}})
        options[name].update(manifest["inputs"]["training"])
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


def data_uri(png: bytes | str) -> str:
    """Writes a PNG, given as bytes or hexadecimal digits, as a data URI."""
    content = bytes.fromhex(png) if isinstance(png, str) else png
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATE.parent), autoescape=True,
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )
    environment.filters.update(
        percent=report_text.percent, plain=figures.plain, count=lambda n: f"{n:,}",
        data_uri=data_uri, is_tiny=_is_tiny,
    )
    return environment.get_template(TEMPLATE.name)


def _is_tiny(png: str) -> bool:
    """Tells whether a PNG in hexadecimal digits is so narrow that its pixels should be seen."""
    return int(png[32:40], 16) < 64


def _is_current(workdir: Workdir, inputs: str) -> bool:
    if not (workdir.report.exists() and workdir.figures.is_dir()):
        return False
    with workdir.report.open(encoding="utf-8") as file:
        return f'content="{inputs}"' in file.read(1000)


def _head(workdir: Workdir, results: Results, method: str) -> str:
    """Names a network as the paper does: its head, +D where distilled, +S where self-paced."""
    head = results[method]["head"]
    manifest = _read(workdir.student(method) / artifacts.MANIFEST, {})
    training = manifest.get("inputs", {}).get("training")
    if training is None:
        return head
    distilled = "+D" if training["distill_weight"] else ""
    return head + distilled + ("+S" if training["self_paced"]["level"] != "none" else "")


def _log(directory: pathlib.Path) -> list[dict[str, Any]]:
    return hooks.read_metrics(directory / artifacts.METRICS)


def _read(path: pathlib.Path, default: Any) -> Any:
    return artifacts.read_json(path) if path.exists() else default


def _versions() -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in PACKAGES}


def _flatten(options: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Lists nested options as ``part.option`` → value."""
    flat: dict[str, str] = {}
    for key, value in options.items():
        if isinstance(value, Mapping) and value:
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = str(list(value) if isinstance(value, tuple) else value)
    return flat
