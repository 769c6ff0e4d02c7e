import numpy as np

from kc_jax.data.validation import held_out, in_first_half

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


def test_half_of_the_records_is_chosen_by_name_alone():
    keys = [f"bird/{i}.png" for i in range(1000)]
    first = in_first_half(keys)
    assert first.dtype == np.bool_ and 450 < first.sum() < 550
    np.testing.assert_array_equal(in_first_half(keys[::-3]), first[::-3])


def test_the_halves_of_what_was_held_out_by_hash_are_halves():
    numbers = np.flatnonzero(held_out([(0,)] * 2000, 0.2))
    assert 160 < in_first_half([str(i) for i in numbers]).sum() < 240
