"""What is said of stored soft targets: that they are the teachers', and what they hold."""

import dataclasses

import numpy as np
import pytest

from kc_jax import artifacts
from kc_jax.core import quantisation
from kc_jax.data import batches, sources, vertical_store
from kc_jax.stages import (
    networks,
    runner,
    soft_target_stats,
    storing,
    teachers,
    verify_soft_targets,
    write_soft_targets,
)
from tests.reference import smearing
from tests.reference import soft_targets as reference

VERTICAL = 1


def with_top_k(config, top_k):
    return dataclasses.replace(
        config, soft_targets=dataclasses.replace(config.soft_targets, top_k=top_k)
    )


def parts_of(config, workdir):
    """Gives label space, source and the open store of a vertical."""
    space = sources.load_label_space(config.data)
    source = sources.open_source(config.data, "train")
    inputs = storing.store_inputs(config, workdir, space, source)[VERTICAL]
    folder = workdir.soft_targets_of(space.verticals[VERTICAL])
    return space, source, vertical_store.VerticalStore(folder, space.sizes[VERTICAL], inputs)


def everything(store, num_views):
    """Gives the places and views of all rows, views outermost."""
    rows = np.arange(num_views * len(store.record_ids))
    return np.divmod(rows, len(store.record_ids))[::-1]


def test_what_was_written_is_verified(copy, capsys):
    config, workdir = copy
    runner.run_stages(config, workdir, ["verify_soft_targets"])
    lines = capsys.readouterr().out.splitlines()
    verticals = sources.load_label_space(config.data).verticals
    assert [line.split(":")[0] for line in lines] == list(verticals)
    assert all(f" {config.soft_targets.num_views} views agree" in line for line in lines)


def test_another_batch_size_and_k_are_verified(copy):
    config = with_top_k(copy[0], 3)
    runner.run_stages(config, copy[1], ["write_soft_targets"], redo=["write_soft_targets"])
    soft = dataclasses.replace(config.soft_targets, batch_size=7, verify_records=1000)
    changed = dataclasses.replace(config, soft_targets=soft)
    runner.run_stages(changed, copy[1], ["verify_soft_targets"])


def test_a_soft_target_of_no_teacher_is_named(copy):
    config, workdir = copy
    space, _, store = parts_of(config, workdir)
    num_views = config.soft_targets.num_views
    places, views = everything(store, num_views)
    ids, levels = store(places, views)
    place = verify_soft_targets.sample(
        len(store.record_ids), config.soft_targets.verify_records
    )[-1]
    wrong = np.flatnonzero((places == place) & (views == 1))[0]
    log_odds = quantisation.log_odds_of(levels)
    log_odds[wrong, 2] += 0.01
    folder = workdir.soft_targets_of(space.verticals[VERTICAL])
    facts = vertical_store.write_vertical(
        folder, record_ids=store.record_ids, num_classes=space.sizes[VERTICAL],
        num_views=num_views, top_k=config.soft_targets.top_k, parts=[(ids, log_odds)],
    )
    artifacts.complete(folder, **facts)
    named = (
        f"vertical '{space.verticals[VERTICAL]}', record {store.record_ids[place]}, view 1: "
        "the teacher's logits are 0.0.* from the stored.*--redo=write_soft_targets"
    )
    with pytest.raises(verify_soft_targets.SoftTargetMismatchError, match=named):
        runner.run_stages(config, workdir, ["verify_soft_targets"])


def test_verifying_sees_damage_outside_the_sample(copy):
    config, workdir = copy
    config = dataclasses.replace(
        config, soft_targets=dataclasses.replace(config.soft_targets, verify_records=1)
    )
    name = sources.load_label_space(config.data).verticals[VERTICAL]
    path = workdir.soft_targets_of(name) / vertical_store.RECORDS
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(vertical_store.DamagedStoreError, match=str(path)):
        runner.run_stages(config, workdir, ["verify_soft_targets"])


def test_samples_are_sorted_distinct_and_the_same_at_every_call():
    places = verify_soft_targets.sample(1000, 32)
    assert len(places) == 32 and np.all(np.diff(places) > 0)
    np.testing.assert_array_equal(places, verify_soft_targets.sample(1000, 32))
    np.testing.assert_array_equal(verify_soft_targets.sample(5, 32), np.arange(5))


def test_stats_are_those_of_the_teachers_and_the_labels(copy, capsys):
    config, workdir = with_top_k(copy[0], 3), copy[1]
    runner.run_stages(
        config, workdir, ["write_soft_targets", "soft_target_stats"], redo=["write_soft_targets"]
    )
    space, source, store = parts_of(config, workdir)
    name, num_views = space.verticals[VERTICAL], config.soft_targets.num_views
    stats = artifacts.read_json(workdir.soft_target_stats)
    row = stats["verticals"][name]
    places, views = everything(store, num_views)
    names = (store(places, views)[0] + space.classes_of(VERTICAL).start).tolist()
    labels = [source.labels[r] for r in store.record_ids[places]]
    first = [row[0] in known for row, known in zip(names, labels, strict=True)]
    kept = [bool(set(row) & set(known)) for row, known in zip(names, labels, strict=True)]
    assert row["first_is_label"] == pytest.approx(np.mean(first), abs=1e-6)
    assert row["label_kept"] == pytest.approx(np.mean(kept), abs=1e-6)
    asked = teachers.find(config, workdir, space)
    answers = write_soft_targets.teacher_logits(config, asked, source, VERTICAL, store.record_ids)
    logits = np.concatenate([logits for _, logits in answers])
    mass = np.array(reference.kept_mass(logits, 3))
    assert row["mass_kept"] == pytest.approx(mass.mean(), abs=2e-6) and row["mass_kept"] < 0.99
    own = space.classes_of(VERTICAL)
    right = [[c - own.start for c in smearing.smear(known, space.parents)] for known in labels]
    num_similar = config.teachers.tolerance.num_similar
    everyone, nearest = np.mean(reference.secondary_mass(logits, right, num_similar), axis=-1)
    assert row["secondary_mass"] == pytest.approx(everyone, abs=2e-6)
    assert row["first_secondary_mass"] == pytest.approx(nearest, abs=2e-6)
    assert nearest < everyone - 0.01 and row["num_similar"] == num_similar
    assert row["num_records"] == row["num_labelled"] == len(store.record_ids)
    assert row["num_views"] == num_views
    assert stats["total"]["num_records"] == sum(
        len(source.records_of(space, v)) for v in range(space.num_verticals)
    )
    printed = capsys.readouterr().out
    assert "Soft targets: the first 3 in 2 views" in printed and "total" in printed


def test_means_weigh_verticals_by_the_images_that_they_are_of():
    counts = {"num_classes": 3, "num_views": 2, "num_similar": 5}
    total = soft_target_stats.total([
        {**counts, **dict.fromkeys(soft_target_stats.MEANS, value), "num_records": records,
         "num_labelled": labelled}
        for value, records, labelled in [(0.25, 100, 100), (0.75, 1000, 100)]
    ])
    assert (total["num_classes"], total["num_records"], total["num_labelled"]) == (6, 1100, 200)
    assert total["mass_kept"] == 0.5
    assert total["bytes_per_view"] == pytest.approx((25 + 750) / 1100, abs=1e-6)


def test_the_students_loss_changes_by_less_than_a_thousandth(copy):
    config, workdir = copy
    space, source, store = parts_of(config, workdir)
    places, views = everything(store, config.soft_targets.num_views)
    ids, levels = store(places, views)
    asked = config, teachers.find(config, workdir, space), source, VERTICAL, store.record_ids
    teacher = np.concatenate([logits for _, logits in write_soft_targets.teacher_logits(*asked)])
    predict = networks.load_predictor(
        config, workdir.student("student"), "train_student", space, "train", len(places)
    )
    (batch,) = batches.inference_batches(
        source, store.record_ids, batch_size=len(places), num_views=config.soft_targets.num_views
    )
    student = predict(batch).astype(np.float64)
    free = np.logaddexp(0, student).sum(axis=-1)
    x = student[:, list(space.classes_of(VERTICAL))]
    exact = 1 / (1 + np.exp(-teacher.astype(np.float64)))
    stored = np.zeros(exact.shape)
    np.put_along_axis(stored, ids, quantisation.probabilities_of(levels), axis=-1)
    before, after = (free - (probs * x).sum(axis=-1) for probs in (exact, stored))
    assert np.max(np.abs(after - before) / before) < 1e-3


def test_stats_are_written_once(copy, capsys):
    config, workdir = copy
    for _ in range(2):
        runner.run_stages(config, workdir, ["soft_target_stats"])
    assert capsys.readouterr().err.count("complete, skipped") == 1


@pytest.mark.parametrize("stage", ["verify_soft_targets", "soft_target_stats"])
def test_what_is_not_written_is_named(copy, stage):
    config, workdir = copy
    artifacts.remove(workdir.soft_targets)
    with pytest.raises(artifacts.MissingArtifactError, match="write_soft_targets"):
        runner.run_stages(config, workdir, [stage])
