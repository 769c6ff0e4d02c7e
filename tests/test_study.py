import importlib
import pkgutil
import sys

import ml_collections
import numpy as np
import pytest

from configs import eft
from configs import study as studies
from configs.study import figure5, self_informed
from kc_jax import artifacts, study
from kc_jax.config import ConfigError
from kc_jax.stages import process_tables, study_claims, study_tables
from kc_jax.workdir import Workdir


@pytest.fixture
def plan():
    config = ml_collections.ConfigDict()
    config.title = "Two students"
    config.base = eft.get_config("smoke")
    config.seeds = (0, 1)
    config.students = {
        "hard": {"distill_weight": 0.0, "self_paced": {"level": "none"}},
        "paced": {"self_paced": {"scale": 3.0}},
    }
    return config


def test_cells_change_what_they_say_and_nothing_else(plan):
    hard, paced = (study.cell_config(plan, 5, name) for name in ("hard", "paced"))
    assert (hard.seed, hard.student.name, hard.student.distill_weight) == (5, "hard", 0.0)
    assert hard.student.self_paced.level == "none"
    assert paced.student.self_paced.scale == 3.0 and paced.student.distill_weight == 1.0
    assert hard.generalist == paced.generalist and hard.teachers == paced.teachers


def test_the_table_gives_mean_and_deviation_over_seeds(plan):
    def metrics(value, top1, start):
        return {
            "head": "FC4-FC2", "params": 1234, "images_seen": 64, "mean_vertical_ap": value,
            "mean_vertical_top1": 0.5, "top1": top1, "top5": top1, "ancestor_ap": None,
            "starts_from": start, "images_per_second": None if top1 is None else 0.5,
        }

    results = [
        {"classes": 7, "verticals": 2, "methods": {
            name: metrics(value + shift, None if name == "specialists" else 0.25, start)
            for name, value, start in [
                ("generalist", 0.2, "scratch"), ("hard", 0.3, "scratch"),
                ("paced", 0.4, "generalist"), ("specialists", 0.5, "generalist"),
            ]
        }}
        for shift in (0.0, 0.1)
    ]
    lines = study_tables.students_table(plan.title, list(plan.students), results).splitlines()
    row = next(line for line in lines if line.startswith("| hard"))
    deviation = np.std([30, 40], ddof=1)
    assert f"| 35.0 ± {deviation:.1f} | 50.0 ± 0.0 | 25.0 ± 0.0 |" in row
    assert row.endswith("| — | 33.3 ± 0.0 | 1,234 | 64 | 2.1 ± 0.0 |")
    paced = next(line for line in lines if line.startswith("| paced"))
    assert paced.endswith("| 1,234 | 64 after generalist’s | 2.1 ± 0.0 |")
    assert [line.split(" | ")[0] for line in lines[4:8]] == [
        "| generalist", "| hard", "| paced", "| specialists",
    ]
    assert lines[7].endswith("| 64 after generalist’s | — |")  # It was not timed.
    hours = 3 * 2 * 64 / 0.5 / 3600
    assert lines[8:] == [
        "", f"Training these, one after the other and all seeds together: {hours:.1f} hours.",
    ]


@pytest.mark.slow
def test_a_study_shares_what_its_students_share(plan, tmp_path):
    plan.base.data.directory = str(tmp_path / "data")
    results = study.run_study(plan, tmp_path / "study")
    assert [result["seed"] for result in results] == [0, 1]
    for result in results:
        assert set(result["methods"]) == {"generalist", "hard", "paced", "specialists"}
    manifests = sorted((tmp_path / "study").rglob("manifest.json"))
    before = [path.stat().st_mtime_ns for path in manifests]
    assert study.run_study(plan, tmp_path / "study") == results
    assert before == [path.stat().st_mtime_ns for path in manifests]


@pytest.mark.slow
def test_settings_share_what_is_made_from_the_same_inputs(plan, tmp_path):
    plan.base.data.directory = str(tmp_path / "data")
    plan.seeds = (0,)
    plan.students = {"soft": {}}
    plan.settings = {"strict": {}, "tolerant": {"teachers": {"tolerance": {"confidence": 0.6}}}}
    root = tmp_path / "study"
    (result,) = study.run_study(plan, root)
    assert study_tables.methods_of([result], ("generalist", "soft", "specialists")) == [
        "strict/generalist", "strict/soft", "strict/specialists", "tolerant/soft",
        "tolerant/specialists",
    ]
    assert (root / "tolerant" / "seed_0" / "generalist").is_symlink()
    assert not (root / "tolerant" / "seed_0" / "students" / "soft").is_symlink()
    strict, tolerant = (
        study.cell_config(plan, 0, "soft", name).teachers.tolerance.confidence
        for name in plan.settings
    )
    assert (strict, tolerant) == (1.0, 0.6)
    assert study.run_study(plan, root) == [result]


@pytest.mark.slow
def test_a_papers_table_has_verticals_claims_and_a_figure(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["study.py", "--config=figure5.py", "--root=a folder"])
    plan = figure5.get_config()
    plan.base = eft.get_config("smoke")
    plan.base.data.directory = str(tmp_path / "data")
    plan.seeds = (0,)
    plan.update({"by_vertical": True, "methods_figure": True})
    plan.students = {name: plan.students[name] for name in ("sc_d", "sc_d_s")}
    plan.claims = (("pacing improves", "sc_d_s", "sc_d"),)
    study.main(plan, str(tmp_path / "study"))
    text = (tmp_path / "study" / "table.md").read_text()
    assert "| vertical | generalist | sc_d | sc_d_s | specialists |" in text
    assert "| pacing improves | mean AP | sc_d_s | sc_d |" in text and "| undecided |" in text
    assert "![Loss by epoch, seed 0](table_losses.png)" in text
    assert "![A dot a seed, a line at their mean](table_methods.png)" in text
    for name in ("losses", "methods"):
        figure = tmp_path / "study" / f"table_{name}.png"
        assert figure.read_bytes().startswith(b"\x89PNG")
    assert "Written with python " in text
    assert text.endswith(
        "```\npython -m kc_jax.study --config=figure5.py '--root=a folder'\n```\n"
    )


def test_methods_of_settings_stand_side_by_side_and_shared_ones_once():
    merged = study.merge_methods({
        "a": {"classes": 3, "methods": {"generalist": {"x": 1}, "s": {"x": 2}}},
        "b": {"classes": 3, "methods": {"generalist": {"x": 1}, "s": {"x": 1}}},
    })
    assert merged["classes"] == 3
    assert list(merged["methods"]) == ["a/generalist", "a/s", "b/generalist", "b/s"]
    alone = study.merge_methods({"": {"methods": {"s": {"x": 2}}}})
    assert alone["methods"] == {"s": {"x": 2}}
    order = study_tables.methods_of([merged], ("s", "generalist"))
    assert order == ["a/s", "a/generalist", "b/s"]


def test_verticals_stand_below_one_another():
    results = [
        {"methods": {
            "generalist": {"vertical_ap": {"birds": 0.5, "cars": 0.25 + shift}},
            "s": {"vertical_ap": {"birds": 0.75, "cars": 0.5}},
        }}
        for shift in (0.0, 0.1)
    ]
    lines = study_tables.verticals_table(["s"], results).splitlines()
    assert lines == [
        "| vertical | generalist | s |", "|---|---:|---:|",
        "| birds | 50.0 ± 0.0 | 75.0 ± 0.0 |", "| cars | 30.0 ± 7.1 | 50.0 ± 0.0 |",
    ]


def test_claims_are_put_to_the_test():
    results = [
        {"methods": {
            "good": {"mean_vertical_ap": 0.5 + 0.001 * seed, "top1": 0.3},
            "bad": {"mean_vertical_ap": 0.4, "top1": 0.3},
        }}
        for seed in range(3)
    ]
    claims = [
        ("up", "good", "bad"), ("down", "bad", "good"), ("top-1", "good", "bad", "top1"),
    ]
    lines = study_claims.claims_table(claims, results).splitlines()
    assert lines[4] == "| up | mean AP | good | bad | +10.1 | +9.9 to +10.3 | holds |"
    assert lines[5] == "| down | mean AP | bad | good | -10.1 | -10.3 to -9.9 | does not hold |"
    assert lines[6] == "| top-1 | top-1 | good | bad | +0.0 | +0.0 to +0.0 | does not hold |"
    lines = study_claims.claims_table(claims, results[:1]).splitlines()
    assert "over one seed" in lines[0]
    assert lines[4] == "| up | mean AP | good | bad | +10.0 | — | undecided |"
    with pytest.raises(ConfigError, match="'best'; there are bad, good"):
        study_claims.claims_table([("x", "best", "bad")], results)


def test_a_claim_is_about_a_number_of_its_methods():
    results = [{"methods": {"good": {"top1": 0.5, "head": "FC4"}, "none": {"top1": None}}}]
    for method, metric in [("good", "top7"), ("none", "top1"), ("good", "mean_vertical_ap")]:
        with pytest.raises(ConfigError, match=f"{metric!r} of {method!r}, which has no such"):
            study_claims.claims_table([("x", "good", method, metric)], results)


def process(name, alone, together):
    return {
        "process": name, "classes": 7, "baseline": {"top1": 0.5},
        "generations": [
            {"top1": a, "ensemble": {"top1": b}} for a, b in zip(alone, together, strict=True)
        ],
    }


def test_processes_by_generation_and_the_papers_claims():
    results = [
        {"methods": {
            "a": process("D(0.6, 0.5)", (0.4, 0.5, 0.6 + shift), (0.4, 0.6, 0.7)),
            "b": process("D(1.0, 0.0)", (0.5, 0.4, 0.3), (0.5, 0.5, 0.5)),
            "c": process("D(1.0, 0.5)", (0.5, 0.5, 0.4), (0.5, 0.5, 0.5)),
        }}
        for shift in (0.0, 0.1)
    ]
    lines = process_tables.processes_table("T", ["a", "b", "c"], results).splitlines()
    assert "| labels alone | 50.0 ± 0.0 | | |" in lines
    deviation = np.std([60, 70], ddof=1)
    assert f"| D(0.6, 0.5) | 40.0 ± 0.0 | 50.0 ± 0.0 | 65.0 ± {deviation:.1f} |" in lines
    assert "| D(0.6, 0.5), together | 40.0 ± 0.0 | 60.0 ± 0.0 | 70.0 ± 0.0 |" in lines
    nothing = "0.0 ± 0.0 | 0.0 ± 0.0 | 0.0 ± 0.0"
    assert (
        f"| D(1.0, 0.0) | 0.0 ± 0.0 | -10.0 ± 0.0 | -15.0 ± 0.0 | {nothing} | 0.0 ± 0.0 |" in lines
    )
    claims = next(line for line in lines if line.startswith("| D(0.6, 0.5) | -10.0"))
    assert claims.split(" | ")[2].startswith("15.0 ±")
    assert claims.split(" | ")[4:7] == ["22.5 ± 3.5", "12.5 ± 3.5", "20.0 ± 0.0"]

    def without(*names):
        return process_tables.processes_table("T", ["a"], [
            {"methods": {n: run for n, run in seed["methods"].items() if n not in names}}
            for seed in results
        ])

    assert "| mean of students − labels | all together − best alone |" in without("b", "c")
    assert "D(1.0, same λ)" in without("b") and "− D(1.0, 0.0)" not in without("b")
    assert "D(1.0, same λ)" not in without("c") and "− D(1.0, 0.0)" in without("c")


def test_processes_may_differ_in_length_and_lack_a_baseline():
    def table(**changes):
        runs = {"a": process("A", (0.4, 0.5), (0.4, 0.6)),
                "b": process("B", (0.5, 0.5, 0.4), (0.5, 0.5, 0.6))}
        runs = {name: {**run, **changes} for name, run in runs.items()}
        return process_tables.processes_table("T", ["a", "b"], [{"methods": runs}]).splitlines()

    assert "| A, together | 40.0 | 60.0 | — |" in table()
    assert "| B, together | 50.0 | 50.0 | 60.0 |" in table()
    lines = table(baseline=None)
    assert "| labels alone | — | | |" in lines
    assert not any("− labels" in line for line in lines)


def test_claims_about_processes_are_put_to_the_test(tmp_path):
    workdir = Workdir(tmp_path)
    for name, students in (("tolerant", (0.5, 0.7)), ("strict", (0.4, 0.5))):
        path = workdir.generation_results(name)
        artifacts.write_json(path, process("D", (0.2, *students), (0.2, 0.3, students[1])))
    found = study.KINDS["processes"].read(None, workdir, ["tolerant", "strict"])
    claims = [(metric, "tolerant", "strict", metric) for metric in
              ("patriarch", "students", "together")]
    lines = study_claims.claims_table(claims, [found, found]).splitlines()[-3:]
    assert [line.split(" | ")[4] for line in lines] == ["+0.0", "+15.0", "+20.0"]


@pytest.mark.slow
def test_a_study_of_structures_has_their_agreement_and_claims(tmp_path):
    plan = self_informed.get_config("smoke")
    plan.base.data.directory = str(tmp_path / "data")
    plan.seeds = (0,)
    names = ("confusions", "longer")
    plan.structures = {name: plan.structures[name] for name in names}
    plan.claims = [claim for claim in plan.claims if set(claim[1:3]) <= set(names)]
    study.main(plan, str(tmp_path / "study"))
    lines = (tmp_path / "study" / "table.md").read_text("utf-8").splitlines()
    rows = {line.split(" | ")[0].strip("| "): line for line in lines if line.startswith("| ")}
    assert {"generalist", *names} <= set(rows)
    clusters = artifacts.read_json(
        tmp_path / "study" / "seed_0" / "structures" / "confusions" / artifacts.MANIFEST
    )
    assert sum(clusters["placed"].values()) == sum(clusters["sizes"])
    agreement = {name: rows[name].split(" | ")[-1].strip(" |") for name in names}
    assert -1 <= float(agreement["confusions"]) <= 1 and agreement["longer"] == study_tables.NOTHING
    assert "heads beat going on with the whole network" in rows


def test_structures_beside_their_base():
    def method(share, cost):
        return {
            "mean_ap_at_50": share, "mean_vertical_ap": 0.5, "mean_vertical_top1": 0.5,
            "top1": 0.25, "top5": 0.5, "ancestor_ap": None, "multiply_adds": cost,
        }

    results = [
        {"classes": 7, "methods": {
            "generalist": method(0.4, 1000),
            "a": {**method(share, 1026), "rand_index": share - 0.35},
        }}
        for share in (0.5, 0.7)
    ]
    lines = study_tables.structures_table("T", ["a"], results).splitlines()
    assert lines[2].startswith("| network | mAP at top 50 | mean AP |")
    assert lines[-2].startswith("| generalist | 40.0 ± 0.0 |")
    assert lines[-1].startswith(f"| a | 60.0 ± {np.std([50, 70], ddof=1):.1f} |")
    assert lines[-2].endswith("| 1,000 | 1.000 | — |")
    assert lines[-1].endswith("| 1,026 | 1.026 | 0.25 ± 0.14 |")
    by_setting = [study.merge_methods({"wide": seed, "narrow": {"classes": 7, "methods": {
        "generalist": method(0.3, 100), "a": method(0.4, 150),
    }}}) for seed in results]
    lines = study_tables.structures_table("T", ["a"], by_setting).splitlines()
    assert [line.split(" | ")[-2] for line in lines[-4:]] == ["1.000", "1.026", "1.000", "1.500"]


def test_a_study_of_processes_varies_generations(plan):
    del plan.students
    plan.processes = {"strict": {"tolerance": {"confidence": 1.0}}}
    built = study.cell_config(plan, 3, "strict")
    assert (built.seed, built.generations.name) == (3, "strict")
    assert built.generations.tolerance.confidence == 1.0


@pytest.mark.parametrize("changes, what", [
    ({"students": {}}, "nothing"),
    ({"processes": {"a": {"temperature": 2.0}}}, "students and processes"),
])
def test_a_study_varies_one_thing(plan, changes, what):
    for name, variants in changes.items():
        plan[name] = variants
    with pytest.raises(ConfigError, match=f"the study varies {what}"):
        study.kind_of(plan)


@pytest.mark.parametrize("change, message", [
    ({"settings": {"noisy": {"data": {"noise": 0.5}}}}, "config.data.noise is unknown"),
    ({"students": {"odd": {"heads": "FC4"}}}, "config.student.heads is unknown.*'head'"),
    ({"students": {"odd": {"distill_weight": "all"}}}, "'odd', a variant of student, does not"),
    ({"students": {"odd": {"head": "XX4"}}}, "XX4"),
    ({"claims": (("up", "hard", "pacd"),)}, "the claim 'up' names the method 'pacd'; there are"),
    ({"claims": (("up", "hard"),)}, "has 2 parts"),
    ({"students": {}, "processes": {"a": {}}, "settings": {"x": {}, "y": {}}}, "one setting"),
    ({"seeds": ()}, "config.seeds is missing or empty"),
])
def test_a_study_that_would_fail_is_refused_before_anything_is_trained(plan, change, message):
    for name, value in change.items():
        plan[name] = value
    plan.lock()  # As flags do.
    with pytest.raises(ConfigError, match=message):
        study.check(plan)


def test_the_shipped_studies_are_whole():
    for module in pkgutil.iter_modules(studies.__path__):
        shipped = importlib.import_module(f"{studies.__name__}.{module.name}")
        if hasattr(shipped, "get_config"):
            study.check(shipped.get_config())
