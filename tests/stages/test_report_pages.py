"""The pages beside the report's overview, from a working directory written by hand."""

import html
import json
import re

import numpy as np
import pytest

from kc_jax import artifacts
from kc_jax.stages import class_table, report, report_pages
from tests.stages.fabricated import METHODS, NASTY, VERTICALS, page_of

pytestmark = pytest.mark.usefixtures("no_drawing")


@pytest.fixture
def pages(config, workdir):
    """Gives the text of the page of all classes and of each vertical's."""
    report.run(config, workdir)
    paths = {"all": workdir.class_page, **{v: workdir.vertical_page(v) for v in VERTICALS}}
    return {name: path.read_text(encoding="utf-8") for name, path in paths.items()}


def rows_of(page: str) -> list[dict]:
    """Gives the rows that a page's script would show, as text by the columns' titles."""
    (text,) = re.findall(r'<script type="application/json" id="rows">(.*?)</script>', page, re.S)
    columns = json.loads(text)["columns"]
    return [
        dict(zip((c["title"] for c in columns), row, strict=True))
        for row in zip(*(map(shown, [c] * len(c["values"]), c["values"]) for c in columns),
                       strict=True)
    ]


def shown(column, value):
    if column["kind"] == "percent":
        return None if value is None else f"{value / 10:.1f}"
    return column["options"][value] if column["kind"] == "choice" else value


def test_tables_have_the_numbers_of_the_csv(pages, workdir):
    table = class_table.read(workdir.class_table, METHODS)
    everything = rows_of(pages["all"])
    assert len(everything) == len(table) == 9
    for c, row in enumerate(everything):
        assert row["class"] == table.names[c] == f"{NASTY} {c // 3}{c % 3}"
        assert row["path"] + row["class"] == table.paths[c]
        assert row["vertical"] == VERTICALS[c // 3].replace("_", " ")
        assert row["training images"] == 10 * c and row["test images"] == (2, 1, 0)[c % 3]
        for method in METHODS:
            value = table.class_ap[method][c]
            wanted = None if c % 3 == 2 else f"{100 * value:.1f}"
            assert row[method.replace("_", " ")] == wanted
    for v, vertical in enumerate(VERTICALS):
        own = [{k: x for k, x in row.items() if k != "vertical"} for row in everything[3 * v :][:3]]
        assert rows_of(pages[vertical]) == own


def test_escape_names(pages):
    for page in pages.values():
        assert NASTY not in page and "<b>" not in page
        assert len(re.findall(r"<script\b", page)) == 2  # Rows, and what shows them.
    text = html.unescape(re.sub("<.*?>", "", pages[VERTICALS[1]]))
    assert "<b>&birds" in text and NASTY in text


def test_a_verticals_page_has_what_is_its_own(pages):
    first, second, _ = (re.sub(r"\s+", " ", pages[v]) for v in VERTICALS)
    assert "1,234 of 5,678" in first and "1,234 of 5,678" not in second
    assert first.count('class="gallery"') == 1 and 'class="gallery"' not in second
    assert "3 classes, 2 of them named by test images. 120 training labels, 30 to 50 a class; 3 " \
        "test labels" in second
    for page, means in ((first, ("20.0", "22.0", "25.0", "40.0")), (second, ("30.0", "50.0"))):
        assert "Training loss of the specialist" in page
        cells = re.findall(r"<td>([\d.]+)</td>", page)
        assert set(means) <= set(cells)
    assert '<th scope="row">' in first and "<caption>Worst</caption>" in first


def test_worst_and_best_prefer_classes_with_more_test_images():
    table = class_table.ClassTable(
        names=tuple("abcdef"), verticals=("v",) * 6, paths=("",) * 6,
        training_images=np.zeros(6, np.int64), test_images=np.array([1, 5, 1, 9, 1, 0]),
        class_ap={"student": np.array([0.5, 0.5, 1.0, 1.0, 0.0, np.nan])},
    )
    worst, best = report_pages.extremes(table, "student", np.arange(6))
    assert worst == [4, 1, 0] and best == [3, 2, 1]
    assert report_pages.extremes(table, "student", np.array([5])) == ([], [])


def test_slices_are_means_over_classes(config, workdir):
    """Six of nine classes are judged: 0, 1, 3, 4, 6 and 7, with 10 images more each id."""
    results = report.read_results(config, workdir)
    table = class_table.read(workdir.class_table, METHODS)
    slices = report_pages.frequency_slices(table, results)
    assert [(s["name"], s["classes"], s["fewest"], s["most"]) for s in slices] == [
        ("head", 2, 60, 70), ("middle", 2, 30, 40), ("tail", 2, 0, 10),
    ]
    for found, ids in zip(slices, ((6, 7), (3, 4), (0, 1)), strict=True):
        for i, method in enumerate(METHODS):
            wanted = sum((c + i) / 18 for c in ids) / 2
            assert found["mean_ap"][method] == pytest.approx(wanted, abs=1e-5)
    report.run(config, workdir)
    page = re.sub(r"\s+", " ", workdir.report.read_text(encoding="utf-8"))
    assert '<th scope="row">head</th><td>2</td> <td>60–70</td> <td>36.1</td>' in page


def test_no_slices_where_all_are_equally_frequent(config, workdir):
    text = workdir.class_table.read_text(encoding="utf-8")
    workdir.class_table.write_text(re.sub(r",\d+,(\d),", r",500,\1,", text), encoding="utf-8")
    report.run(config, workdir)
    page = re.sub(r"\s+", " ", workdir.report.read_text(encoding="utf-8"))
    assert "have 500 to 500 training images, so there is no head or tail" in page


@pytest.mark.parametrize(
    "missing", [["generalist"], ["specialists"], ["generalist", "specialists"]]
)
def test_does_without_generalist_or_specialists(config, workdir, capsys, missing):
    values = artifacts.read_json(workdir.results)
    for method in missing:
        del values["methods"][method]
    artifacts.write_json(workdir.results, values)
    assert report.run(config, workdir)
    printed = capsys.readouterr().out
    page = workdir.report.read_text(encoding="utf-8")
    assert "Gap closed: unknown" in printed and "77.7" in page
    assert "reaches a mean average precision of 35.0 %" in page
    titles = rows_of(workdir.class_page.read_text(encoding="utf-8"))[0]
    assert {m.replace("_", " ") for m in METHODS} - set(titles) == set(missing)


def test_does_without_some_specialists(config, workdir):
    values = artifacts.read_json(workdir.results)
    del values["methods"]["specialists"]["vertical_ap"][VERTICALS[0]]
    artifacts.write_json(workdir.results, values)
    text = workdir.class_table.read_text(encoding="utf-8").splitlines()
    text[1:4] = [line.rpartition(",")[0] + "," for line in text[1:4]]
    workdir.class_table.write_text("\n".join(text) + "\n", encoding="utf-8")
    report.run(config, workdir)
    slices = report_pages.frequency_slices(
        class_table.read(workdir.class_table, METHODS), report.read_results(config, workdir)
    )
    assert slices[0]["mean_ap"]["specialists"] and slices[2]["mean_ap"]["specialists"] is None


def test_does_without_confusions(config, workdir):
    (workdir.evaluation / "student" / "confusions.json").unlink()
    report.run(config, workdir)
    assert "frequent confusions" not in page_of(workdir)


def test_a_missing_page_is_written_again(config, workdir):
    assert report.run(config, workdir) and not report.run(config, workdir)
    for page in (workdir.class_page, workdir.vertical_page(VERTICALS[2])):
        page.unlink()
        assert report.run(config, workdir) and page.exists()
    workdir.class_table.write_text(
        workdir.class_table.read_text(encoding="utf-8").replace(",80,", ",81,"), encoding="utf-8"
    )
    assert report.run(config, workdir)
    assert rows_of(workdir.class_page.read_text(encoding="utf-8"))[8]["training images"] == 81


def test_names_the_stage_that_writes_the_table(config, workdir):
    workdir.class_table.unlink()
    with pytest.raises(artifacts.MissingArtifactError, match="classes.csv.*run the stage evaluate"):
        report.run(config, workdir)
