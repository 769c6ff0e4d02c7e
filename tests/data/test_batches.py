import hashlib
import itertools

import numpy as np
import pytest

from kc_jax.core.sampling import balanced
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


@pytest.mark.parametrize("num_views, wanted", [
    (None, "97a7c989905bf2cf6f252eba47a109cf3ed19a9b46d4acc499bf285d5f81ec3a"),
    (2, "0e27c464fd13daa43687255b6f675bf1157b28dc4ed15e1d594182f539f61814"),
])
def test_batches_are_those_of_earlier_versions(num_views, wanted):
    """So that a training goes on, and gives what it gave, after an update."""
    hasher = hashlib.sha256()
    for batch in take(stream(seed=3, num_views=num_views, start_step=2), 20):
        for name, values in sorted(batch.items()):
            hasher.update(f"{name}{values.dtype}{values.shape}".encode())
            hasher.update(np.ascontiguousarray(values))
    assert hasher.hexdigest() == wanted


# Two records of one group, five of another: 1.75 and 0.7 times an epoch.
BALANCED = balanced([(0,), (0,), (1,), (1,), (1,), (1,), (1,)], 1.0)


def test_a_balanced_epoch_has_as_many_images_and_shows_the_rare_more_often():
    batches = take(stream(batch_size=7, sampler=BALANCED), 20)
    rare = [np.isin(batch["record_id"], RECORDS[:2]).sum() for batch in batches]
    assert set(rare) == {3, 4} and sum(rare) == 70
    orders = {tuple(batch["record_id"]) for batch in batches}
    assert len(orders) == 20


def test_a_record_that_is_shown_again_shows_another_view():
    batches = take(stream(sampler=BALANCED), 70)
    records, views = (
        np.concatenate([batch[key] for batch in batches]) for key in ("record_id", "view")
    )
    pairs = set(zip(records.tolist(), views.tolist(), strict=True))
    assert len(pairs) == 280
    turns = take(stream(sampler=BALANCED, num_views=3), 70)
    np.testing.assert_array_equal(np.concatenate([batch["view"] for batch in turns]), views % 3)


def test_balanced_batches_depend_on_the_step_alone():
    whole = take(stream(sampler=BALANCED), 9)
    rest = take(stream(sampler=BALANCED, start_step=5, read_threads=3), 4)
    for a, b in zip(whole[5:], rest, strict=True):
        assert (a["image"][:, 0, 0, 0] == a["record_id"]).all()
        for name in a:
            np.testing.assert_array_equal(a[name], b[name])


def test_seeds_differ():
    orders = [take(stream(seed=seed), 1)[0]["record_id"].tolist() for seed in (0, 1)]
    assert orders[0] != orders[1]


@pytest.mark.parametrize("read_threads", [1, 3])
@pytest.mark.parametrize("batch_size", [1, 4, 7, 20])
def test_inference_shows_every_view_once_and_masks_padding(batch_size, read_threads):
    batches = list(inference_batches(
        SOURCE, RECORDS, batch_size=batch_size, num_views=2, read_threads=read_threads
    ))
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


def test_there_may_be_nothing_to_ask_about():
    assert not list(inference_batches(SOURCE, RECORDS[:0], batch_size=4, num_views=2))
