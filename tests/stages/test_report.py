"""The report, from a working directory written by hand."""

import html
import json
import re
import urllib.parse

import pytest

from configs import eft
from kc_jax import config as kc_config
from kc_jax.artifacts import MissingArtifactError, write_json
from kc_jax.stages import report, report_figures, report_text
from kc_jax.workdir import Workdir
from tests.stages.fabricated import (
    METHODS,
    VERTICALS,
    fabricate,
    page_of,
    write_classes,
    write_log,
)

DRAW = report_figures.to_png

pytestmark = pytest.mark.usefixtures("no_drawing")


@pytest.fixture
def drawing(no_drawing, monkeypatch):
    monkeypatch.setattr(report_figures, "to_png", DRAW)


def test_shows_every_method_vertical_and_value(config, workdir, capsys):
    assert report.run(config, workdir)
    page, printed = page_of(workdir), capsys.readouterr().out
    assert "SYNTHETIC" not in page + printed
    for text in (page, printed):
        for name in METHODS:
            assert name.replace("_", " ") in text
        assert "big cats" in text and "1,500,003" in text and "9,000,004" in text
    cells = [html.unescape(re.sub("<.*?>", "", cell)).strip()
             for cell in re.findall(r"<td.*?</td>", page)]
    rows = json.loads(workdir.results.read_text())["methods"]
    for name in METHODS:
        for value in rows[name]["vertical_ap"].values():
            shown = f"{100 * value:.1f}"
            assert shown in cells and shown in printed
    assert {"77.7", "88.8", "55.5", "23.4", "3.4", "12.3", "4,321", "12.5", "–",
            "4,321 after generalist’s"} <= set(cells)
    for vertical in VERTICALS:
        assert f"<span>{html.escape(vertical.replace('_', ' '), quote=False)}</span>" in page
        assert vertical.replace("_", " ") in printed


def test_ancestors_have_a_column_where_there_are_any(config, workdir):
    report.run(config, workdir)
    assert "ncestors’" not in page_of(workdir)
    values = json.loads(workdir.results.read_text())
    for row in values["methods"].values():
        row["ancestor_ap"] = 0.456
    write_json(workdir.results, values)
    report.run(config, workdir)
    assert "ancestors’<br>AP" in page_of(workdir) and "<td>45.6</td>" in page_of(workdir)


def test_heads_are_told_once(config, workdir):
    report.run(config, workdir)
    assert page_of(workdir).count("FC8-SC4<") == len(METHODS)


def test_rows_are_ordered_as_in_table_4(config, workdir):
    results = report.read_results(config, workdir)
    assert results.methods == ["generalist", "labels_only", "student", "specialists"]


def test_escapes_names(config, workdir):
    report.run(config, workdir)
    page = page_of(workdir)
    assert "<script" not in page and "<b>" not in page
    assert page.count("&lt;script&gt;") == 2 + 4  # Gallery; a confusion's names and pictures.
    assert '<li class="right">&lt;script&gt;' in page and "<li>cat</li>" in page


def test_needs_nothing_from_elsewhere(config, workdir):
    report.run(config, workdir)
    for path in [workdir.report, workdir.class_page, *map(workdir.vertical_page, VERTICALS)]:
        page = path.read_text(encoding="utf-8")
        sources = re.findall(r"src\s*=\s*[\"']?([^\"'\s>]*)", page)
        assert all(s.startswith("data:image/png;base64,") for s in sources)
        assert not re.search(r"https?://|url\(|@import|<link|import\(|fetch\(", page)
        for link in re.findall(r"<a href=\"([^\"]*)\"", page):
            assert (path.parent / urllib.parse.unquote(link)).is_file()
    assert page_of(workdir).count("<img") == 5  # Two figures, the gallery, and a confusion's two.


def test_writes_figures(config, workdir, drawing):
    write_log(workdir.student("student"), pace=[1.0, 1.1, 0.9], lines=100)
    report.run(config, workdir)
    pngs = sorted(workdir.figures.iterdir())
    assert [p.name for p in pngs] == ["loss.png", "pace.png", "vertical_ap.png"]
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in pngs)
    assert all(p.stat().st_size > 1000 for p in pngs)
    assert "Self-paced learning" in page_of(workdir)


def test_leaves_out_what_there_is_not(config, workdir):
    for path in (workdir.seconds, workdir.evaluation / "student" / "gallery.json"):
        path.unlink()
    report.run(config, workdir)
    assert not (workdir.figures / "pace.png").exists()
    for heading in ("Self-paced learning", "Test images", "Time of each stage"):
        assert heading not in page_of(workdir)


def test_skips_a_current_report_but_prints(config, workdir, capsys):
    assert report.run(config, workdir)
    first, before = capsys.readouterr().out, workdir.report.stat().st_mtime_ns
    assert not report.run(config, workdir)
    assert capsys.readouterr().out == first
    assert first.splitlines()[-1] == f"Report: {workdir.report}"
    assert workdir.report.stat().st_mtime_ns == before
    fabricate(workdir, student=0.06)
    assert report.run(config, workdir)


def test_prints_within_80_columns(config, workdir, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    values = json.loads(workdir.results.read_text())
    for i in range(9):
        values["methods"][f"another_student_{i}"] = values["methods"]["student"]
    write_json(workdir.results, values)
    write_classes(workdir, methods=list(values["methods"]))
    report.run(config, workdir)
    table = capsys.readouterr().out.splitlines()[:-1]
    assert max(map(len, table)) <= 80
    assert all(any(f"another student {i}" in line for line in table) for i in range(9))
    assert not any("…" in line for line in table)


def test_marks_the_best_single_network(config, workdir, capsys):
    report.run(config, workdir)
    row = next(x for x in capsys.readouterr().out.splitlines() if x.strip().startswith("big cats"))
    assert row.split() == ["big", "cats", "20.0", "22.0", "25.0*", "40.0"]
    assert '<td class="best">25.0</td>' in page_of(workdir)


def test_prints_top_1_over_all_classes(config, workdir, capsys):
    values = json.loads(workdir.results.read_text())
    values["methods"]["generalist"]["top1"] = 0.8
    write_json(workdir.results, values)
    report.run(config, workdir)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    place = next(i for i, line in enumerate(lines) if line[:1] == ["mean"])
    assert lines[place + 1] == ["top-1,", "all", "classes", "80.0*", "77.7", "77.7", "–"]


def test_noise_is_not_mistaken_for_images(config, workdir, capsys):
    values = json.loads(workdir.results.read_text())
    write_json(workdir.results, {**values, "synthetic": True})
    report.run(config, workdir)
    assert "SYNTHETIC INPUT" in page_of(workdir) and "SYNTHETIC INPUT" in capsys.readouterr().out


def test_names_the_missing_stage(config, tmp_path):
    with pytest.raises(MissingArtifactError, match="run the stage evaluate first"):
        report.run(config, Workdir(tmp_path))


def test_names_an_unknown_student(workdir):
    options = eft.get_config("smoke")
    options.student.name = "nobody"
    with pytest.raises(MissingArtifactError, match="'nobody'.*stage evaluate"):
        report.run(kc_config.build(options), workdir)


@pytest.mark.parametrize(("student", "expected", "verdict"), [
    (0.05, 0.25, "closes 25 % of the gap"),
    (-0.05, -0.25, "closes none of the gap from generalist to specialists (-25 %)"),
    (0.3, 1.5, "closes 150 % of the gap"),
])
def test_gap_closed(config, tmp_path, student, expected, verdict):
    workdir = fabricate(Workdir(tmp_path), student=student)
    results = report.read_results(config, workdir)
    assert results.gap_closed == pytest.approx(expected)
    assert verdict in report_text.headline(results)
    assert f"Gap closed: {100 * expected:.0f} % (generalist" in report_text.gap_line(results)


@pytest.mark.parametrize("specialists, shown", [(-0.1, "20.0"), (0.0, "30.0"), (0.009, "30.9")])
def test_a_gap_of_less_than_a_point_is_none(config, tmp_path, specialists, shown):
    results = report.read_results(config, fabricate(Workdir(tmp_path), specialists=specialists))
    means = ("generalist 30.0", "student 35.0", f"specialists {shown}")
    assert results.gap_closed is None
    assert "there is no gap worth speaking of. The student" in report_text.headline(results)
    assert report_text.gap_line(results) == (
        f"Gap closed: no gap worth speaking of ({', '.join(means)})"
    )


@pytest.mark.parametrize("absent", [
    ["generalist"], ["specialists"], ["generalist", "specialists"],
])
def test_says_nothing_of_networks_that_are_not_there(config, workdir, absent, capsys, drawing):
    values = json.loads(workdir.results.read_text())
    for name in absent:
        del values["methods"][name]
    write_json(workdir.results, values)
    report.run(config, workdir)
    page, printed = page_of(workdir).split("<details>")[0], capsys.readouterr().out
    assert f"Gap closed: unknown without {' and '.join(absent)}" in printed
    table = printed.split("Gap closed")[0]
    headline = re.search(r'<p class="headline">(.*?)</p>', page).group(1)
    for name in ("generalist", "specialists"):
        assert (name in table) == (name in headline) == (name not in absent)
    assert "student" in table and "labels only" in table
    assert "mean average precision of 35.0 %" in headline and headline.endswith("%.") != (
        absent == ["specialists"]
    )


def test_single_vertical(config, tmp_path, drawing):
    workdir = fabricate(Workdir(tmp_path), ("birds",))
    write_log(workdir.student("student"), pace=[1.0], lines=1)
    assert report.run(config, workdir)
    assert "in 1 vertical," in " ".join(page_of(workdir).split())
    assert (workdir.figures / "pace.png").stat().st_size > 1000


def test_says_how_a_student_was_taught(config, workdir):
    write_json(workdir.student("student") / "manifest.json", {"inputs": {"training": {
        "distill_weight": 1.0, "self_paced": {"level": "vertical"},
    }}})
    report.run(config, workdir)
    assert "FC8-SC4+D+S" in page_of(workdir)


def test_the_configuration_is_the_trained_networks_own(config, workdir):
    write_json(workdir.generalist / "manifest.json", {"inputs": {"training": {"head": "FC9-FC7"}}})
    report.run(config, workdir)
    assert "FC9-FC7" in page_of(workdir)


def test_curve_names_stand_apart():
    places = report_figures._spread([0.9, 0.9, 0.89, 0.02, 0.01, 0.0], 0.1)
    assert places == sorted(places, reverse=True)
    assert all(a - b >= 0.1 - 1e-9 for a, b in zip(places, places[1:], strict=False))
    assert min(places) >= 0 and max(places) <= 1


def test_many_verticals_name_only_the_outer_curves():
    verticals = [f"v{i}" for i in range(60)]
    log = [{"epoch": e, "pace": [1 + e * i for i in range(60)]} for e in range(3)]
    figure = report_figures.pace_curves({"student": log}, verticals)
    names = {text.get_text() for text in figure.axes[0].texts}
    assert len(names) == report_figures.MOST_LABELS
    assert {"v0", "v59"} <= names and "v30" not in names


@pytest.mark.parametrize("losses, scale", [
    ((200.0, 9.0), "log"), ((9.0, 2.0), "linear"), ((200.0, 0.0), "linear"), ((), "linear"),
])
def test_losses_that_fall_far_are_drawn_logarithmically(losses, scale):
    log = [{"step": i, "epoch": i, "loss": loss} for i, loss in enumerate(losses)]
    figure = report_figures.loss_curves({"student": log}, {}, {"student": "blue"})
    assert figure.axes[0].get_yscale() == scale
