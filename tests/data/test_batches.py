import itertools

import numpy as np
import pytest

from kc_jax.data.batches import inference_batches, records_of_step, train_batches
from kc_jax.data.sources import Source
from kc_jax.data.targets import label_targets

IMAGES = np.arange(10, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 1), np.uint8)
LABELS = tuple((r % 3,) for r in range(10))
SOURCE = Source("train", LABELS, IMAGES.__getitem__, "fingerprint")
RECORDS = np.array([1, 3, 4, 6, 8, 9, 2])


def stream(**changes):
    options = {"batch_size": 4, "seed": 0, **changes}
    return train_batches(SOURCE, RECORDS, label_targets(LABELS), **options)


def take(batches, count):
    return list(itertools.islice(batches, count))


def test_every_epoch_shows_every_record_once_in_a_new_order():
    batches = take(stream(batch_size=7), 3)
    orders = [tuple(batch["record_id"]) for batch in batches]
    assert all(sorted(order) == sorted(RECORDS) for order in orders)
    assert len(set(orders)) == 3
    assert [set(batch["view"]) for batch in batches] == [{0}, {1}, {2}]


def test_images_and_targets_belong_to_their_record():
    for batch in take(stream(), 5):
        np.testing.assert_array_equal(batch["image"][:, 0, 0, 0], batch["record_id"])
        np.testing.assert_array_equal(batch["target_ids"][:, 0], batch["record_id"] % 3)
        assert batch["mask"].all()


def test_starting_at_a_step_gives_the_same_batches_as_coming_to_it():
    whole, rest = take(stream(), 9), take(stream(start_step=5), 4)
    for a, b in zip(whole[5:], rest, strict=True):
        for name in a:
            np.testing.assert_array_equal(a[name], b[name])


def test_threads_change_nothing():
    for a, b in zip(take(stream(), 9), take(stream(read_threads=3), 9), strict=True):
        for name in a:
            np.testing.assert_array_equal(a[name], b[name])


def test_views_repeat_in_turn():
    views = np.concatenate([batch["view"] for batch in take(stream(num_views=2), 7)])
    np.testing.assert_array_equal(views, np.repeat([0, 1, 0, 1], 7))


def test_seeds_differ():
    orders = [take(stream(seed=seed), 1)[0]["record_id"].tolist() for seed in (0, 1)]
    assert orders[0] != orders[1]


@pytest.mark.parametrize("batch_size", [1, 4, 7, 20])
def test_inference_shows_every_view_once_and_masks_padding(batch_size):
    batches = list(inference_batches(SOURCE, RECORDS, batch_size=batch_size, num_views=2))
    assert all(len(batch["mask"]) == batch_size for batch in batches)
    shown = [
        (r, v) for batch in batches
        for r, v, kept in zip(batch["record_id"], batch["view"], batch["mask"], strict=True) if kept
    ]
    assert shown == [(r, v) for v in range(2) for r in RECORDS]


def test_a_steps_records_are_known_without_reading_them():
    for num_views in (None, 2):
        for step, batch in enumerate(take(stream(num_views=num_views), 9), start=1):
            records, views = records_of_step(
                RECORDS, step, batch_size=4, seed=0, num_views=num_views
            )
            np.testing.assert_array_equal(records, batch["record_id"])
            np.testing.assert_array_equal(views, batch["view"])
