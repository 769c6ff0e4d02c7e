"""A working directory as evaluate leaves it, written by hand, for tests of the report."""

import json

import numpy as np

from kc_jax.artifacts import TRAINING_LOG, write_json
from kc_jax.core import label_space
from kc_jax.stages import class_table
from kc_jax.stages.gallery import encode_png
from kc_jax.workdir import Workdir

VERTICALS = ("big_cats", "<b>&birds", "$x$ 漢字")
METHODS = ("generalist", "student", "labels_only", "specialists")
NASTY = "<script>alert('x')</script> & co"


def method(offset: float, params: int, verticals=VERTICALS, **more) -> dict:
    vertical_ap = {v: 0.2 + 0.1 * i + offset for i, v in enumerate(verticals)}
    return {
        "mean_vertical_ap": sum(vertical_ap.values()) / len(vertical_ap),
        "vertical_ap": vertical_ap,
        "mean_vertical_top1": 0.123,
        "ancestor_ap": None,
        "params": params,
        "images_seen": 4_321,
        "head": "FC8-SC4",
        **more,
    }


def fabricate(workdir: Workdir, verticals=VERTICALS, *, student=0.05, specialists=0.2) -> Workdir:
    overall = {"top1": 0.777, "top5": 0.888, "mean_ap_at_50": 0.555,
               "ece_before": 0.234, "ece_after": 0.034}
    methods = {
        "generalist": method(0, 1_000_001, verticals, **overall),
        "labels_only": method(0.02, 1_000_002, verticals, **overall),
        "student": method(
            student, 1_500_003, verticals, starts_from="generalist", **overall
        ),
        "specialists": method(specialists, 9_000_004, verticals, top1=None, top5=None,
                              ece_before=None, ece_after=None),
    }
    write_json(workdir.results, {
        "classes": 30, "verticals": len(verticals), "seed": 7, "judged_on": "test",
        "test_examples": 99,
        "methods": methods,
    })
    for directory in (workdir.generalist, workdir.student("student"),
                      workdir.student("labels_only"), *map(workdir.teacher, verticals)):
        write_log(directory)
    png = encode_png(np.zeros((4, 4, 1), np.uint8)).hex()
    write_json(workdir.evaluation / "student" / "gallery.json", [{
        "record": 1, "labels": [NASTY], "names": [["cat", False], [NASTY, True]],
        "verticals": [verticals[0]], "png": png,
    }])
    pair = {"label": 0, "name": 1, "count": 1234, "of": 5678, "images": [png], "name_image": png}
    write_json(workdir.evaluation / "student" / "confusions.json", {
        "missed": 0, "overall": [pair], "verticals": {verticals[0]: [pair]},
    })
    write_classes(workdir, verticals)
    write_json(workdir.seconds, {"train_student": 12.5})
    return workdir


def write_classes(workdir: Workdir, verticals=VERTICALS, methods=METHODS, size=3) -> None:
    """Writes the classes of verticals of one size, of which every third was not judged."""
    space = label_space.from_rows([
        {"class_id": size * v + i, "name": f"{NASTY} {v}{i}", "vertical": vertical,
         "path": f"root/{v}/{NASTY} {v}{i}"}
        for v, vertical in enumerate(verticals) for i in range(size)
    ])
    count = space.num_classes
    class_table.write(
        workdir.class_table, space, 10 * np.arange(count), np.resize([2, 1, 0], count),
        {m: {str(c): None if c % 3 == 2 else (c + i) / (count + 9) for c in range(count)}
         for i, m in enumerate(methods)},
    )


def write_log(directory, pace: list[float] | None = None, lines: int = 5) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    extra = {} if pace is None else {"pace": pace}
    (directory / TRAINING_LOG).write_text("".join(
        json.dumps({"step": i, "loss": 9.0 / (i + 1), "epoch": i / 2, **extra}) + "\n"
        for i in range(1, lines + 1)
    ))


def page_of(workdir: Workdir) -> str:
    return workdir.report.read_text(encoding="utf-8")
