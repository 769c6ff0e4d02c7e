"""Training images of which the verticals alone are known: soft targets teach them."""

import dataclasses

import numpy as np
import pytest

from kc_jax import artifacts
from kc_jax.config import ConfigError
from kc_jax.data import sources
from kc_jax.stages import balancing, runner
from kc_jax.workdir import Workdir
from tests.stages import shipped

STAGES = ("train_generalist", "train_teachers", "write_soft_targets", "train_student")


def with_data(config, **options):
    return dataclasses.replace(config, data=dataclasses.replace(config.data, **options))


def with_student(config, **options):
    return dataclasses.replace(config, student=dataclasses.replace(config.student, **options))


@pytest.fixture
def partly(data_directory):
    """Gives the smoke run with the labels of half of the images, and soft targets for half of D."""
    config = with_data(shipped.smoke(data_directory), labelled_share=0.5)
    return with_student(config, distill_weight=0.5)


def test_the_share_is_known_and_every_class_has_one(partly):
    source = sources.open_source(partly.data, "train")
    whole = sources.open_source(with_data(partly, labelled_share=1.0).data, "train")
    space = sources.load_label_space(partly.data)
    assert abs(len(source.labelled) / len(source) - 0.5) < 0.1
    assert {c for ids in source.labels for c in ids} == {c for ids in whole.labels for c in ids}
    assert len(whole.labelled) == len(whole) and whole.fingerprint != source.fingerprint
    for record in range(len(source)):
        assert (record in source.unlabelled) == (not source.labels[record])
    for vertical_id in range(space.num_verticals):
        np.testing.assert_array_equal(
            source.records_of(space, vertical_id), whole.records_of(space, vertical_id)
        )
    judged = sources.open_source(partly.data, "test")
    assert len(judged.labelled) == len(judged)


def test_wrong_labels_leave_the_same_ones_known(partly):
    clean, noisy = (
        sources.open_source(with_data(partly, label_noise=noise).data, "train")
        for noise in (0.0, 0.5)
    )
    np.testing.assert_array_equal(clean.labelled, noisy.labelled)
    assert clean.labels != noisy.labels and clean.fingerprint != noisy.fingerprint


def test_labels_teach_what_has_them_and_soft_targets_everything(partly, tmp_path):
    workdir = Workdir(tmp_path)
    runner.run_stages(partly, workdir, STAGES)
    on_labels = with_student(partly, name="on_labels", distill_weight=0.0)
    runner.run_stages(on_labels, workdir, ["train_student"])
    source = sources.open_source(partly.data, "train")
    space = sources.load_label_space(partly.data)

    def epochs(directory, records):
        seen = artifacts.read_json(directory / artifacts.MANIFEST)["images_seen"]
        return seen / len(records)

    known = pytest.approx(partly.generalist.num_epochs, rel=0.1)
    assert epochs(workdir.generalist, source.labelled) == known
    assert epochs(workdir.student("on_labels"), source.labelled) == known
    assert epochs(workdir.student(partly.student.name), range(len(source))) == known
    for vertical_id, name in enumerate(space.verticals):
        own = np.intersect1d(source.records_of(space, vertical_id), source.labelled)
        steps = artifacts.read_json(workdir.teacher(name) / artifacts.MANIFEST)["num_steps"]
        assert steps == max(1, round(partly.teachers.num_epochs * len(own) / 32))
    with pytest.raises(ConfigError, match=r"balance is 'class'.*not known.*'vertical' or 'none'"):
        runner.run_stages(
            with_student(partly, name="balanced", balance="class"), workdir, ["train_student"]
        )


def test_verticals_can_be_balanced_without_labels(partly):
    source = sources.open_source(partly.data, "train")
    space = sources.load_label_space(partly.data)
    student = with_student(partly, balance="vertical", balance_strength=1.0).student
    record_ids = np.arange(len(source))
    sampler = balancing.sampler_of(
        space, source, student, record_ids, range(space.num_verticals)
    )
    slots = np.arange(len(source))
    shown = np.concatenate([sampler(np.full(len(source), e), slots)[0] for e in range(50)])
    sums = [
        np.isin(shown, source.records_of(space, v)).sum() for v in range(space.num_verticals)
    ]
    np.testing.assert_allclose(sums, np.mean(sums), rtol=0.05)
