"""Generations, end to end on the shrunk glyphs."""

import dataclasses
import itertools
import shutil

import numpy as np
import pytest
from markupsafe import escape

from kc_jax import artifacts, sharding
from kc_jax.config import ConfigError
from kc_jax.data import augment, sources
from kc_jax.errors import UserError
from kc_jax.stages import (
    generation_figures,
    generations,
    networks,
    report_generations,
    runner,
    tasks,
    training,
)
from kc_jax.train import hooks, objective
from kc_jax.workdir import Workdir
from tests.reference import losses as reference
from tests.stages import shipped

STAGES = ("train_generalist", "run_generations", "report_generations")


def small(data_directory, **changes):
    return shipped.smoke(data_directory, **{
        "generalist__loss": "softmax", "generalist__num_epochs": 1.0,
        "generations__num_epochs": 2.0, "generations__num_generations": 2,
        "soft_targets__num_views": 2, **changes,
    })


@pytest.fixture(scope="module")
def done(data_directory, tmp_path_factory):
    config = small(data_directory)
    workdir = Workdir(tmp_path_factory.mktemp("generations"))
    runner.run_stages(config, workdir, STAGES)
    return config, workdir


def results_of(config, workdir):
    return artifacts.read_json(workdir.generation_results(config.generations.name))


def digests(config, workdir):
    return [
        shipped.digest(workdir.generation(config.generations.name, number))
        for number in range(config.generations.num_generations + 1)
    ]


def test_results(done):
    config, workdir = done
    results = results_of(config, workdir)
    assert results["process"] == "D(0.6, 0.6)"
    assert len(results["generations"]) == 3 and 0 < results["baseline"]["top1"] < 1
    assert len(set(digests(*done))) == 3
    first = results["generations"][0]
    assert first["ensemble"]["top1"] == first["top1"]
    assert sum(first["training"]["sorted_scores"]) <= 1 + 1e-6


def test_ensembles_average_scores(done):
    config, workdir = done
    scores = [
        np.load(workdir.generation_answers(config.generations.name, str(g)) / "scores.npy")
        for g in range(3)
    ]
    labels = [ids[0] for ids in sources.open_source(config.data, "test").labels]
    labels = np.array(labels * config.data.test_views)
    named = np.unique(labels)
    for count, generation in enumerate(results_of(config, workdir)["generations"], start=1):
        mean = np.mean(np.float64(scores[:count]), axis=0)
        right = named[np.argmax(mean[:, named], axis=-1)] == labels
        assert generation["ensemble"]["top1"] == pytest.approx(np.mean(right), abs=1e-5)


def test_the_patriarch_is_tolerant_and_students_are_taught(done):
    config, workdir = done

    def inputs_of(number):
        directory = workdir.generation(config.generations.name, number)
        return artifacts.manifest_of(directory, "run_generations")["inputs"]

    patriarch, student = inputs_of(0), inputs_of(1)
    assert patriarch["training"]["tolerance"]["confidence"] == 0.6
    assert patriarch["training"]["distill_weight"] == 0 and "teacher" not in patriarch
    assert student["training"]["tolerance"]["confidence"] == 1
    assert student["training"]["distill_weight"] == 0.6
    for number, inputs in ((1, student), (2, inputs_of(2))):
        before = workdir.generation(config.generations.name, number - 1)
        assert inputs["teacher"] == artifacts.fingerprint_of(before, "run_generations")


def test_nothing_is_done_twice(done):
    config, workdir = done
    before = workdir.generations_report.stat().st_mtime_ns
    for stage in STAGES:
        assert not runner.STAGES[stage].run(config, workdir)
    assert workdir.generations_report.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "signal", ["computed", pytest.param("stored", marks=pytest.mark.slow)]
)
def test_a_process_stopped_in_any_generation_ends_bit_identical(
    data_directory, tmp_path, monkeypatch, signal
):
    config = small(
        data_directory, generations__teacher_signal=signal, running__checkpoint_every_steps=5
    )
    stopped, straight = Workdir(tmp_path / "a"), Workdir(tmp_path / "b")
    runner.run_stages(config, straight, ["run_generations"])

    class StoppedError(Exception):
        pass

    def stopping_at(title, wanted):
        def make(show, log):
            def hook(step, state, metrics):
                if stopped.generation("tolerant", title).exists() and step == wanted:
                    raise StoppedError

            return hook

        return make

    for generation, step in ((0, 7), (1, 10), (2, 3)):
        with monkeypatch.context() as patch:
            patch.setattr(hooks, "progress_hook", stopping_at(generation, step))
            with pytest.raises(StoppedError):
                runner.run_stages(config, stopped, ["run_generations"])
    runner.run_stages(config, stopped, ["run_generations"])
    assert digests(config, stopped) == digests(config, straight)
    assert results_of(config, stopped)["generations"][2]["top1"] == (
        results_of(config, straight)["generations"][2]["top1"]
    )


@pytest.mark.parametrize("top_k", [3, 1000])
def test_stored_and_computed_signals_give_the_same_loss(done, tmp_path, top_k):
    config, workdir = done
    options = dataclasses.replace(config.soft_targets, top_k=top_k)
    config = dataclasses.replace(config, soft_targets=options)
    space = sources.load_label_space(config.data)
    source = sources.open_source(config.data, "train")
    teacher = shutil.copytree(workdir.generation("tolerant", 0), tmp_path / "teacher")
    records, views = np.arange(0, 60, 5), np.arange(12) % 2
    ids, probs = generations.stored_signal(config, teacher, space, source, 1.0)(records, views)
    batch = {
        "image": np.stack([source.read(r) for r in records]),
        "record_id": records.astype(np.int32), "view": views.astype(np.int32),
    }
    ask = networks.load_on_devices(config, teacher, generations.MADE_BY, space, "train")
    asked = np.asarray(ask(sharding.put_batch(sharding.make_mesh(), batch)))
    student = np.random.default_rng(0).normal(size=asked.shape).astype(np.float32)
    labels = {
        "target_ids": np.array([source.labels[r] for r in records], np.int32),
        "target_probs": np.ones((12, 1), np.float32),
    }
    judge = objective.make_softmax(0.0, 2, 0.6, 1.0)
    stored = judge(student, {**labels, "teacher_ids": ids, "teacher_probs": probs})["loss"]
    if top_k >= space.num_classes:
        expected = judge(student, {**labels, "teacher_logits": asked})["loss"]
    else:
        scores = reference.softmax(asked)
        listed = np.take_along_axis(scores, ids, -1)
        merged = reference.divergence_of_listed(ids, listed, reference.softmax(student))
        targets = reference.dense_targets(*labels.values(), space.num_classes)
        expected = 0.4 * reference.softmax_cross_entropy(student, targets) + 0.6 * merged
    np.testing.assert_allclose(stored, expected, rtol=1e-3)


@pytest.mark.parametrize("signal", ["computed", "stored"])
def test_a_teacher_speaks_of_the_very_views_that_its_student_sees(
    done, tmp_path, monkeypatch, signal
):
    """Takes the batches that generation 1 would be trained on, as far as the second epoch."""
    config, workdir = done
    config = dataclasses.replace(config, generations=dataclasses.replace(
        config.generations, teacher_signal=signal
    ))
    teacher = shutil.copytree(
        workdir.generation("tolerant", 0), tmp_path / "generations" / "tolerant" / "0"
    )
    found = []
    monkeypatch.setattr(training, "train_network", lambda config, task, workdir: found.append(task))
    generations.train(config, Workdir(tmp_path), 1)
    first_step = len(found[0].record_ids) // found[0].training.batch_size + 1
    (batch,) = itertools.islice(
        training.device_batches(config, found[0], sharding.make_mesh(), first_step), 1
    )
    assert set(np.asarray(batch["view"])) == {1}
    space = sources.load_label_space(config.data)
    draw = augment.make_views(
        config.data.augmentation, seed=config.data.seed, split="train",
        size=config.data.image_size,
    )
    expected = networks.recorded_model(teacher, generations.MADE_BY, space).apply(
        networks.load_variables(teacher, generations.MADE_BY),
        draw(batch["image"], batch["record_id"], batch["view"]), train=False,
    )
    if signal == "computed":
        np.testing.assert_allclose(batch["teacher_logits"], expected, rtol=1e-4, atol=1e-4)
    else:
        scores = np.take_along_axis(reference.softmax(expected), batch["teacher_ids"], axis=-1)
        np.testing.assert_allclose(batch["teacher_probs"], scores, rtol=3e-3, atol=1e-6)
        assert len(set(np.asarray(batch["teacher_ids"])[0])) == batch["teacher_ids"].shape[1]


def test_no_teacher_is_asked_where_it_has_no_weight(data_directory, tmp_path):
    config = small(data_directory, generations__distill_weight=0.0,
                   generations__num_generations=1)
    workdir = Workdir(tmp_path)
    runner.run_stages(config, workdir, ["run_generations"])
    inputs = artifacts.manifest_of(workdir.generation("tolerant", 1), "run_generations")["inputs"]
    assert "teacher" not in inputs and results_of(config, workdir)["baseline"] is None


def test_records_of_several_labels_are_refused():
    source = sources.Source("train", ((1,), (2, 3)), None, "fingerprint")
    with pytest.raises(ConfigError, match="record 1 of 'train' has 2 labels"):
        tasks.check_single_labels(source)


def test_a_page_without_results_is_refused(data_directory, tmp_path):
    with pytest.raises(artifacts.MissingArtifactError, match="run the stage run_generations"):
        report_generations.run(small(data_directory), Workdir(tmp_path))


def test_the_page_and_the_table(done, capsys):
    config, workdir = done
    report_generations.run(config, workdir)
    printed = capsys.readouterr().out
    assert "tolerant D(0.6, 0.6)" in printed and "baseline" in printed
    page = workdir.generations_report.read_text("utf-8")
    assert "D(0.6, 0.6)" in page and page.count("<figure>") == 2 and "{{" not in page
    assert "<th>labels alone</th>" in page
    pair = results_of(config, workdir)["generations"][0]["training"]["secondary"][0]
    names = (escape(pair[key]) for key in ("class", "secondary"))
    assert '<tr><th>{}</th><td class="text">{}</td><td>'.format(*names) in page


def test_the_figure_has_each_process_alone_and_together_and_the_baseline(done):
    results = results_of(*done)
    processes = {"one": results, "two": results}
    (axes,) = generation_figures.accuracy(processes, results["baseline"]).axes
    curves = {line.get_label(): line.get_ydata() for line in axes.lines}
    assert list(curves) == ["one", "one, ensemble", "two", "two, ensemble", "baseline"]
    ensembles = [100 * g["ensemble"]["top1"] for g in results["generations"]]
    np.testing.assert_allclose(curves["one, ensemble"], ensembles)
    assert set(curves["baseline"]) == {100 * results["baseline"]["top1"]}
    (alone,) = generation_figures.accuracy({"one": results}, None).axes
    assert len(alone.lines) == 2


def test_the_page_tells_where_processes_differ_in_more_than_d(done, tmp_path):
    config, workdir = done
    copy = Workdir(shutil.copytree(workdir.root, tmp_path / "copy"))
    told = "differs from the first in more than D"
    assert told not in copy.generations_report.read_text("utf-8")
    shutil.copytree(copy.generations / "tolerant", copy.generations / "longer")
    path = copy.generation_results("longer")
    results = artifacts.read_json(path)
    results["settings"]["num_epochs"] = 30.0
    artifacts.write_json(path, results)
    report_generations.run(config, copy)
    page = copy.generations_report.read_text("utf-8")
    assert page.count(told) == 1 and "num_epochs" in page and "30.0" in page


def test_a_patriarch_that_answers_with_no_numbers_teaches_nobody(
    data_directory, tmp_path, monkeypatch
):
    make = networks.step.make_predict_step
    monkeypatch.setattr(
        networks.step, "make_predict_step",
        lambda *parts: lambda *given: make(*parts)(*given) + np.float32(np.nan),
    )
    workdir = Workdir(tmp_path)
    with pytest.raises(networks.NonFiniteLogitsError, match="tolerant/0 gives logits that are not"):
        runner.run_stages(small(data_directory), workdir, ["run_generations"])
    assert not workdir.generation("tolerant", 1).exists()


def test_students_hear_their_teacher(done, tmp_path):
    """With the same seed, and labels of no weight, a student is another than without a teacher."""
    config, workdir = done
    alone = tmp_path / "alone"
    shutil.copytree(workdir.generation("tolerant", 0), alone / "generations" / "tolerant" / "0")
    options = dataclasses.replace(
        config.generations, distill_weight=0.0, num_generations=1,
        tolerance=config.generations.tolerance,
    )
    untaught = dataclasses.replace(config, generations=options)
    runner.run_stages(untaught, Workdir(alone), ["run_generations"])
    assert digests(untaught, Workdir(alone))[1] != digests(config, workdir)[1]


def test_what_was_stored_is_an_input_of_the_student(done, tmp_path):
    config, workdir = done
    shutil.copytree(workdir.generation("tolerant", 0), tmp_path / "generations" / "tolerant" / "0")
    stored = dataclasses.replace(config, generations=dataclasses.replace(
        config.generations, teacher_signal="stored", num_generations=1,
    ))
    runner.run_stages(stored, Workdir(tmp_path), ["run_generations"])
    other = dataclasses.replace(stored, soft_targets=dataclasses.replace(
        stored.soft_targets, num_views=3,
    ))
    with pytest.raises(artifacts.StaleArtifactError, match="soft_targets"):
        runner.run_stages(other, Workdir(tmp_path), ["run_generations"])


def test_other_test_views_are_judged_anew_and_nothing_is_trained(done, tmp_path):
    config, workdir = done
    copy = Workdir(shutil.copytree(workdir.root, tmp_path / "copy"))
    more = dataclasses.replace(config, data=dataclasses.replace(config.data, test_views=3))
    assert runner.STAGES["run_generations"].run(more, copy)
    assert digests(more, copy) == digests(config, workdir)
    assert results_of(more, copy)["test_examples"] == 3 * (
        results_of(config, workdir)["test_examples"] // config.data.test_views
    )


@pytest.mark.parametrize("spoil, why", [
    (lambda manifest: manifest.update(complete=False), "it is unfinished"),
    (lambda manifest: manifest["inputs"]["training"].update(loss="sigmoid"), "its loss differ"),
    (lambda manifest: manifest["inputs"].update(records="others"), "its records differ"),
])
def test_another_generalist_is_no_baseline(done, tmp_path, capsys, spoil, why):
    config, workdir = done
    copy = Workdir(shutil.copytree(workdir.root, tmp_path / "copy"))
    path = copy.generalist / artifacts.MANIFEST
    manifest = artifacts.read_json(path)
    spoil(manifest)
    artifacts.write_json(path, manifest)
    runner.STAGES["run_generations"].run(config, copy)
    assert results_of(config, copy)["baseline"] is None
    assert why in capsys.readouterr().err


def test_evaluate_refuses_a_softmax_network(done, tmp_path):
    config, workdir = done
    copy = Workdir(shutil.copytree(workdir.root, tmp_path / "copy"))
    shutil.copytree(copy.generalist, copy.student("student"))
    with pytest.raises(UserError, match="softmax network, which evaluate does not judge"):
        runner.STAGES["evaluate"].run(config, copy)


@pytest.mark.parametrize("name", ["scores.npy", "training_scores.json"])
def test_damaged_scores_are_judged_by_nobody(done, tmp_path, name):
    config, workdir = done
    copy = Workdir(shutil.copytree(workdir.root, tmp_path / "copy"))
    path = copy.generation_answers("tolerant", "1") / name
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(UserError, match=f"{path} is damaged: .*remove {path.parent} and run"):
        runner.run_stages(config, copy, ["run_generations"])
