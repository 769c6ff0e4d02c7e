"""Auxiliary heads, end to end on the shrunk glyphs."""

import csv
import dataclasses
import pathlib
import shutil

import jax
import numpy as np
import pytest
import scipy.sparse

from configs import self_informed
from kc_jax import artifacts
from kc_jax.bundle import Bundle, files
from kc_jax.config import ConfigError
from kc_jax.core import label_space
from kc_jax.core.regrouping import regroup
from kc_jax.data import augment, batches, class_groups, sources
from kc_jax.errors import UserError
from kc_jax.stages import (
    clusters,
    counting,
    describe,
    discovery,
    evaluate_given,
    learn_structure,
    networks,
    report_structures,
    runner,
    training,
)
from kc_jax.train.state import digest
from kc_jax.workdir import Workdir
from tests.reference import structure as reference
from tests.stages import shipped

STAGES = (
    "train_generalist", "learn_structure", "evaluate", "report", "report_structures", "export",
)


def changed(config, **options):
    return dataclasses.replace(config, structure=dataclasses.replace(config.structure, **options))


@pytest.fixture(scope="module")
def done(data_directory, tmp_path_factory):
    options = self_informed.get_config("smoke")
    # Its normalisation has running statistics.
    options.model.backbone = "cifar_resnet"
    options.model.backbone_options.cifar_resnet.depth = 8
    config = shipped.build(options, data_directory)
    workdir = Workdir(tmp_path_factory.mktemp("structure"))
    runner.run_stages(config, workdir, STAGES)
    return config, workdir


@pytest.fixture
def copy(done, tmp_path):
    config, workdir = done
    return config, Workdir(shutil.copytree(workdir.root, tmp_path / "copy"))


def variables_of(directory):
    return networks.load_variables(directory, "learn_structure")


def digests(directory):
    """Gives the digest of every part, and of all statistics."""
    variables = variables_of(directory)
    parts = {name: digest(tree) for name, tree in variables.pop("params").items()}
    return {**parts, "statistics": digest(variables)}


def members_of(config, workdir, name="confusions"):
    space = sources.load_label_space(config.data)
    return np.array(clusters.read(workdir.clusters(name), space))


def test_every_earlier_weight_stays_to_the_bit_and_the_classifier_is_learnt_anew(done):
    _, workdir = done
    assert jax.tree.leaves(variables_of(workdir.generalist)["batch_stats"])
    before, after = digests(workdir.generalist), digests(workdir.student("confusions"))
    assert set(after) - set(before) == {"auxiliary_0", "auxiliary_0_logits"}
    kept = {name for name, value in before.items() if after[name] == value}
    assert kept == {"backbone", "trunk", "bottleneck", "statistics"}


def test_the_classifier_begins_as_its_seed_draws_it(copy, monkeypatch):
    config, workdir = copy
    monkeypatch.setattr(training, "train_network", lambda config, task, workdir: tasks.append(task))
    tasks = []
    learn_structure.run(changed(config, name="other"), workdir)
    (task,) = tasks
    model = networks.build_model(
        config.model, task.training, task.space, config.seed, task.auxiliary, task.frozen
    )
    begun = training.initial_variables(config, task, model, workdir)["params"]
    drawn = networks.init_variables(config, model, task.seed)["params"]
    base = variables_of(workdir.generalist)["params"]
    anew = {name for name in begun if digest(begun[name]) == digest(drawn[name])}
    assert anew == {"logits", "auxiliary_0", "auxiliary_0_logits"}
    assert {name for name in base if digest(begun[name]) == digest(base[name])} == {
        "backbone", "trunk", "bottleneck",
    }


def test_clusters_are_those_of_held_out_confusions(done):
    config, workdir = done
    held_out = sources.open_source(config.data, "validation")
    space = sources.load_label_space(config.data)
    train = sources.open_source(config.data, "train")
    assert not set(held_out.keys) & set(train.keys) and len(held_out) > 10
    ask = networks.load_predictor(
        config, workdir.generalist, "train_generalist", space, "validation", 8
    )
    best = np.concatenate([
        np.argsort(-ask(batch)[batch["mask"]], axis=-1)[:, : config.structure.top_k]
        for batch in batches.inference_batches(
            held_out, np.arange(len(held_out)), batch_size=8, num_views=1
        )
    ])
    counts = scipy.sparse.load_npz(workdir.clusters("confusions") / clusters.COUNTS)
    np.testing.assert_array_equal(
        counts.toarray(), reference.confusions(best, held_out.labels, space.num_classes)
    )
    sizes = np.bincount(members_of(config, workdir))
    assert len(sizes) == 3 and sizes.sum() == space.num_classes
    with (workdir.clusters("confusions") / clusters.CLUSTERS).open(encoding="utf-8") as file:
        names = [row["name"] for row in csv.DictReader(file)]
    assert names == list(space.names)


def test_the_label_space_of_the_clusters_is_written_too(done):
    config, workdir = done
    written = label_space.read_csv(workdir.clusters("confusions") / clusters.LABEL_SPACE)
    space = sources.load_label_space(config.data)
    members = members_of(config, workdir)
    assert written == regroup(space, members)[0]
    assert written.verticals == ("group_0", "group_1", "group_2") != space.verticals
    taken = with_data(config, verticals=str(workdir.clusters("confusions") / clusters.CLUSTERS))
    assert sources.load_label_space(taken.data) == written


def test_the_bundle_is_rebuilt_with_its_heads(done, tmp_path):
    """As scripts/export_onnx.py does, from an environment of its own."""
    config, workdir = done
    directory = workdir.bundle("confusions")
    network = artifacts.read_json(directory / files.NETWORK)
    (spec,) = networks.specs_of(network["auxiliary"])
    assert spec == networks.recorded_auxiliary(workdir.student("confusions"))[0]
    card = (directory / files.CARD).read_text("utf-8")
    assert "one of 8-8 units for each of 3 clusters" in card and "cluster_of_class" not in card


def test_heads_on_heads_are_described_as_they_are_recorded(copy):
    config, workdir = copy
    again = changed(config, name="twice", base="confusions", num_clusters=2, widths=(4,))
    runner.run_stages(again, workdir, ["describe"])
    found = artifacts.read_json(workdir.describe)["networks"]["structure"]
    assert found["head"] == "FC16-FC8 and 3 auxiliary heads of 8-8 and 2 auxiliary heads of 4"
    space = sources.load_label_space(config.data)
    base = networks.recorded_model(workdir.student("confusions"), "learn_structure", space)
    own = counting.count(config, base)["multiply_adds"]
    assert found["to_base"] == found["multiply_adds"] / own > 1
    others = with_data(again, variant="embedded")
    describe.run(others, workdir)
    assert "structure" not in artifacts.read_json(workdir.describe)["networks"]


def test_the_control_has_the_same_sizes(copy):
    config, workdir = copy
    permuted = changed(config, name="at_random", permuted=True)
    runner.run_stages(permuted, workdir, ["learn_structure"])
    own, control = members_of(config, workdir), members_of(config, workdir, "at_random")
    np.testing.assert_array_equal(np.bincount(own), np.bincount(control))
    assert np.any(own != control)


def test_heads_are_grown_twice(copy):
    config, workdir = copy
    again = changed(config, name="twice", base="confusions", similarity="co_detections",
                    attach="trunk")
    runner.run_stages(again, workdir, ["learn_structure", "evaluate"])
    before, after = digests(workdir.student("confusions")), digests(workdir.student("twice"))
    assert set(after) - set(before) == {"auxiliary_1", "auxiliary_1_logits"}
    kept = {name for name, value in before.items() if after[name] == value}
    assert kept == {"backbone", "trunk", "bottleneck", "auxiliary_0", "statistics"}
    methods = artifacts.read_json(workdir.results)["methods"]
    costs = [methods[name]["multiply_adds"] for name in ("generalist", "confusions", "twice")]
    assert costs[0] < costs[1] < costs[2]


@pytest.mark.slow
def test_all_of_an_augmented_network_is_fine_tuned(copy):
    config, workdir = copy
    tuned = changed(config, name="tuned", base="confusions", num_clusters=0, learn="all")
    runner.run_stages(tuned, workdir, ["learn_structure"])
    before, after = digests(workdir.student("confusions")), digests(workdir.student("tuned"))
    assert set(after) == set(before)
    assert all(after[name] != value for name, value in before.items() if name != "statistics")


def test_nothing_is_done_twice(done):
    config, workdir = done
    for stage in STAGES[:3]:
        assert not runner.STAGES[stage].run(config, workdir)


def test_the_bundle_says_what_the_augmented_network_says(done):
    config, workdir = done
    bundle = Bundle.load(workdir.bundle("confusions"))
    source = sources.open_source(config.data, "test")
    images = np.stack([source.read(record) for record in range(5)])
    views = augment.centre_views("glyph", images, config.data.image_size)
    space = sources.load_label_space(config.data)
    directory = workdir.student("confusions")
    model = networks.recorded_model(directory, "learn_structure", space)
    np.testing.assert_allclose(
        bundle.classify(images), model.apply(variables_of(directory), views, train=False),
        rtol=1e-5, atol=1e-5,
    )


def test_the_page_and_the_table(done, capsys):
    config, workdir = done
    report_structures.run(config, workdir)
    printed = capsys.readouterr().out
    assert "confusions" in printed and "generalist" in printed
    page = workdir.structures_report.read_text("utf-8")
    space = sources.load_label_space(config.data)
    assert page.count("<figure>") == 1 and "{{" not in page and "confusions" in page
    assert sum(name in page for name in space.names) > 0.5 * space.num_classes


def test_counts_that_are_damaged_are_named(copy):
    config, workdir = copy
    path = workdir.clusters("confusions") / clusters.COUNTS
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    artifacts.remove(workdir.structures_report)  # Else there is nothing to draw.
    with pytest.raises(UserError, match=f"{path} is damaged"):
        report_structures.run(config, workdir)


def test_a_page_without_clusters_is_refused(done, tmp_path):
    config, _ = done
    with pytest.raises(artifacts.MissingArtifactError, match="run the stages learn_structure"):
        report_structures.run(config, Workdir(tmp_path))


def test_a_student_is_no_place_for_a_structure(copy):
    config, workdir = copy
    artifacts.begin(workdir.student("other"), {"seed": config.seed})
    with pytest.raises(UserError, match="'other', but .* is a student that was trained without"):
        runner.run_stages(changed(config, name="other"), workdir, ["learn_structure"])


def with_data(config, **options):
    return dataclasses.replace(config, data=dataclasses.replace(config.data, **options))


@pytest.mark.parametrize("options, message", [
    ({"num_clusters": 5000}, "config.structure.num_clusters is 5000; expected 2 to "),
    ({"base": "nobody"}, "nobody.* run the stage learn_structure or train_student"),
    ({"base": "other"}, "config.structure.name and .base are both 'other'"),
    ({"largest": 0.5}, "config.structure.largest is 0.5; expected 0, no limit, or at least 1"),
    ({"top_k": 1000}, "config.structure.top_k is 1000, but there are"),
    ({"widths": ()}, r"config.structure: widths are \(\)"),
])
def test_what_cannot_be_is_refused(copy, options, message):
    config, workdir = copy
    with pytest.raises(UserError, match=message):
        runner.run_stages(
            changed(config, **{"name": "other", **options}), workdir, ["learn_structure"]
        )


@pytest.mark.parametrize("options, message", [
    ({"num_clusters": 5000}, "config.structure.num_clusters is 5000; expected 2 to "),
    ({"num_clusters": 0}, "config.structure.num_clusters is 0; expected 2 to "),
    ({"top_k": 1000}, "config.structure.top_k is 1000, but there are"),
    ({"largest": 0.5}, "config.structure.largest is 0.5; expected 0, no limit, or at least 1"),
])
def test_verticals_that_cannot_be_found_are_refused_before_anything_is_trained(
    data_directory, tmp_path, options, message
):
    config = shipped.smoke(data_directory, data__verticals="discovered")
    with pytest.raises(ConfigError, match=message):
        discovery.run(changed(config, **{"num_clusters": 3, "top_k": 3, **options}),
                      Workdir(tmp_path))
    assert not list(tmp_path.rglob("*"))


@pytest.mark.parametrize("spoil, message", [
    (lambda config: with_data(config, hold_out=False), "made from other inputs:\n  records: "),
    (lambda config: with_data(config, seed=9), "views.seed: 0 → 9"),
    (lambda config: with_data(config, judged_on="validation"), "judged_on is 'validation', the v"),
    (lambda config: dataclasses.replace(
        config, mesh=dataclasses.replace(config.mesh, layout="tiled")
     ), "auxiliary heads are not laid out in tiles"),
])
def test_another_base_or_purpose_is_refused(copy, spoil, message):
    config, workdir = copy
    with pytest.raises(UserError, match=message):
        runner.run_stages(
            changed(spoil(config), name="other"), workdir, ["learn_structure"]
        )


@pytest.mark.slow
def test_images_must_be_held_out(copy):
    config, workdir = copy
    config = with_data(config, hold_out=False)
    runner.run_stages(config, workdir, ["train_generalist"], ["train_generalist"])
    with pytest.raises(ConfigError, match="config.data.hold_out is False"):
        runner.run_stages(changed(config, name="other"), workdir, ["learn_structure"])


def test_heads_need_a_trunk_that_is_shared(finished):
    config, _ = finished
    options = dataclasses.replace(config.structure, attach="trunk")
    for head in ("SC8-SC4", " SC8-SC4", "linear"):
        with pytest.raises(ConfigError, match="has no trunk that all verticals share"):
            learn_structure.make_spec(options, (0, 1), head)


def test_other_clusters_are_other_inputs(copy):
    config, workdir = copy
    path = workdir.clusters("confusions") / clusters.CLUSTERS
    space = sources.load_label_space(config.data)
    members = members_of(config, workdir)
    class_groups.write(path, space, np.roll(members, 1))
    artifacts.complete(path.parent, [path.name])
    with pytest.raises(artifacts.StaleArtifactError, match="clusters: "):
        runner.run_stages(config, workdir, ["learn_structure"])


@pytest.mark.slow
def test_a_network_whose_base_is_another_now_is_not_judged(copy, capsys):
    config, workdir = copy
    again = changed(config, name="twice", base="confusions")
    runner.run_stages(again, workdir, ["learn_structure"])
    third = changed(config, name="thrice", base="twice")
    runner.run_stages(third, workdir, ["learn_structure"])
    other = changed(config, num_epochs=1.0)
    runner.run_stages(other, workdir, ["learn_structure"], ["learn_structure"])
    runner.run_stages(other, workdir, ["evaluate"], ["evaluate"])
    said = capsys.readouterr().err
    assert "student twice is left out: its base confusions differ" in said
    assert "student thrice is left out: its base twice differ" in said
    assert set(artifacts.read_json(workdir.results)["methods"]) == {"generalist", "confusions"}


@pytest.mark.slow
def test_verticals_are_clusters_too(finished, tmp_path):
    """A head for each vertical, on a distilled and self-paced student."""
    config, workdir = finished
    config = changed(config, answers="verticals", base="student", name="by_vertical", widths=(8,),
                     num_epochs=1.0)
    copy = Workdir(shutil.copytree(workdir.root, tmp_path / "copy"))
    runner.run_stages(config, copy, ["learn_structure", "evaluate", "report_structures"])
    space = sources.load_label_space(config.data)
    np.testing.assert_array_equal(
        members_of(config, copy, "by_vertical"), space.vertical_of_class
    )
    before, after = digests(copy.student("student")), digests(copy.student("by_vertical"))
    assert before["backbone"] == after["backbone"] and before["logits"] != after["logits"]
    assert "by_vertical" in artifacts.read_json(copy.results)["methods"]
    found = {each.name: each for each in report_structures.read_structures(copy, space)}
    assert found["by_vertical"].rand_index == 1
    assert "<td>1.00</td>" in copy.structures_report.read_text("utf-8")


def assert_judged_in_their_own_verticals_alone(config, workdir):
    """Asserts that networks are not taken for those of an edited table, nor of given verticals."""
    path = pathlib.Path(config.data.verticals)
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    other = next(row for row in rows if row["cluster"] != rows[0]["cluster"])
    rows[0]["cluster"], other["cluster"] = other["cluster"], rows[0]["cluster"]
    edited = workdir.root / "edited.csv"
    with edited.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    for verticals, stage in (
        (str(edited), "evaluate"), (str(edited), "evaluate_given"), ("given", "evaluate"),
    ):
        data = dataclasses.replace(config.data, verticals=verticals)
        with pytest.raises(artifacts.StaleArtifactError, match="with other classes or verticals"):
            runner.run_stages(dataclasses.replace(config, data=data), workdir, [stage])


@pytest.mark.slow
def test_found_verticals_serve_specialists_and_student(data_directory, tmp_path):
    config = shipped.smoke(
        data_directory, data__verticals="discovered", structure__num_clusters=3,
        structure__top_k=3, generalist__num_epochs=4.0,
    )
    workdir = Workdir(tmp_path)
    stages = (*config.stages, "evaluate_given")
    runner.run_stages(config, workdir, stages)
    given = sources.load_label_space(dataclasses.replace(config.data, verticals="given"))
    results = artifacts.read_json(workdir.results)
    assert results["verticals"] == 3 and results["classes"] == given.num_classes
    teachers = sorted(path.name for path in workdir.teachers.iterdir() if path.is_dir())
    assert teachers == ["group_0", "group_1", "group_2"]
    methods = artifacts.read_json(workdir.results_given)["methods"]
    assert set(methods) == {"generalist", "student"}
    assert set(methods["student"]["vertical_ap"]) == set(given.verticals)
    assert artifacts.read_json(workdir.config)["data"]["verticals"] == "discovered"
    assert "discover_verticals" in artifacts.read_json(workdir.seconds)
    for stage in ("discover_verticals", "train_generalist", "train_student"):
        again = config if stage == "discover_verticals" else discovery.resolve(config, workdir)
        assert not runner.STAGES[stage].run(again, workdir)
    assert_judged_in_their_own_verticals_alone(discovery.resolve(config, workdir), workdir)
    shorter = dataclasses.replace(
        config, generalist=dataclasses.replace(config.generalist, num_epochs=1.0)
    )
    with pytest.raises(artifacts.StaleArtifactError, match="--redo=all"):
        runner.run_stages(shorter, workdir, stages)
    names = runner.planned(shorter, stages)
    runner.run_stages(shorter, workdir, names, names)


@pytest.mark.slow
def test_permuted_verticals_have_the_sizes_of_found_ones_and_other_members(
    data_directory, tmp_path
):
    members = {}
    for verticals in ("discovered", "permuted"):
        config = shipped.smoke(
            data_directory, data__verticals=verticals, structure__num_clusters=3,
            structure__top_k=3, generalist__num_epochs=1.0,
        )
        workdir = Workdir(tmp_path / verticals)
        runner.run_stages(config, workdir, ("discover_verticals",))
        data = discovery.resolve(config, workdir).data
        given = sources.load_label_space(dataclasses.replace(data, verticals="given"))
        members[verticals] = class_groups.read(pathlib.Path(data.verticals), given)
    assert sorted(members["discovered"]) == sorted(members["permuted"])
    assert members["discovered"] != members["permuted"]


def test_verticals_are_not_given_where_they_were_not_found(data_directory, tmp_path):
    config = shipped.smoke(data_directory, data__verticals="discovered")
    with pytest.raises(artifacts.MissingArtifactError, match="run the stage discover_verticals"):
        discovery.resolve(config, Workdir(tmp_path))


def test_given_verticals_are_judged_by_evaluate(finished):
    with pytest.raises(ConfigError, match="config.data.verticals is 'given'"):
        evaluate_given.run(*finished)


def test_judging_on_given_verticals_gives_what_judging_on_them_at_once_does(finished, tmp_path):
    """A network whose verticals are the given ones under other names is judged alike."""
    config, workdir = finished
    space = sources.load_label_space(config.data)
    path = tmp_path / "clusters.csv"
    class_groups.write(path, space, space.vertical_of_class)
    renamed = dataclasses.replace(
        config, data=dataclasses.replace(config.data, verticals=str(path))
    )
    copy = Workdir(shutil.copytree(workdir.root, tmp_path / "copy"))
    runner.STAGES["evaluate_given"].run(renamed, copy)
    found = artifacts.read_json(copy.results_given)["methods"]
    expected = artifacts.read_json(workdir.results)["methods"]
    for name in ("generalist", "student"):
        for vertical, value in expected[name]["vertical_ap"].items():
            assert found[name]["vertical_ap"][vertical] == pytest.approx(value, abs=1e-6)


@pytest.mark.slow
def test_clusters_are_found_in_soft_targets_too(finished, tmp_path):
    config, workdir = finished
    config = changed(config, answers="soft_targets", num_clusters=3, top_k=3, name="stored",
                     widths=(8,), num_epochs=1.0)
    copy = Workdir(shutil.copytree(workdir.root, tmp_path / "copy"))
    runner.run_stages(config, copy, ["learn_structure"])
    counts = scipy.sparse.load_npz(copy.clusters("stored") / clusters.COUNTS).toarray()
    space = sources.load_label_space(config.data)
    vertical = space.vertical_of_class
    i, j = np.nonzero(counts)
    # A teacher speaks of its own vertical alone, and says three names of each image.
    assert len(i) and np.all(vertical[i] == vertical[j])
    assert counts.sum() == 3 * len(sources.open_source(config.data, "train"))
