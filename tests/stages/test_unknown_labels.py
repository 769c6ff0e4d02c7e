"""Training images of which the verticals alone are known: soft targets teach them."""

import dataclasses
import json

import numpy as np
import pytest

from kc_jax import artifacts
from kc_jax.config import ConfigError
from kc_jax.data import sources
from kc_jax.stages import runner
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
    assert abs(len(source.labelled) / len(source) - 0.5) < 0.1
    known = {c for r in source.labelled for c in source.labels[r]}
    assert known == {c for ids in source.labels for c in ids}
    whole = sources.open_source(with_data(partly, labelled_share=1.0).data, "train")
    assert len(whole.labelled) == len(whole) and whole.fingerprint != source.fingerprint
    judged = sources.open_source(partly.data, "test")
    assert len(judged.labelled) == len(judged)


def test_wrong_labels_leave_the_same_ones_known(partly):
    clean, noisy = (
        sources.open_source(with_data(partly, label_noise=noise).data, "train")
        for noise in (0.0, 0.5)
    )
    np.testing.assert_array_equal(clean.labelled, noisy.labelled)


def test_no_network_learns_from_a_label_that_is_not_known(partly, tmp_path, monkeypatch):
    """Swaps the labels that nobody should see, inside their verticals; nothing changes."""
    digests, seen = {}, {}
    true = sources.open_source(partly.data, "train")
    space = sources.load_label_space(partly.data)
    secret = ~true.is_labelled
    other = tuple(
        (next((c for c in space.classes_of(int(space.vertical_of_class[ids[0]]))
               if c != ids[0]), ids[0]),) if hidden else ids
        for ids, hidden in zip(true.labels, secret, strict=True)
    )
    assert sum(a != b for a, b in zip(true.labels, other, strict=True)) > 5
    swapped = dataclasses.replace(true, labels=other)
    open_source = sources.open_source
    for name, source in (("true", true), ("swapped", swapped)):
        workdir = Workdir(tmp_path / name)
        with monkeypatch.context() as patch:
            patch.setattr(
                sources, "open_source",
                lambda data, split, source=source: source if split == "train"
                else open_source(data, split),
            )
            runner.run_stages(partly, workdir, STAGES)
            runner.run_stages(
                with_student(partly, name="on_labels", distill_weight=0.0), workdir,
                ["train_student"],
            )
        manifests = {
            str(path.parent.relative_to(workdir.root)): json.loads(path.read_text())
            for path in workdir.root.rglob(artifacts.MANIFEST)
        }
        digests[name] = {k: m["digest"] for k, m in manifests.items() if "digest" in m}
        seen[name] = {k: m["images_seen"] for k, m in manifests.items() if "images_seen" in m}
    assert digests["true"] == digests["swapped"] and len(digests["true"]) >= 4
    student, on_labels = (
        seen["true"][str(workdir.student(n).relative_to(workdir.root))]
        for n in (partly.student.name, "on_labels")
    )
    assert student == pytest.approx(on_labels * len(true) / len(true.labelled), rel=0.1)


def test_classes_that_are_not_known_cannot_be_balanced(partly, tmp_path):
    workdir = Workdir(tmp_path)
    runner.run_stages(partly, workdir, STAGES[:-1])
    balanced = with_student(partly, balance="class")
    with pytest.raises(ConfigError, match=r"(?s)balance is 'class'.*not known.*labelled_share"):
        runner.run_stages(balanced, workdir, ["train_student"])
