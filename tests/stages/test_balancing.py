"""Trainings that show images of rare verticals or classes more often."""

import dataclasses

import numpy as np
import pytest

from configs import eft
from kc_jax import config as kc_config
from kc_jax.core import label_space
from kc_jax.data.sources import Source
from kc_jax.stages import balancing, runner
from kc_jax.train import hooks
from tests.stages import shipped

SPACE = label_space.from_sizes((2, 2))
# Class 0: eight records, 1: two, 2: one, 3: one; the last has labels in both verticals.
LABELS = ((0,),) * 8 + ((1,),) * 2 + ((2,), (0, 3))
SOURCE = Source("train", LABELS, None, "records")


def shares(balance, strength=1.0, records=range(12), verticals=(0, 1)):
    """Gives how often records are shown an epoch, over many."""
    options = kc_config.build(eft.get_config("smoke")).generalist
    options = dataclasses.replace(options, balance=balance, balance_strength=strength)
    record_ids = np.array(list(records))
    sampler = balancing.sampler_of(SPACE, SOURCE, options, record_ids, verticals)
    slots = np.arange(len(record_ids))
    shown = [sampler(np.full(len(slots), epoch), slots)[0] for epoch in range(500)]
    return np.bincount(np.concatenate(shown), minlength=len(record_ids)) / 500


@pytest.mark.parametrize("balance, strength", [("none", 1.0), ("vertical", 0.0), ("class", 0.0)])
def test_unbalanced_all_are_shown_once(balance, strength):
    np.testing.assert_array_equal(shares(balance, strength), 1.0)


def test_verticals_are_shown_alike():
    due = 12 / (10 / 11 + 2 / 2)  # Eleven records have labels in the first, two in the second.
    np.testing.assert_allclose(
        shares("vertical"), [due / 11] * 10 + [due / 2] * 2, atol=0.02
    )


def test_classes_are_shown_alike():
    due = 12 / (8 / 9 + 1 + 1 + 1)
    np.testing.assert_allclose(
        shares("class"), [due / 9] * 8 + [due / 2] * 2 + [due, due], atol=0.02
    )


def test_a_teacher_minds_the_labels_of_its_vertical_alone():
    own = [*range(10), 11]  # In this vertical the last is one of nine of class 0.
    due = 11 / 2
    found = shares("class", records=own, verticals=(0,))
    np.testing.assert_allclose(found, [due / 9] * 8 + [due / 2] * 2 + [due / 9], atol=0.02)
    np.testing.assert_array_equal(shares("vertical", records=own, verticals=(0,)), 1.0)


def test_a_balanced_student_that_is_stopped_ends_bit_identical(copy, monkeypatch):
    config, workdir = copy
    names = ("whole", "stopped")
    whole, stopped = (
        dataclasses.replace(
            config, running=dataclasses.replace(config.running, checkpoint_every_steps=3),
            student=dataclasses.replace(
                config.student, name=name, balance="class", balance_strength=1.0
            ),
        ) for name in names
    )
    runner.run_stages(whole, workdir, ["train_student"])

    def stopping(show, log):
        def hook(step, state, metrics):
            if step == 5:
                raise KeyboardInterrupt

        return hook

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(hooks, "progress_hook", stopping)
        runner.run_stages(stopped, workdir, ["train_student"])
    runner.run_stages(stopped, workdir, ["train_student"])
    first, second, even = (shipped.digest(workdir.student(n)) for n in (*names, "student"))
    assert first == second != even
