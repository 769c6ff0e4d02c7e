import numpy as np

from kc_jax.data.validation import held_out

LABELS = [(i // 4,) for i in range(400)] + [(100,)] + [(i, 101) for i in range(3)]


def test_the_share_is_held_out_the_same_at_every_call():
    chosen = held_out(LABELS, 0.25)
    assert chosen.dtype == np.bool_ and chosen.sum() == 101
    np.testing.assert_array_equal(chosen, held_out(LABELS, 0.25))


def test_a_larger_share_holds_out_more_of_the_same():
    small, large = held_out(LABELS, 0.1), held_out(LABELS, 0.3)
    assert np.all(large[small]) and large.sum() > small.sum()


def test_every_class_keeps_a_record():
    chosen = held_out(LABELS, 1.0)
    kept = {c for ids, out in zip(LABELS, chosen, strict=True) if not out for c in ids}
    assert kept == set(range(102)) and not chosen[400]
    assert chosen.sum() > 200


def test_records_are_chosen_all_over():
    positions = np.flatnonzero(held_out([(0,)] * 1000, 0.2))
    assert 70 < np.sum(positions < 500) < 130
