"""The sortable table in a real browser, where there is one."""

import csv
import io
import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from kc_jax.stages import class_table, report
from kc_jax.stages.report_text import percent
from tests.stages.fabricated import METHODS, NASTY, VERTICALS, write_classes

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
SIZE, PAGE = 40, 50
SHOWN_METHODS = ("generalist", "labels_only", "student", "specialists")
NUMBERS = range(2, 8)  # Columns: images for training and tests, four methods.
COLUMNS = range(9)

pytestmark = [
    pytest.mark.usefixtures("no_drawing"),
    pytest.mark.skipif(not BROWSER, reason="needs the browser Chromium"),
]

# Every step gives the rows that are shown, the line below them and how the columns are sorted.
DRIVER = """
<script>
const steps = %s;
const find = (id) => document.getElementById(id);
const set = (id, change, event) => { change(find(id)); find(id).dispatchEvent(new Event(event)); };
window.Blob = class { constructor(parts) { window.saved = parts.join(""); } };
URL.createObjectURL = () => "#";
URL.revokeObjectURL = () => {};
const act = {
  sort: (index) => document.querySelectorAll("#classes button")[index].click(),
  search: (text) => set("search", (input) => { input.value = text; }, "input"),
  vertical: (index) => set("vertical", (select) => { select.selectedIndex = index; }, "change"),
  press: (id) => find(id).click(),
};
const states = steps.map(([action, value]) => {
  act[action](value);
  return {
    rows: [...document.querySelectorAll("#classes tbody tr")].map(
      (row) => [...row.children].map((cell) => cell.textContent)),
    shown: find("shown").textContent,
    sorted: [...document.querySelectorAll("#classes thead th")].map(
      (header) => header.getAttribute("aria-sort")),
    disabled: ["first", "previous", "next", "last"].filter((id) => find(id).disabled),
    html: document.querySelectorAll("#classes script, #classes b").length,
    saved: window.saved,
  };
});
const out = document.createElement("script");
out.type = "application/json";
out.id = "states";
out.textContent = JSON.stringify(states).replaceAll("<", "\\\\u003c");
document.body.append(out);
</script>
"""


@pytest.fixture
def table(config, workdir):
    write_classes(workdir, size=SIZE)
    report.run(config, workdir)
    return class_table.read(workdir.class_table, METHODS)


def drive(page, tmp_path, *steps):
    """Opens a page in the browser, takes steps on it and gives the state after each."""
    driven = tmp_path / "driven.html"
    text = page.read_text(encoding="utf-8") + DRIVER % json.dumps(steps).replace("<", "\\u003c")
    driven.write_text(text, encoding="utf-8")
    found = subprocess.run(
        [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
         f"--user-data-dir={tmp_path}/browser", "--dump-dom", driven.as_uri()],
        capture_output=True, text=True, encoding="utf-8", timeout=120, check=True,
    ).stdout
    return json.loads(re.search(r'id="states">(.*?)</script>', found, re.S)[1])


def rows_of(table):
    """Gives the rows as they are to be shown, and what they are sorted by."""
    for c in range(len(table)):
        aps = [table.class_ap[m][c] for m in SHOWN_METHODS]
        name, counts = table.names[c], [table.training_images[c], table.test_images[c]]
        vertical = table.verticals[c].replace("_", " ")
        path = table.paths[c].removesuffix(name)
        yield (
            [name, vertical, *(f"{n:,}" for n in counts), *map(percent, aps), path],
            [name.lower(), vertical.lower(), *counts,
             *(None if np.isnan(x) else float(percent(x)) for x in aps), path.lower()],
        )


def by_column(rows, index, falls):
    """Sorts rows; equal ones stay in the order of their ids, those without a value come last."""
    known = [row for row in rows if row[1][index] is not None]
    known = sorted(known, key=lambda row: row[1][index], reverse=falls)
    return [*known, *(row for row in rows if row[1][index] is None)]


def test_sorts_by_every_column_both_ways(table, workdir, tmp_path):
    steps = [["sort", index] for index in COLUMNS for _ in range(2)]
    states = drive(workdir.class_page, tmp_path, *steps)
    rows = list(rows_of(table))
    for (_, index), state, turn in zip(steps, states, len(steps) * [0, 1], strict=False):
        falls = (index in NUMBERS) != bool(turn)
        wanted = by_column(rows, index, falls)[:PAGE]
        assert state["rows"] == [shown for shown, _ in wanted]
        sort = "descending" if falls else "ascending"
        assert state["sorted"] == [sort if i == index else "none" for i in COLUMNS]
        assert state["shown"] == "1–50 of 120" and not state["html"]


def test_searches_filters_pages_and_saves(table, workdir, tmp_path):
    names = [row[0] for row, _ in rows_of(table)]
    states = drive(
        workdir.class_page, tmp_path,
        ["press", "next"], ["press", "next"], ["press", "previous"], ["press", "last"],
        ["search", "CO 11"], ["vertical", 2], ["press", "save"], ["vertical", 1],
        ["search", "root/0"], ["vertical", 0], ["search", "<b>"], ["search", ""],
    )
    pages = [[row[0] for row in state["rows"]] for state in states]
    assert pages[:4] == [names[50:100], names[100:], names[50:100], names[100:]]
    assert [state["shown"] for state in states[:2]] == ["51–100 of 120", "101–120 of 120"]
    assert [state["disabled"] for state in states[:3]] == [[], ["next", "last"], []]
    found = [name for name in names if "co 11" in name.lower()]
    assert pages[4] == pages[5] == found and len(found) == 11  # All of the second vertical.
    saved = list(csv.reader(io.StringIO(states[6]["saved"])))
    assert saved[0][:3] == ["class", "vertical", "training images"]
    assert saved[0][4] == "generalist AP (%)"
    assert [row[0] for row in saved[1:]] == found
    assert saved[1][1:4] == ["<b>&birds", "410", "0"]
    assert pages[7] == [] and states[7]["shown"] == "none"
    assert pages[8] == pages[9] == names[:SIZE]
    assert pages[10] == [] and pages[11] == names[:PAGE]
    assert states[11]["disabled"] == ["first", "previous"]


def test_a_verticals_table_is_its_own(table, workdir, tmp_path):
    (state,) = drive(workdir.vertical_page(VERTICALS[1]), tmp_path, ["search", NASTY.upper()])
    rows = [row for row, _ in rows_of(table)][SIZE : 2 * SIZE]
    assert state["rows"] == [[row[0], *row[2:]] for row in rows]
