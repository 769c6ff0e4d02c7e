"""Measures the report of a large label space: writing its pages, and opening them in a browser.

python -m benchmarks.report --classes=100000 --verticals=20 --rounds=3   # defaults but for rounds
python -m benchmarks.report --json

Costs a minute and 100 MB of the temporary folder. What `evaluate` writes is made up: names, paths,
average precision of three networks, confusions and samples with noise for images.

``*_s`` are medians in seconds. Those of the browser, which Chromium gives where it is installed,
are of the page of all classes in a new process, which takes ``process`` in all: ``show`` from the
start of navigation until the script has put up the first rows, ``sort`` by a column of numbers,
``sort_names`` by names, ``search`` for three letters in names and paths, each until its rows are
laid out. ``rank`` is what `evaluate` needs to rank a batch of 256 images for top-5 and AP@50, and
``confuse`` what it needs to count the batch's confusions; ``draw`` of one vertical's two figures.
"""

import json
import pathlib
import re
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Callable

import numpy as np
from absl import app, flags

from benchmarks import measure
from configs import eft
from kc_jax import artifacts
from kc_jax import config as config_lib
from kc_jax.core import label_space
from kc_jax.data.sources import Source
from kc_jax.stages import (
    class_table,
    confusions,
    evaluate,
    gallery,
    judging,
    report,
    report_pages,
)
from kc_jax.workdir import Workdir

_CLASSES = flags.DEFINE_integer("classes", 100_000, "In all verticals.", lower_bound=1)
_VERTICALS = flags.DEFINE_integer("verticals", 20, "Of equal sizes.", lower_bound=1)
_BROWSER = flags.DEFINE_string("browser", shutil.which("chromium") or "", "Chromium, or nothing.")

METHODS = ("generalist", "student", "specialists")
BATCH_SIZE = 256
DRIVER = """
<script>
const measured = { show_s: performance.now() };
const time = (name, act) => {
  const start = performance.now();
  act();
  document.body.offsetHeight;  // Has the rows laid out.
  measured[name] = performance.now() - start;
};
const buttons = document.querySelectorAll("#classes button");
time("sort_s", () => buttons[5].click());
time("sort_names_s", () => buttons[0].click());
time("search_s", () => {
  const search = document.getElementById("search");
  search.value = "ing";
  search.dispatchEvent(new Event("input"));
});
document.body.append(`measured ${JSON.stringify(measured)} end`);
</script>
"""


def make_run(workdir: Workdir, space: label_space.LabelSpace, rng: np.random.Generator) -> None:
    """Writes what a report is made from."""
    shape = (space.num_classes,)
    class_ap = {
        method: {str(c): round(x, 6) for c, x in enumerate(rng.uniform(size=shape).tolist())}
        for method in METHODS
    }
    class_table.write(
        workdir.class_table, space, rng.zipf(1.5, shape) % 5000, np.full(shape, 50), class_ap
    )
    artifacts.write_json(workdir.results, {
        "classes": space.num_classes, "verticals": space.num_verticals, "seed": 0,
        "judged_on": "test", "test_examples": 50 * space.num_classes,
        "methods": {method: {
            "mean_vertical_ap": 0.5, "vertical_ap": dict.fromkeys(space.verticals, 0.5),
            "mean_vertical_top1": 0.5, "ancestor_ap": None, "top1": 0.5, "top5": 0.5,
            "ece_before": 0.2, "ece_after": 0.1,
            "params": 1, "images_seen": 1, "head": "FC4096-SC512",
        } for method in METHODS},
    })
    for directory in map(workdir.teacher, space.verticals):
        artifacts.write_text(directory / artifacts.TRAINING_LOG, "".join(
            json.dumps({"step": i, "loss": 9 / i, "epoch": i / 50}) + "\n" for i in range(1, 500)
        ))
    shown = workdir.evaluation / "student"
    artifacts.write_json(shown / evaluate.CONFUSIONS, make_confusions(space, rng))
    artifacts.write_json(shown / evaluate.GALLERY, [{
        "record": i, "labels": ["a label"], "names": [["a name", False]] * 3,
        "verticals": [space.verticals[i % space.num_verticals]], "png": make_png(rng),
    } for i in range(60)])


def make_space(rng: np.random.Generator) -> label_space.LabelSpace:
    """Makes a hierarchy of four levels whose names have two words of nine letters."""
    words = rng.choice([*"abcdefghilmnoprstu"], size=(_CLASSES.value, 18)).view("<U18")[:, 0]
    verticals = np.arange(_CLASSES.value) * _VERTICALS.value // _CLASSES.value
    return label_space.from_rows([
        {"class_id": c, "name": f"{word[:9]} {word[9:]}ing {c}", "vertical": f"vertical {v:02d}",
         "path": f"root/vertical {v:02d}/family {c // 50:05d}/{word[:9]} {word[9:]}ing {c}"}
        for c, (word, v) in enumerate(zip(words.tolist(), verticals.tolist(), strict=True))
    ])


def make_confusions(space: label_space.LabelSpace, rng: np.random.Generator) -> dict:
    """Makes twelve pairs a vertical and twelve of all, with three images and one."""
    def pairs():
        return [{
            "label": int(rng.integers(space.num_classes)), "count": 40, "of": 50,
            "name": int(rng.integers(space.num_classes)),
            "images": [make_png(rng) for _ in range(3)], "name_image": make_png(rng),
        } for _ in range(12)]

    return {
        "missed": 0, "overall": pairs(), "verticals": {name: pairs() for name in space.verticals},
    }


def make_png(rng: np.random.Generator) -> str:
    """Makes an image as large as pages show it, of noise as coarse as in a photograph's PNG."""
    side = gallery.LARGEST // 2
    return gallery.encode_png(
        rng.integers(256, size=(side, side, 3), dtype=np.uint8).repeat(2, 0).repeat(2, 1)
    ).hex()


def open_in_browser(page: pathlib.Path, directory: pathlib.Path) -> dict[str, float]:
    """Opens a page in a new process of the browser and times what a reader does."""
    driven = directory / "driven.html"
    driven.write_text(page.read_text(encoding="utf-8") + DRIVER, encoding="utf-8")
    seconds, done = measure.timed(lambda: subprocess.run(
        [_BROWSER.value, "--headless", "--no-sandbox", "--disable-gpu",
         "--disable-background-networking", f"--user-data-dir={directory / 'profile'}",
         "--dump-dom", driven.as_uri()],
        capture_output=True, text=True, encoding="utf-8", check=True, timeout=300,
    ))
    found = json.loads(re.search(r"measured (\{.*?\}) end", done.stdout)[1])
    return {**{name: ms / 1000 for name, ms in found.items()}, "process_s": seconds}


def evaluators(space: label_space.LabelSpace, rng: np.random.Generator) -> dict[str, Callable]:
    """Gives what judges a batch of random logits, of an image a class."""
    labels = tuple((c,) for c in rng.permutation(space.num_classes).tolist())
    test = judging.TestSet(Source("test", labels, None, "made up"), space, 1)
    examples = np.arange(min(BATCH_SIZE, len(labels)))
    logits = rng.standard_normal((len(examples), space.num_classes), dtype=np.float32)
    return {
        "rank_s": lambda: judging.OverallJudge(test, 50).add(examples, logits),
        "confuse_s": lambda: confusions.Confusions(test).add(examples, logits),
    }


def megabytes(*paths: pathlib.Path) -> float:
    return round(max(path.stat().st_size for path in paths) / 1e6, 2)


def compare(directory: pathlib.Path, rounds: int) -> dict:
    """Writes the report and opens its page of all classes; gives medians and sizes."""
    config = config_lib.build(eft.get_config())
    workdir = Workdir(directory / "run")
    rng = np.random.default_rng(0)
    space = make_space(rng)
    make_run(workdir, space, rng)
    evaluate_s = measure.median_seconds(evaluators(space, rng), rounds)

    def write() -> dict[str, float]:
        artifacts.remove(workdir.report)
        seconds, is_new = measure.timed(lambda: report.run(config, workdir))
        assert is_new
        found = open_in_browser(workdir.class_page, directory) if _BROWSER.value else {}
        return {"write_s": seconds, **found}

    write()
    taken = [write() for _ in range(rounds)]
    results = report.read_results(config, workdir)
    table = class_table.read(workdir.class_table, results.methods)
    vertical = results.verticals[0]
    rows = table.of_vertical(vertical)
    draw_s = measure.median_seconds({
        "draw_s": lambda: report_pages.make_figures(workdir, results, table, vertical, rows),
    }, rounds)
    return {
        "classes": _CLASSES.value, "verticals": _VERTICALS.value,
        "csv_mb": megabytes(workdir.class_table), "report_mb": megabytes(workdir.report),
        "class_page_mb": megabytes(workdir.class_page),
        "largest_vertical_page_mb": megabytes(
            *map(workdir.vertical_page, results.verticals)
        ),
        **{name: round(statistics.median(one[name] for one in taken), 3) for name in taken[0]},
        **{name: round(seconds, 3) for name, seconds in {**evaluate_s, **draw_s}.items()},
    }


def main(argv) -> None:
    del argv
    with tempfile.TemporaryDirectory() as directory:
        rounds = measure.ROUNDS.value
        measure.report(__file__, (compare(pathlib.Path(d), rounds) for d in [directory]))


if __name__ == "__main__":
    app.run(main)
