import dataclasses
import importlib
import inspect
import pathlib
import pkgutil
import sys

import ml_collections
import numpy as np
import pytest
from absl.testing import flagsaver

from configs import eft
from configs import study as studies
from configs.study import figure5, generations, self_informed, verticals
from kc_jax import artifacts, study
from kc_jax.config import ConfigError
from kc_jax.errors import UserError
from kc_jax.stages import (
    process_tables,
    report_figures,
    study_claims,
    study_figures,
    study_kinds,
    study_page,
    study_tables,
)
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


def has_what_claims_may_name(plan, result):
    """Checks that results have all numbers that were promised, and of specialists no more."""
    built = study.check(plan)
    cells = {name: study.build_cell(built, 0, name, "") for name in built.variants}
    for method, metrics in built.kind.metrics(cells).items():
        found = result["methods"][method]
        numbers = {name for name in found if found[name] is not None} | {"ancestor_ap"}
        assert set(metrics) <= numbers
        assert ("top1" in metrics) == ("top1" in numbers)


@pytest.mark.slow
def test_a_study_shares_what_its_students_share(plan, tmp_path):
    plan.base.data.directory = str(tmp_path / "data")
    results = study.run_study(study.check(plan), tmp_path / "study")
    assert [result["seed"] for result in results] == [0, 1]
    for result in results:
        assert set(result["methods"]) == {"generalist", "hard", "paced", "specialists"}
        has_what_claims_may_name(plan, result)
    manifests = sorted((tmp_path / "study").rglob("manifest.json"))
    before = [path.stat().st_mtime_ns for path in manifests]
    assert study.run_study(study.check(plan), tmp_path / "study") == results
    assert before == [path.stat().st_mtime_ns for path in manifests]


@pytest.mark.slow
def test_settings_share_what_is_made_from_the_same_inputs(plan, tmp_path):
    plan.base.data.directory = str(tmp_path / "data")
    plan.seeds = (0,)
    plan.students = {"soft": {}}
    plan.settings = {"strict": {}, "tolerant": {"teachers": {"tolerance": {"confidence": 0.6}}}}
    root = tmp_path / "study"
    (result,) = study.run_study(study.check(plan), root)
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
    assert study.run_study(study.check(plan), root) == [result]


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
    merged = study_kinds.merge_methods({
        "a": {"classes": 3, "methods": {"generalist": {"x": 1}, "s": {"x": 2}}},
        "b": {"classes": 3, "methods": {"generalist": {"x": 1}, "s": {"x": 1}}},
    })
    assert merged["classes"] == 3
    assert list(merged["methods"]) == ["a/generalist", "a/s", "b/generalist", "b/s"]
    alone = study_kinds.merge_methods({"": {"methods": {"s": {"x": 2}}}})
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
    found = study_kinds.KINDS["processes"].read(None, workdir, ["tolerant", "strict"])
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
    narrow = {"generalist": method(0.3, 100), "a": method(0.4, 150)}
    for values in narrow.values():
        values["mean_ap_at_5"] = values.pop("mean_ap_at_50")
    by_setting = [
        study_kinds.merge_methods({"wide": seed, "narrow": {"classes": 7, "methods": narrow}})
        for seed in results
    ]
    lines = study_tables.structures_table("T", ["a"], by_setting).splitlines()
    assert [line.split(" | ")[-2] for line in lines[-4:]] == ["1.000", "1.026", "1.000", "1.500"]
    assert lines[2].startswith("| network | mAP at top 50 | mAP at top 5 | mean AP |")
    assert lines[-1].startswith("| narrow/a | — | 40.0 ± 0.0 |")


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


def changed(plan, change):
    for name, value in change.items():
        if name in plan:
            del plan[name]  # What takes its place may have another type.
        plan[name] = value
    return plan.lock()  # As flags do.


SETTINGS = {"one": {}, "two": {"data": {"verticals": "discovered"}}}


@pytest.mark.parametrize("change, message", [
    ({"settings": {"noisy": {"data": {"noise": 0.5}}}}, "config.data.noise is unknown"),
    ({"students": {"odd": {"heads": "FC4"}}}, "config.student.heads is unknown.*'head'"),
    ({"students": {"odd": {"distill_weight": "all"}}}, "'odd', a variant of student, does not"),
    ({"students": {"odd": {"head": "XX4"}}}, "XX4"),
    ({"claims": (("up", "hard", "pacd"),)}, "the claim 'up' names the method 'pacd'; there are"),
    ({"claims": (("up", "hard"),)}, "has 2 parts"),
    ({"students": {}, "processes": {"a": {}}, "settings": {"x": {}, "y": {}}}, "one setting"),
    ({"seeds": ()}, "config.seeds is missing or empty"),
    ({"seeds": (0, 0)}, r"config.seeds is \(0, 0\); expected a list in which nothing comes twice"),
    ({"seeds": 3}, "config.seeds is 3; expected a list"),
    ({"seeds": (0, 1.5)}, r"config.seeds\[1\] is 1.5; expected a value of type int"),
    ({"seeds": (0, 2**32)}, r"config.seeds\[1\] is 4294967296; expected less than"),
    ({"title": 3}, "config.title is 3; expected a value of type str"),
    ({"base": 3}, "config.base is 3; expected a value of type ConfigDict"),
    ({"setings": {"x": {}}}, "config.setings is unknown; did you mean 'settings'"),
    ({"by_verticals": True}, "config.by_verticals is unknown; did you mean 'by_vertical'"),
    ({"loss_figure": "yes"}, "config.loss_figure is 'yes'; expected a value of type bool"),
    ({"students": {"odd": None}}, "config.students.odd is None; expected a group of options"),
    ({"students": ["hard"]}, r"config.students is \['hard'\]; expected a group of options"),
    ({"settings": {"x": None}}, "config.settings.x is None; expected a group of options"),
    ({"settings": ["x"]}, r"config.settings is \['x'\]; expected a group of options"),
    ({"settings": {"x": {"data": None}}}, "the setting 'x' does not fit.* data is None; expected"),
    ({"settings": {"x": {"student": 3}}}, "the setting 'x' does not fit.* student is 3; expected"),
    ({"claims": ("up",)}, r"config.claims\[0\] is 'up'; expected a list"),
    ({"claims": (("up", "hard", 3),)}, r"config.claims\[0\]\[2\] is 3; expected a value of type"),
    ({"settings": {"x": {"seed": 7}}}, "the setting 'x' changes the seed to 7, but the study's"),
    ({"settings": {"x": {"seed": 0}}}, "the setting 'x' changes the seed to 0, but the study's"),
    ({"settings": {"x": {"student": {"name": "other"}}}}, "'x' changes the name to 'other'"),
    ({"students": {"odd": {"name": "other"}}}, "'odd', a variant of student, changes the name"),
    ({"students": {"odd": {"seed": 7}}}, "config.student.seed is unknown"),
    ({"claims": (("up", "hard", "paced", "top_1"),)},
     "the claim 'up' is about 'top_1' of 'hard', which has no such number; did you mean 'top1'"),
    ({"claims": (("up", "specialists", "hard", "top1"),)}, "'top1' of 'specialists', which has no"),
    ({"claims": (("up", "hard", "paced", "params"),)}, "'params' of 'hard', which has no such"),
    ({"claims": (("up", "two/specialists", "two/hard"),), "settings": SETTINGS},
     "names the method 'two/specialists'; there are"),
    ({"students": {}, "processes": {"a": {}, "b": {}}, "claims": (("up", "a", "b"),)},
     "'mean_vertical_ap' of 'a', which has no such number. It has patriarch, students, together"),
    *(({"students": {}, "processes": {"a": {}}, part: True},
       f"config.{part} is True, but a study of generations has no such part; take it out")
      for part in study_kinds.FURTHER),
])
def test_a_study_that_would_fail_is_refused_before_anything_is_trained(plan, change, message):
    with pytest.raises(ConfigError, match=message):
        study.check(changed(plan, change))


@pytest.mark.parametrize("change", [
    {"claims": [["up", "hard", "paced"], ["up", "specialists", "hard", "mean_vertical_ap"]]},
    {"claims": (("up", "hard", "paced", "mean_ap_at_50"), ("up", "hard", "paced", "ece_after"))},
    {"claims": (("up", "one/specialists", "two/hard"),), "settings": SETTINGS},
    {"seeds": [3], "students": {"alone": {}}, "loss_figure": True, "settings": {}},
    {"settings": {"x": {"student": {"num_epochs": 1}}}},
])
def test_what_a_study_may_have(plan, change):
    if "50" in str(change):
        plan.base.evaluation.at_k = 50
    built = study.check(changed(plan, change))
    assert built.settings and built.kind is study_kinds.KINDS["students"]


def test_every_seed_has_its_own_even_where_settings_change_much(plan):
    plan.settings = {"x": {"data": {"seed": 7}, "student": {"num_epochs": 1}}}
    cells = [study.cell_config(plan, seed, "hard", "x") for seed in plan.seeds]
    assert [cell.seed for cell in cells] == [0, 1]
    assert all(cell.data.seed == 7 and cell.student.num_epochs == 1.0 for cell in cells)


def test_a_claim_about_agreement_is_about_clusters(plan):
    plan = self_informed.get_config("smoke")
    plan.claims = (("more alike", "confusions", "confusions_at_random", "rand_index"),)
    study.check(plan)
    plan.claims = (("more alike", "confusions", "longer", "rand_index"),)
    with pytest.raises(ConfigError, match="'rand_index' of 'longer', which has no such number"):
        study.check(plan)


@pytest.mark.parametrize("module", [verticals, generations])
def test_studies_of_other_verticals_or_processes_have_no_specialists(module):
    plan = module.get_config()
    setting = "discovered/" if plan.get("settings") else ""
    plan.claims = (("better", f"{setting}specialists", f"{setting}generalist"),)
    with pytest.raises(ConfigError, match="names the method '.*specialists'; there are"):
        study.check(plan)


@pytest.mark.parametrize("place, message", [
    ("folder", "folder is a folder; name a file, in it or elsewhere, with --output=FILE.md"),
    ("file/table.md", r"nothing can be written in the folder .*file .*another one with --output="),
])
def test_a_page_that_cannot_be_written_is_refused_before_anything_is_trained(
    plan, tmp_path, monkeypatch, place, message
):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    monkeypatch.setattr(study, "run_study", lambda *arguments: pytest.fail("it is run"))
    with flagsaver.flagsaver(output=str(tmp_path / place)):
        with pytest.raises(UserError, match=message):
            study.main(plan, str(tmp_path / "study"))


def test_a_page_has_the_parts_that_its_study_asks_for(plan, tmp_path, monkeypatch):
    plan.settings = {"one": {}, "two": {"data": {"seed": 7}}}
    plan.claims = (("pacing helps", "two/paced", "two/hard", "top5"),)
    plan.update({"by_vertical": True, "methods_figure": True, "loss_figure": True})
    one = {
        "head": "FC4-FC2", "params": 1234, "images_seen": 64, "starts_from": "scratch",
        **dict.fromkeys(("mean_vertical_ap", "mean_vertical_top1", "top1", "top5"), 0.5),
        "ancestor_ap": None, "vertical_ap": {"birds": 0.5},
    }
    results = study_kinds.merge_methods({
        setting: {"classes": 7, "verticals": 1, "methods": dict.fromkeys(plan.students, one)}
        for setting in plan.settings
    })
    root = tmp_path / "study"
    for name in plan.students:
        path = Workdir(root / "one" / "seed_0").student(name) / artifacts.TRAINING_LOG
        path.parent.mkdir(parents=True)
        path.write_text('{"step": 1, "epoch": 0.5, "loss": 2.0}\n', "utf-8")
    monkeypatch.setattr(study, "run_study", lambda *arguments: [results, results])
    monkeypatch.setattr(sys, "argv", ["study.py", "--config=mine.py"])
    with flagsaver.flagsaver(output=str(tmp_path / "pages" / "mine.md")):
        study.main(plan, str(root))
    text = (tmp_path / "pages" / "mine.md").read_text("utf-8")
    marks = [
        "| one/hard | FC4-FC2", "| vertical |", "| pacing helps | top-5 |", "(mine_methods.png)",
        "![Loss by epoch, seed 0](mine_losses.png)", "python -m kc_jax.study --config=mine.py",
    ]
    places = [text.index(mark) for mark in marks]
    assert places == sorted(places)
    assert sorted(path.name for path in (tmp_path / "pages").iterdir()) == [
        "mine.md", "mine_losses.png", "mine_methods.png",
    ]


def test_a_working_directory_that_cannot_be_written_is_named_as_such(plan, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file .*name another one with --workdir="):
        study.main(plan, str(tmp_path / "file"))


def test_the_shipped_studies_are_whole():
    for module in pkgutil.iter_modules(studies.__path__):
        shipped = importlib.import_module(f"{studies.__name__}.{module.name}")
        if hasattr(shipped, "get_config"):
            study.check(shipped.get_config())


def test_the_page_about_studies_names_all_parts():
    text = (pathlib.Path(__file__).parents[1] / "docs" / "studies.md").read_text("utf-8")
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    parts = {field.name for field in dataclasses.fields(study.Study)}
    assert parts == {part for part in parts if any(f"`{part}`" in row for row in rows)}


@pytest.mark.parametrize("module", [
    study, study_figures, study_kinds, study_page, study_tables, report_figures,
], ids=lambda module: module.__name__)
def test_every_function_says_what_it_does(module):
    functions = inspect.getmembers(module, inspect.isfunction)
    silent = {
        name for name, function in functions if function.__module__ == module.__name__
        and not name.startswith("_") and not function.__doc__
    }
    assert silent == set()
