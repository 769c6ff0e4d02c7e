from collections import Counter

import numpy as np
import pytest

from kc_jax.core import sampling
from tests.reference import sampling as reference


def epoch_of(sampler, epoch):
    slots = np.arange(len(sampler))
    return sampler(np.full(len(slots), epoch), slots)


def shown(sampler, num_epochs):
    """Gives how often each record is shown in each epoch: i64[epochs, n]."""
    counts = [np.bincount(epoch_of(sampler, e)[0], minlength=len(sampler))
              for e in range(num_epochs)]
    return np.array(counts)


@pytest.mark.parametrize("seed", range(4))
def test_equals_a_walk_along_the_line(monkeypatch, seed):
    monkeypatch.setattr(sampling, "UNIT", 64)
    monkeypatch.setattr(sampling, "STRIDE", 39)
    rng = np.random.default_rng(seed)
    weights, groups = rng.integers(1, 40, size=12).astype(np.float64), rng.integers(3, size=12)
    sampler = sampling.Sampler(weights, groups)
    for epoch, wanted in enumerate(reference.epochs(weights, groups, 70, 64, 39)):
        records, turns = epoch_of(sampler, epoch)
        assert list(zip(records.tolist(), turns.tolist(), strict=True)) == wanted


def test_slots_may_be_asked_for_in_any_order_and_of_any_epochs():
    sampler = sampling.balanced([(0,)] * 9 + [(1,)] * 2, 1.0)
    rng = np.random.default_rng(0)
    epochs, slots = rng.integers(30, size=50), rng.integers(11, size=50)
    records, turns = sampler(epochs, slots)
    for i in range(50):
        alone = sampler(epochs[i : i + 1], slots[i : i + 1])
        assert (records[i], turns[i]) == (alone[0][0], alone[1][0])


def test_without_groups_every_record_is_shown_once_an_epoch_in_its_own_slot():
    sampler = sampling.balanced([(0,)] * 1000, 1.0)
    for epoch in (0, 1, 7, 100_000):
        records, turns = sampler(np.array([epoch, epoch]), np.array([3, 999]))
        assert records.tolist() == [3, 999] and turns.tolist() == [epoch, epoch]


@pytest.mark.parametrize("strength", [0.0, 0.25, 0.5, 1.0])
def test_groups_have_their_share_of_every_epoch(strength):
    sizes = np.array([700, 90, 9, 1, 200])
    groups = np.random.default_rng(0).permutation(np.repeat(np.arange(5), sizes))
    counts = shown(sampling.balanced([(g,) for g in groups], strength), 20)
    share = sizes ** (1.0 - strength)
    due = 1000 * share / share.sum()
    by_group = np.array([[row[groups == g].sum() for g in range(5)] for row in counts])
    assert (by_group.sum(axis=1) == 1000).all()
    assert np.abs(by_group - due).max() < 1
    np.testing.assert_allclose(by_group.mean(axis=0), due, atol=0.2)


def test_records_of_a_group_take_turns():
    groups = [0] * 70 + [1] * 7
    counts = shown(sampling.balanced([(g,) for g in groups], 1.0), 50)
    due = np.array([38.5 / 70] * 70 + [38.5 / 7] * 7)
    assert np.abs(counts - due).max() < 1
    assert np.abs(np.cumsum(counts, axis=0) - due * np.arange(1, 51)[:, None]).max() < 2


def test_every_time_a_record_is_shown_its_turn_is_the_next():
    sampler = sampling.balanced([(0,)] * 20 + [(1,)] * 3 + [(2,)], 0.8)
    turns = [[] for _ in range(24)]
    for epoch in range(30):
        for record, turn in zip(*epoch_of(sampler, epoch), strict=True):
            turns[record].append(turn)
    assert all(sorted(own) == list(range(len(own))) for own in turns)
    assert Counter(map(len, turns)).most_common(1)[0][1] < 24


def test_a_record_of_several_groups_is_shown_as_one_of_its_rarest():
    groups = [(0,)] * 6 + [(0, 1)] * 2 + [(2,)] * 8
    counts = shown(sampling.balanced(groups, 1.0), 200).mean(axis=0)
    np.testing.assert_allclose(counts[6:8] / counts[0], 8 / 2, rtol=0.05)
    np.testing.assert_allclose(counts[8:] / counts[0], 1, rtol=0.05)
