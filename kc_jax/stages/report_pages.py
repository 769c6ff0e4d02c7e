"""The pages beside the report's overview: one for each vertical, and one of all classes."""

import base64
import functools
import pathlib
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
import numpy as np

from kc_jax import artifacts, hosts
from kc_jax.stages import class_table, report_text
from kc_jax.stages import report_figures as figures
from kc_jax.stages.class_table import ClassTable
from kc_jax.stages.report_text import Results
from kc_jax.train import hooks
from kc_jax.workdir import Workdir

TEMPLATES = pathlib.Path(__file__).with_name("templates")
LISTED = 10  # Of the worst and of the best classes of a vertical.


def render(template: str, **values: Any) -> str:
    """Fills a template; names are escaped.

    Args:
      template: file name in TEMPLATES.
      **values: that it shows.
    """
    return _environment().get_template(template).render(**values)


def is_written(page: pathlib.Path, inputs: str) -> bool:
    """Tells whether a page is there and was made from inputs of this fingerprint."""
    if not page.exists():
        return False
    with page.open(encoding="utf-8") as file:
        return f'content="{inputs}"' in file.read(1000)


def template_texts() -> list[str]:
    """Gives what all pages depend on beside their numbers."""
    return [path.read_text(encoding="utf-8") for path in sorted(TEMPLATES.iterdir())]


def link_of(workdir: Workdir, vertical: str) -> str:
    """Gives the link from the overview to a vertical's page."""
    path = workdir.vertical_page(vertical).relative_to(workdir.root)
    return urllib.parse.quote(path.as_posix())


def write_pages(
    workdir: Workdir, results: Results, table: ClassTable, confusions: Mapping,
    gallery: Sequence[Mapping], shared: Mapping[str, Any],
) -> None:
    """Writes the page of all classes and those of the verticals.

    Args:
      workdir: of the run.
      results: of evaluate.
      table: of all classes.
      confusions: see `confusions.Confusions.entries`.
      gallery: see `gallery.Gallery.entries`.
      shared: what all templates use.
    """
    everything = np.arange(len(table))
    artifacts.write_text(workdir.class_page, render(
        "classes.html.jinja",
        rows=table_rows(table, results.methods, everything, results.verticals), **shared,
    ))
    artifacts.remove(workdir.vertical_pages)
    for vertical in results.verticals:
        hosts.note_work(f"the page of {vertical}")
        rows = table.of_vertical(vertical)
        worst, best = extremes(table, results.student, rows)
        artifacts.write_text(workdir.vertical_page(vertical), render(
            "vertical.html.jinja",
            vertical=vertical,
            counts=vertical_counts(table, rows),
            worst=worst,
            best=best,
            confusions=confusions["verticals"].get(vertical, []),
            missed=confusions["missed"],
            gallery=[entry for entry in gallery if vertical in entry["verticals"]],
            figures=make_figures(workdir, results, table, vertical, rows),
            rows=table_rows(table, results.methods, rows, ()),
            **shared,
        ))


def make_figures(
    workdir: Workdir, results: Results, table: ClassTable, vertical: str, rows: np.ndarray
) -> dict[str, bytes]:
    """Draws a vertical's figures: PNGs ``histogram`` and, where it has a log, ``loss``."""
    colour_of = figures.colours(results.methods, results.student)
    class_ap = {method: table.class_ap[method][rows] for method in results.methods}
    drawn = {"histogram": figures.class_histogram(class_ap, colour_of)}
    log = hooks.shown_metrics(workdir.teacher(vertical) / artifacts.TRAINING_LOG)
    if log:
        drawn["loss"] = figures.teacher_loss(log)
    return {name: figures.to_png(figure) for name, figure in drawn.items()}


def table_rows(
    table: ClassTable, methods: Sequence[str], rows: np.ndarray, verticals: Sequence[str]
) -> dict[str, list[dict]]:
    """Gives the rows of a sortable table by columns, as its script reads them.

    Args:
      table: of all classes.
      methods: whose average precision is shown.
      rows: i64[n], class ids.
      verticals: names for a column with the vertical; none for no such column.

    Returns:
      ``columns``, each with ``title``, ``kind`` and ``values``. A ``percent`` is in tenths of a
      percent, or None; a ``choice`` is an index into ``options``.
    """
    def column(title: str, kind: str, values: Sequence, **more: Any) -> dict:
        return {"title": title, "kind": kind, "values": values, **more}

    columns = [column("class", "text", [table.names[c] for c in rows])]
    if verticals:
        places = {name: place for place, name in enumerate(verticals)}
        columns.append(column(
            "vertical", "choice", [places.get(table.verticals[c]) for c in rows],
            options=[figures.plain(name) for name in verticals],
        ))
    columns += [
        column("training images", "count", table.training_images[rows].tolist()),
        column("test images", "count", table.test_images[rows].tolist()),
    ]
    columns += [
        column(figures.plain(method), "percent", _tenths(table.class_ap[method][rows]),
               method=method)
        for method in methods
    ]
    paths = [_path_to(table.paths[c], table.names[c]) for c in rows]
    return {"columns": [*columns, column("path", "text", paths)]}


def _path_to(path: str, name: str) -> str:
    """Leaves a name out of the end of its path, as it stands beside it."""
    return path.removesuffix(name) if path.endswith(f"/{name}") else path


def _tenths(values: np.ndarray) -> list[int | None]:
    """Rounds shares as `report_text.percent` prints them."""
    return [
        None if np.isnan(x) else round(10 * float(report_text.percent(x))) for x in values.tolist()
    ]


def extremes(table: ClassTable, student: str, rows: np.ndarray) -> tuple[list[int], list[int]]:
    """Lists the ids of the classes that a network knows worst and best, at most half of them each.

    Args:
      table: of all classes.
      student: name of the network.
      rows: i64[n], class ids to choose from; those not judged are left out.
    """
    values = table.class_ap[student][rows]
    rows, values = rows[~np.isnan(values)], values[~np.isnan(values)]
    tested = -table.test_images[rows]
    worst, best = (rows[np.lexsort((rows, tested, sign * values))] for sign in (1, -1))
    listed = min(LISTED, (len(rows) + 1) // 2)
    return worst[:listed].tolist(), best[:listed].tolist()


def vertical_counts(table: ClassTable, rows: np.ndarray) -> dict[str, int]:
    """Counts a vertical's classes and images.

    Args:
      table: of all classes.
      rows: i64[n], class ids of the vertical.
    """
    counts = table.training_images[rows]
    return {
        "classes": len(rows),
        "judged": int(np.count_nonzero(table.test_images[rows])),
        "training_images": int(counts.sum()),
        "fewest": int(counts.min()),
        "median": int(np.median(counts)),
        "most": int(counts.max()),
        "test_images": int(table.test_images[rows].sum()),
    }


def frequency_slices(table: ClassTable, results: Results) -> list[dict[str, Any]]:
    """Averages over head, middle and tail: thirds of the judged classes by training images.

    Args:
      table: of all classes.
      results: for methods and student.

    Returns:
      For each slice that has classes its ``name``, how many ``classes``, the ``fewest`` and
      ``most`` training images of one, and ``mean_ap``: method → 0–1, or None where a method was
      not asked about all of them.
    """
    judged = np.flatnonzero(~np.isnan(table.class_ap[results.student]))
    slices = class_table.frequency_slices(table.training_images[judged])
    found = []
    for number, name in enumerate(class_table.SLICES):
        rows = judged[slices == number]
        if not len(rows):
            continue
        counts = table.training_images[rows]
        means = {m: float(table.class_ap[m][rows].mean()) for m in results.methods}
        found.append({
            "name": name, "classes": len(rows),
            "fewest": int(counts.min()), "most": int(counts.max()),
            "mean_ap": {m: None if np.isnan(x) else x for m, x in means.items()},
        })
    return found


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True,
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
    environment.filters.update(
        percent=report_text.percent, plain=figures.plain, count=lambda n: f"{n:,}",
        images_seen=report_text.images_seen,
        data_uri=data_uri, is_tiny=_is_tiny,
    )
    return environment


def data_uri(png: bytes | str) -> str:
    """Writes a PNG, given as bytes or hexadecimal digits, as a data URI."""
    content = bytes.fromhex(png) if isinstance(png, str) else png
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def _is_tiny(png: str) -> bool:
    """Tells whether a PNG in hexadecimal digits is so narrow that its pixels should be seen."""
    return int(png[32:40], 16) < 64
