"""The whole main job on a shrunk shipped configuration."""

import collections
import dataclasses

import jax
import numpy as np
import pytest

from kc_jax import artifacts
from kc_jax.config import ConfigError
from kc_jax.data import sources
from kc_jax.data.soft_target_store import SoftTargetStore
from kc_jax.stages import class_table, networks, processes, runner, storing
from kc_jax.workdir import Workdir
from tests.stages import shipped

METHODS = {"generalist", "student", "specialists"}


def test_results_name_all_methods_verticals_and_stages(finished):
    config, workdir = finished
    results = artifacts.read_json(workdir.results)
    space = sources.load_label_space(config.data)
    assert set(results["methods"]) == METHODS
    for method in results["methods"].values():
        assert list(method["vertical_ap"]) == list(space.verticals)
        values = list(method["vertical_ap"].values())
        assert all(0 < value <= 1 for value in values)
        assert method["mean_vertical_ap"] == pytest.approx(np.mean(values))
        assert method["images_per_second"] > 0 and 0 <= method["input_wait"] < 1
        assert method["pipeline_images_per_second"] > method["images_per_second"]
    assert not results["synthetic"]
    assert results["classes"] == space.num_classes and results["seed"] == config.seed
    assert set(results["seconds"]) == set(config.stages)
    assert workdir.report.stat().st_size > 10_000


def test_the_class_table_agrees_with_results_and_records(finished):
    config, workdir = finished
    results = artifacts.read_json(workdir.results)["methods"]
    space = sources.load_label_space(config.data)
    table = class_table.read(workdir.class_table, list(results))
    assert table.names == space.names and table.paths == space.paths
    for counts, split in ((table.training_images, "train"), (table.test_images, "test")):
        labels = sources.open_source(config.data, split).labels
        found = collections.Counter(c for ids in labels for c in ids)
        assert counts.tolist() == [found[c] for c in range(space.num_classes)] and sum(counts)
    for method, row in results.items():
        for v, vertical in enumerate(space.verticals):
            values = table.class_ap[method][space.classes_of(v)]
            assert np.nanmean(values) == pytest.approx(row["vertical_ap"][vertical], abs=1e-6)
            assert workdir.vertical_page(vertical).stat().st_size > 10_000


def test_confusions_are_as_many_as_top1_leaves(finished):
    """Labels of glyphs name no ancestors, so every wrong first name is a confusion."""
    config, workdir = finished
    results = artifacts.read_json(workdir.results)
    for method in ("generalist", "student"):
        found = artifacts.read_json(workdir.evaluation / method / "confusions.json")
        assert len(found["overall"]) <= config.evaluation.confusions
        wrong = (1 - results["methods"][method]["top1"]) * results["test_examples"]
        counted = sum(pair["count"] for pair in found["overall"])
        assert 0 < counted <= round(wrong)
        assert all(pair["count"] <= pair["of"] for pair in found["overall"])


def test_another_student_gets_its_columns(copy):
    config, workdir = copy
    other = dataclasses.replace(
        config, student=dataclasses.replace(config.student, name="other", distill_weight=0.0),
    )
    runner.run_stages(other, workdir, ["train_student", "evaluate", "report"])
    assert class_table.read_columns(workdir.class_table) == class_table.columns(
        ["generalist", "other", "student", "specialists"]
    )


def test_parameters_agree_with_describe(finished):
    _, workdir = finished
    described = artifacts.read_json(workdir.describe)["networks"]
    methods = artifacts.read_json(workdir.results)["methods"]
    pairs = {"generalist": "generalist", "student": "student", "specialists": "teachers"}
    for method, name in pairs.items():
        assert methods[method]["params"] == described[name]["params"]


def test_single_networks_come_with_their_calibration(finished):
    config, workdir = finished
    space = sources.load_label_space(config.data)
    methods = artifacts.read_json(workdir.results)["methods"]
    for name in ("generalist", "student"):
        found = artifacts.read_json(workdir.evaluation / name / "calibration.json")
        assert found["wanted_precision"] == config.evaluation.wanted_precision
        assert list(found["verticals"]) == list(space.verticals)
        for values in found["verticals"].values():
            assert values["temperature"] > 0 and np.isfinite(values["bias"])
            assert values["pairs"] == artifacts.read_json(workdir.results)["test_examples"]
        for key in ("ece_before", "ece_after"):
            assert 0 <= found[key] <= 1 and methods[name][key] == found[key]
    assert methods["specialists"]["ece_after"] is None
    assert not (workdir.evaluation / "specialists" / "calibration.json").exists()


def test_a_second_run_does_nothing(finished, capsys):
    config, workdir = finished
    before = {path: path.stat().st_mtime_ns for path in workdir.root.rglob("manifest.json")}
    runner.run_stages(config, workdir, config.stages)
    assert before == {path: path.stat().st_mtime_ns for path in before}
    assert capsys.readouterr().err.count("complete, skipped") == len(config.stages)


def test_soft_targets_are_the_teachers_probabilities(finished):
    config, workdir = finished
    space = sources.load_label_space(config.data)
    source = sources.open_source(config.data, "train")
    inputs = storing.store_inputs(config, workdir, space, source)
    store = SoftTargetStore(workdir.soft_targets, space, inputs)
    vertical_id = 1
    records = source.records_of(space, vertical_id)[[5, 0, 9]]
    views = np.array([1, 0, 1])
    teacher = workdir.teacher(space.verticals[vertical_id])
    predict = networks.load_predictor(
        config, teacher, "train_teachers", space.restrict(vertical_id), "train", batch_size=3
    )
    batch = {
        "image": np.stack([source.read(r) for r in records]),
        "record_id": records.astype(np.int32), "view": views.astype(np.int32),
        "mask": np.ones(3, bool),
    }
    logits = predict(batch)
    ids, probs = store(records, views)
    stored = np.zeros((3, space.num_classes))
    for row in range(3):
        np.add.at(stored[row], ids[row], probs[row])
    classes = space.classes_of(vertical_id)
    np.testing.assert_allclose(stored[:, classes], 1 / (1 + np.exp(-logits)), rtol=2e-3)
    assert stored.sum() == pytest.approx(stored[:, classes].sum())


def test_a_changed_option_is_named_and_refused(copy):
    config, workdir = copy
    changed = dataclasses.replace(
        config, teachers=dataclasses.replace(config.teachers, num_epochs=3.0)
    )
    with pytest.raises(artifacts.StaleArtifactError, match="training.num_epochs: 2.0 → 3.0"):
        runner.run_stages(changed, workdir, ["train_teachers"])


def test_redo_makes_a_stage_anew_with_the_same_result(copy):
    config, workdir = copy
    student = workdir.student("student")
    before = shipped.digest(student)
    runner.run_stages(config, workdir, ["train_student"], redo=["train_student"])
    assert shipped.digest(student) == before


def test_one_teacher_made_anew_leaves_the_others_soft_targets_alone(copy):
    config, workdir = copy
    first, second = sources.load_label_space(config.data).verticals[:2]
    artifacts.remove(workdir.teacher(first))
    artifacts.remove(workdir.soft_targets_of(first))
    untouched = workdir.soft_targets_of(second) / artifacts.MANIFEST
    before = untouched.stat().st_mtime_ns
    runner.run_stages(config, workdir, ["train_teachers", "write_soft_targets"])
    assert untouched.stat().st_mtime_ns == before


def test_a_student_of_another_seed_is_left_out(copy, capsys):
    config, workdir = copy
    other = dataclasses.replace(
        config, seed=5,
        student=dataclasses.replace(config.student, name="other", distill_weight=0.0),
    )
    runner.run_stages(other, workdir, ["train_student"])
    runner.run_stages(config, workdir, ["evaluate"])
    assert set(artifacts.read_json(workdir.results)["methods"]) == METHODS
    assert "student other is left out: its seed differ" in capsys.readouterr().err


def test_specialists_of_another_seed_are_left_out(copy, capsys):
    config, workdir = copy
    other = dataclasses.replace(
        config, seed=5, student=dataclasses.replace(config.student, distill_weight=0.0),
    )
    stages = ["train_generalist", "train_student", "evaluate"]
    runner.run_stages(other, workdir, stages, redo=stages)
    assert set(artifacts.read_json(workdir.results)["methods"]) == {"generalist", "student"}
    assert "specialists are left out: specialist arabic's seed and generalist differ from the " \
        "generalist's" in capsys.readouterr().err


def test_two_stages_that_write_the_same_network_are_refused(finished):
    config, workdir = finished
    structure = dataclasses.replace(config.structure, name=config.student.name)
    config = dataclasses.replace(config, structure=structure)
    with pytest.raises(ConfigError, match="train_student and learn_structure would both write"):
        runner.run_stages(config, workdir, ["train_student", "learn_structure"])


def test_a_teacher_that_another_run_trained_meanwhile_stays_as_it_is(copy, monkeypatch):
    config, workdir = copy
    name = sources.load_label_space(config.data).verticals[0]
    artifacts.remove(workdir.teacher(name))
    begun = []

    def twice(function, arguments, num_processes):
        function(*arguments[0])
        begun.append((workdir.teacher(name) / artifacts.MANIFEST).read_bytes())
        function(*arguments[0])

    monkeypatch.setattr(processes, "run_each", twice)
    runner.run_stages(config, workdir, ["train_teachers"])
    assert [(workdir.teacher(name) / artifacts.MANIFEST).read_bytes()] == begun


def test_without_a_generalist_students_are_compared_with_the_runs_own(copy, capsys):
    config, workdir = copy
    other = dataclasses.replace(
        config, seed=5,
        student=dataclasses.replace(config.student, name="other", distill_weight=0.0),
    )
    runner.run_stages(other, workdir, ["train_student"])
    artifacts.remove(workdir.generalist)
    runner.run_stages(config, workdir, ["evaluate"])
    results = artifacts.read_json(workdir.results)
    assert set(results["methods"]) == {"student", "specialists"}
    assert results["seed"] == config.seed
    assert "other is left out: its seed differ from the student's" in capsys.readouterr().err


def test_specialists_are_judged_when_all_are_there(copy):
    config, workdir = copy
    artifacts.remove(workdir.teacher(sources.load_label_space(config.data).verticals[1]))
    runner.run_stages(config, workdir, ["evaluate"])
    methods = artifacts.read_json(workdir.results)["methods"]
    assert set(methods) == {"generalist", "student"}


def test_other_test_views_do_not_touch_what_is_trained(copy, capsys):
    config, workdir = copy
    changed = dataclasses.replace(config, data=dataclasses.replace(config.data, test_views=3))
    runner.run_stages(changed, workdir, ["train_generalist", "train_teachers", "train_student"])
    assert capsys.readouterr().err.count("complete, skipped") == 3
    with pytest.raises(artifacts.StaleArtifactError, match="num_views: 2 → 3"):
        runner.run_stages(changed, workdir, ["evaluate"])


def test_any_layout_loads_any_others_checkpoint(copy):
    """Evaluates in tiles what was trained as whole verticals, and trains a student in tiles."""
    config, workdir = copy
    before = artifacts.read_json(workdir.results)["methods"]["student"]
    # At the preset's own rate a step makes ten times of any rounding.
    optimizer = dataclasses.replace(config.student.optimizer, learning_rate=0.01)
    whole, tiled = (
        dataclasses.replace(
            config, mesh=dataclasses.replace(config.mesh, layout=layout, tile=tile),
            student=dataclasses.replace(config.student, name=layout, optimizer=optimizer),
        )
        for layout, tile in (("per_vertical", 0), ("tiled", 8))
    )
    runner.run_stages(whole, workdir, ["train_student"])
    runner.run_stages(tiled, workdir, ["train_student", "evaluate"], redo=["evaluate"])
    methods = artifacts.read_json(workdir.results)["methods"]
    for name, other in (("student", before), ("tiled", methods["per_vertical"])):
        assert methods[name]["mean_vertical_ap"] == pytest.approx(other["mean_vertical_ap"], 1e-3)
    trained, again = (
        networks.load_variables(workdir.student(name), "train_student")
        for name in ("per_vertical", "tiled")
    )
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4), again, trained
    )


def test_settings_can_be_judged_on_held_out_training_records(copy, tmp_path):
    config, _ = copy
    workdir = Workdir(tmp_path)
    judged = dataclasses.replace(
        config, data=dataclasses.replace(config.data, judged_on="validation")
    )
    runner.run_stages(judged, workdir, config.stages)
    results = artifacts.read_json(workdir.results)
    assert results["judged_on"] == "validation" and set(results["methods"]) == METHODS
    held_out = sources.open_source(judged.data, "validation")
    assert results["test_examples"] == config.data.test_views * len(held_out)


def test_a_missing_stage_is_named(tmp_path, data_directory):
    config = shipped.smoke(data_directory)
    with pytest.raises(artifacts.MissingArtifactError, match="train_teachers"):
        runner.run_stages(config, Workdir(tmp_path), ["write_soft_targets"])


def test_what_is_judged_on_is_looked_at_before_anything_is_trained(
    data_directory, tmp_path, monkeypatch
):
    opened = sources.open_source

    def without_a_test(data, split):
        if split == data.judged_on:
            raise ConfigError("vertical 'group_1' has no records in split 'test'")
        return opened(data, split)

    monkeypatch.setattr(sources, "open_source", without_a_test)
    workdir = Workdir(tmp_path)
    with pytest.raises(ConfigError, match="no records in split"):
        runner.run_stages(
            shipped.smoke(data_directory), workdir, ["train_generalist", "evaluate"]
        )
    assert not list(workdir.generalist.glob("checkpoints"))
