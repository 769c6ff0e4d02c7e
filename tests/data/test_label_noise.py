import dataclasses

import numpy as np
import pytest

from configs import eft
from kc_jax import config
from kc_jax.core import label_space
from kc_jax.data import label_noise, sources

SPACE = label_space.from_sizes([5, 1, 3])
LABELS = [(int(c),) for c in np.random.default_rng(0).integers(9, size=4_000)]


def changed(labels, noisy):
    return np.array([a != b for a, b in zip(labels, noisy, strict=True)])


def test_labels_are_swapped_for_others_of_their_vertical_evenly():
    noisy = label_noise.swap_labels(LABELS, SPACE, 1.0, 0)
    vertical_of_class = SPACE.vertical_of_class
    for ((before,), (after,)) in zip(LABELS, noisy, strict=True):
        assert vertical_of_class[before] == vertical_of_class[after]
        assert (before == after) == (before == 5)  # Alone in its vertical.
    from_first = np.bincount([b for (a,), (b,) in zip(LABELS, noisy, strict=True) if a == 0])
    assert from_first[0] == 0 and from_first[1:5].min() > 0.15 * from_first.sum()


def test_the_share_of_records_is_swapped_and_more_noise_swaps_more_of_them():
    none, some, more = (
        changed(LABELS, label_noise.swap_labels(LABELS, SPACE, share, 3))
        for share in (0.0, 0.3, 0.6)
    )
    assert not none.any()
    assert 0.24 < some.mean() < 0.3 and not np.any(some & ~more)
    other = label_noise.swap_labels(LABELS, SPACE, 0.3, 4)
    assert np.any(changed(LABELS, other) != some)


def test_several_labels_stay_sorted_and_distinct():
    noisy = label_noise.swap_labels([(0, 1, 7), (8, 6)] * 50, SPACE, 1.0, 0)
    for ids in noisy:
        assert list(ids) == sorted(set(ids))
        assert {int(SPACE.vertical_of_class[c]) for c in ids} <= {0, 2}


@pytest.mark.parametrize("judged_on", ["test", "validation"])
def test_only_training_records_have_wrong_labels(tmp_path, judged_on):
    data = dataclasses.replace(
        config.build(eft.get_config("smoke")).data, directory=str(tmp_path), judged_on=judged_on
    )
    noisy = dataclasses.replace(data, label_noise=0.5)
    clean_train, train = (sources.open_source(d, "train") for d in (data, noisy))
    assert 0.2 < changed(clean_train.labels, train.labels).mean() < 0.8
    assert clean_train.fingerprint != train.fingerprint
    np.testing.assert_array_equal(clean_train.read(3), train.read(3))
    clean, judged = (sources.open_source(d, judged_on) for d in (data, noisy))
    assert clean.labels == judged.labels and clean.fingerprint == judged.fingerprint
