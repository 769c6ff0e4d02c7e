"""Predictions made elsewhere in the place of teachers, up to the report."""

import dataclasses
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from kc_jax import artifacts, run_lock
from kc_jax.core import quantisation
from kc_jax.data import sources, vertical_store
from kc_jax.data.predictions import PredictionsError
from kc_jax.data.soft_target_store import SoftTargetStore
from kc_jax.stages import import_soft_targets, runner, storing, teachers, write_soft_targets
from kc_jax.workdir import Workdir
from tests.stages import shipped

STAGES = ("import_soft_targets", "train_student", "evaluate", "report")


@pytest.fixture(scope="session")
def dumped(finished):
    """Gives what the smoke run's teachers say of every view of every image, as a table."""
    config, workdir = finished
    space = sources.load_label_space(config.data)
    source = sources.open_source(config.data, "train")
    asked, tables = teachers.find(config, workdir, space), []
    for v in range(space.num_verticals):
        records = source.records_of(space, v)
        parts = write_soft_targets.teacher_logits(config, asked, source, v, records)
        logits = np.concatenate([logits for _, logits in parts])
        rows, columns = np.indices(logits.shape).reshape(2, -1)
        views, places = np.divmod(rows, len(records))
        tables.append(pa.table({
            "image": [source.key(int(r)) for r in records[places]],
            "class_id": columns + space.classes_of(v).start,
            "view": views,
            "logit": logits.ravel(),
            "probability": 1 / (1 + np.exp(-logits.ravel().astype(np.float64))),
        }))
    table = pa.concat_tables(tables)
    return table.take(np.random.default_rng(0).permutation(len(table)))


@pytest.fixture
def importing(finished, tmp_path):
    """Makes configuration and a fresh working directory for a table of predictions."""

    def make(table, **options):
        path = tmp_path / "predictions.parquet"
        pq.write_table(table, path)
        soft = dataclasses.replace(
            finished[0].soft_targets, predictions=str(path), **options
        )
        config = dataclasses.replace(finished[0], soft_targets=soft)
        return config, Workdir(tmp_path / "imported")

    return make


def of_images(table):
    """Averages the probabilities over views, so that they are of images."""
    means = table.group_by(["image", "class_id"]).aggregate([("probability", "mean")])
    return means.rename_columns(["image", "class_id", "probability"])


def files(workdir, space):
    return {
        (name, file): (workdir.soft_targets_of(name) / file).read_bytes()
        for name in space.verticals for file in (vertical_store.RECORDS, vertical_store.INDEX)
    }


def opened(config, workdir):
    space = sources.load_label_space(config.data)
    source = sources.open_source(config.data, "train")
    inputs = storing.store_inputs(config, workdir, space, source)
    return SoftTargetStore(workdir.soft_targets, space, inputs), source, space


def test_logits_of_our_teachers_give_the_same_files(finished, dumped, importing):
    config, workdir = importing(dumped, prediction_kind="logits")
    runner.run_stages(config, workdir, ["import_soft_targets"])
    space = sources.load_label_space(config.data)
    assert files(workdir, space) == files(finished[1], space)
    for name in space.verticals:
        facts = [
            artifacts.manifest_of(place.soft_targets_of(name), "write_soft_targets")
            for place in (workdir, finished[1])
        ]
        for key in (*storing.MEANS, "num_views"):
            assert facts[0][key] == facts[1][key]


def test_probabilities_of_our_teachers_give_the_same_soft_targets(finished, dumped, importing):
    imported = importing(dumped)
    runner.run_stages(*imported, ["import_soft_targets"])
    found, source, _ = opened(*imported)
    wanted = opened(*finished)[0]
    assert found.num_views == wanted.num_views == finished[0].soft_targets.num_views
    records = np.arange(len(source))
    for view in range(found.num_views):
        (ids, probs), (wanted_ids, wanted_probs) = (
            store(records, np.full(len(records), view)) for store in (found, wanted)
        )
        np.testing.assert_array_equal(ids, wanted_ids)
        np.testing.assert_allclose(probs, wanted_probs, rtol=2.8e-3)  # A level at most.


def test_the_main_job_needs_no_network_of_ours(dumped, importing, capsys):
    config, workdir = importing(of_images(dumped))
    runner.run_stages(config, workdir, STAGES)
    assert set(artifacts.read_json(workdir.results)["methods"]) == {"student"}
    assert not workdir.teachers.exists() and not workdir.generalist.exists()
    page = workdir.report.read_text(encoding="utf-8")
    assert "specialists" not in page.split("<details>")[0] and "+D" in page
    printed = capsys.readouterr().out
    assert "Gap closed: unknown without generalist and specialists" in printed
    runner.run_stages(config, workdir, STAGES)
    assert capsys.readouterr().err.count("complete, skipped") == len(STAGES)


def test_soft_targets_of_images_serve_every_view(dumped, importing):
    imported = importing(of_images(dumped))
    runner.run_stages(*imported, ["import_soft_targets"])
    store, source, space = opened(*imported)
    assert store.num_views is None
    means = {
        (row["image"], row["class_id"]): row["probability"]
        for row in of_images(dumped).to_pylist()
    }
    records = np.arange(len(source))
    ids, probs = store(records, records % 7)
    for record in records:
        for class_id, prob in zip(ids[record], probs[record], strict=True):
            if prob:
                wanted = means[source.key(int(record)), class_id]
                assert prob == pytest.approx(wanted, rel=1.4e-3, abs=1.2e-7)
        own = space.verticals_of(source.labels[record])
        assert np.count_nonzero(probs[record]) == sum(space.sizes[v] for v in own)


def test_classes_that_nobody_predicted_are_no_answers(dumped, importing):
    """Each image has one prediction; the store fills up with others, whose probability is 0."""
    first = {row["image"]: row for row in sorted(
        of_images(dumped).to_pylist(), key=lambda row: row["probability"]
    )}
    config, workdir = importing(pa.Table.from_pylist(list(first.values())))
    runner.run_stages(config, workdir, ["import_soft_targets", "soft_target_stats"])
    store, source, space = opened(config, workdir)
    stats = artifacts.read_json(workdir.soft_target_stats)["verticals"]
    for vertical_id, name in enumerate(space.verticals):
        records = source.records_of(space, vertical_id)
        named = [first[source.key(r)]["class_id"] in source.labels[r] for r in records]
        assert stats[name]["label_kept"] == pytest.approx(np.mean(named), abs=1e-6)
        assert stats[name]["first_is_label"] == stats[name]["label_kept"]
    ids, probs = store(np.arange(len(source)), np.zeros(len(source), int))
    is_named = probs > quantisation.LEAST_PROBABILITY
    assert np.all(is_named.sum(axis=1) == 1)
    assert ids[is_named].tolist() == [first[source.key(r)]["class_id"] for r in range(len(source))]


def test_other_augmentation_leaves_soft_targets_of_images_alone(dumped, importing, capsys):
    config, workdir = importing(of_images(dumped))
    runner.run_stages(config, workdir, ["import_soft_targets"])
    changed = dataclasses.replace(config, data=dataclasses.replace(config.data, seed=5))
    runner.run_stages(changed, workdir, ["import_soft_targets"])
    assert "complete, skipped" in capsys.readouterr().err


def test_verifying_and_counting_ask_no_teacher(dumped, importing, capsys):
    imported = importing(of_images(dumped))
    runner.run_stages(*imported, ["import_soft_targets", "verify_soft_targets"])
    verticals = sources.load_label_space(imported[0].data).verticals
    assert capsys.readouterr().out.count("all checksums agree; imported") == len(verticals)
    runner.run_stages(*imported, ["soft_target_stats"])
    assert "in 1 views" in capsys.readouterr().out


@pytest.mark.parametrize("change", ["values", "top_k", "missing"])
def test_other_inputs_are_named_and_refused(dumped, importing, change):
    table = of_images(dumped)
    config, workdir = importing(table)
    runner.run_stages(config, workdir, ["import_soft_targets", "train_student"])
    if change == "values":
        halves = pc.divide(table["probability"], 2.0)
        changed, _ = importing(table.set_column(2, "probability", halves))
    else:
        changed, _ = importing(table, **{"top_k": {"top_k": 3}, "missing": {"missing": "labels"}}[
            change
        ])
    with pytest.raises(artifacts.StaleArtifactError, match="top_k" if change == "top_k" else "tea"):
        runner.run_stages(changed, workdir, ["import_soft_targets"])
    runner.run_stages(
        changed, workdir, ["import_soft_targets"], redo=["import_soft_targets"]
    )
    with pytest.raises(artifacts.StaleArtifactError, match="soft_targets: "):
        runner.run_stages(changed, workdir, ["train_student"])


def test_imports_and_teachers_do_not_take_each_others_place_unasked(copy, dumped, importing):
    config, _ = importing(of_images(dumped))
    workdir = copy[1]
    with pytest.raises(artifacts.StaleArtifactError, match="teacher: "):
        runner.run_stages(config, workdir, ["import_soft_targets"])
    runner.run_stages(config, workdir, ["import_soft_targets"], redo=["import_soft_targets"])
    with pytest.raises(artifacts.StaleArtifactError, match="teacher: "):
        runner.run_stages(config, workdir, ["write_soft_targets"])
    runner.run_stages(config, workdir, ["write_soft_targets"], redo=["write_soft_targets"])
    assert opened(copy[0], workdir)[0].num_views == config.soft_targets.num_views
    runner.run_stages(copy[0], workdir, ["train_student", "evaluate"])  # As before: complete.


def without(table, images):
    return table.filter(pc.invert(pc.is_in(table["image"], pa.array(images))))


def test_images_without_predictions_are_named_and_refused(dumped, importing, capsys):
    lost = ["2", "11"]
    config, workdir = importing(without(of_images(dumped), lost))
    space = sources.load_label_space(config.data)
    source = sources.open_source(config.data, "train")
    with pytest.raises(PredictionsError, match="2 images have no predictions.*missing=labels"):
        runner.run_stages(config, workdir, ["import_soft_targets"])
    printed = capsys.readouterr().out
    for v, name in enumerate(space.verticals):
        records = {source.key(int(r)) for r in source.records_of(space, v)}
        (line,) = (line.split() for line in printed.splitlines() if line.split()[:1] == [name])
        gone = [key for key in lost if key in records]
        assert line[1:4] == [str(len(records)), str(len(records) - len(gone)), str(len(gone))]
        assert (f"Missing in {name}: {', '.join(gone)}" in printed.splitlines()) == bool(gone)
    # Nothing was begun, so mended predictions need no --redo.
    config, _ = importing(of_images(dumped))
    runner.run_stages(config, workdir, ["import_soft_targets"])


def test_images_that_have_neither_predictions_nor_labels_are_named():
    rows = {"birds": {"unlabelled_images": []}, "cars": {"unlabelled_images": ["cars/1.jpg"]}}
    with pytest.raises(PredictionsError, match="'cars' such as 'cars/1.jpg' have neither"):
        import_soft_targets._check_labels(rows)


def test_images_have_their_whole_names_and_what_is_not_covered_a_dash(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    key = f"photos/{'deep/' * 30}1.jpg"
    row = {"images": 4, "classes_an_image": 2.0, "rows_of_others": 0}
    import_soft_targets._print({
        "birds": {**row, "missing": 4, "missing_images": [key] * 3},
        "cars": {**row, "missing": 0, "missing_images": []},
    }, {"unknown_rows": 0}, {"birds": 0.999, "cars": 0.75})
    printed = capsys.readouterr().out.splitlines()
    assert printed[-1] == f"Missing in birds: {key}, {key}, {key}, …"
    cells = {line.split()[0]: line.split()[1:] for line in printed if line.split()}
    assert cells["birds"] == ["4", "0", "4", "2.0", "–"]
    assert cells["cars"] == ["4", "4", "0", "2.0", "75.0%"]


def test_images_without_predictions_can_learn_from_their_labels(dumped, importing):
    imported = importing(without(of_images(dumped), ["2"]), missing="labels")
    runner.run_stages(*imported, ["import_soft_targets"])
    store, source, _ = opened(*imported)
    ids, probs = store(np.array([2, 3]), np.array([0, 0]))
    labels = source.labels[2]
    assert set(ids[0][probs[0] > 0.5]) == set(labels)
    assert np.all(probs[0][probs[0] > 0.5] > 1 - 2e-7)
    assert np.all(probs[0][probs[0] < 0.5] < 2e-7)
    assert probs[1].max() < 1 - 1e-4  # The others are the predictions'.


def test_a_view_less_is_an_image_less(dumped, importing):
    last = pc.and_(pc.equal(dumped["image"], "4"), pc.equal(dumped["view"], 1))
    config, workdir = importing(dumped.filter(pc.invert(last)))
    with pytest.raises(PredictionsError, match="1 images have no .* in all views, such as '4'"):
        runner.run_stages(config, workdir, ["import_soft_targets"])


def test_a_few_classes_an_image_are_enough(dumped, importing):
    table = of_images(dumped)
    few = table.filter(pc.greater(table["probability"], 0.2))
    first = table.sort_by([("probability", "descending")]).group_by(
        "image", use_threads=False
    ).aggregate([("class_id", "first"), ("probability", "first")]).rename_columns(
        ["image", "class_id", "probability"]
    )
    both = pa.concat_tables([few, first.select(few.column_names)]).group_by(
        ["image", "class_id"]
    ).aggregate([("probability", "max")]).rename_columns(["image", "class_id", "probability"])
    imported = importing(both)
    runner.run_stages(*imported, ["import_soft_targets"])
    store, source, _ = opened(*imported)
    given = {(row["image"], row["class_id"]): row["probability"] for row in both.to_pylist()}
    ids, probs = store(np.arange(len(source)), np.zeros(len(source), np.int64))
    assert len(given) < np.count_nonzero(probs) / 2
    for record in range(len(source)):
        for class_id, prob in zip(ids[record], probs[record], strict=True):
            wanted = given.get((source.key(record), class_id), 0.0)
            assert prob == pytest.approx(wanted, rel=1.4e-3, abs=1.2e-7)


def test_rows_of_other_images_and_verticals_are_counted_and_left_out(dumped, importing, capsys):
    table = of_images(dumped)
    config, workdir = importing(table)
    space = sources.load_label_space(config.data)
    source = sources.open_source(config.data, "train")
    record = int(source.records_of(space, 0)[0])
    extra = pa.table({
        "image": ["test/1.png", source.key(record)],
        "class_id": [0, space.classes_of(1).start], "probability": [0.5, 1.0],
    })
    config, workdir = importing(pa.concat_tables([table, extra.cast(table.schema)]))
    runner.run_stages(config, workdir, ["import_soft_targets"])
    printed = capsys.readouterr().out
    assert "1 rows are of images that are no training records, such as 'test/1.png'" in printed
    assert "1 rows are of classes outside their image's verticals" in printed
    ids, probs = opened(config, workdir)[0](np.array([record]), np.array([0]))
    assert set(ids[probs > 0]) <= set(space.classes_of(0))


def test_a_pair_twice_is_named(dumped, importing):
    table = of_images(dumped)
    config, workdir = importing(pa.concat_tables([table, table.slice(7, 1)]))
    row = table.slice(7, 1).to_pylist()[0]
    named = f"image '{row['image']}', view 0, the class {row['class_id']} .* twice; keep one row"
    with pytest.raises(PredictionsError, match=named):
        runner.run_stages(config, workdir, ["import_soft_targets"])
    assert [p.name for p in workdir.root.iterdir()] == [run_lock.FILE]


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "kc_jax.import_soft_targets", "--config=configs/eft.py:smoke",
         *arguments],
        capture_output=True, text=True, timeout=120,
    )


def test_the_command_imports(dumped, importing, data_directory, tmp_path):
    config, workdir = importing(without(dumped, ["2"]))
    shared = [f"--workdir={workdir.root}", f"--predictions={config.soft_targets.predictions}",
              f"--config.data.directory={data_directory}"]
    result = command(*shared, "--kind=logits", "--missing=labels")
    assert result.returncode == 0, result.stderr
    assert "[import_soft_targets]" in result.stderr and "Predictions" in result.stdout
    asked = dataclasses.replace(
        config.soft_targets, prediction_kind="logits", missing="labels"
    )
    config = dataclasses.replace(config, soft_targets=asked)
    assert opened(config, workdir)[0].num_views == 2
    again = command(*shared)
    assert again.returncode == 1 and "Traceback" not in again.stderr
    assert "teacher: " in again.stderr


def test_mistakes_end_in_one_line(tmp_path):
    result = command(f"--workdir={tmp_path}", "--predictions=nowhere.parquet")
    *_, line = result.stderr.strip().splitlines()
    assert result.returncode == 1 and "Traceback" not in result.stderr
    assert line.startswith("kc_jax: ") and "'nowhere.parquet'" in line


@pytest.mark.parametrize("predictions, stage", [
    ("", "train_teachers"), ("predictions.parquet", "import_soft_targets"),
])
def test_the_stage_that_is_missing_is_named(data_directory, tmp_path, predictions, stage):
    config = shipped.smoke(data_directory, soft_targets__predictions=predictions)
    with pytest.raises(artifacts.MissingArtifactError, match=f"run the stage {stage} first"):
        runner.run_stages(config, Workdir(tmp_path), ["train_student"])
