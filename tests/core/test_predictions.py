import numpy as np
import pytest

from kc_jax.core import predictions
from kc_jax.core.log_odds import LIMIT

CLASSES = range(4, 9)
RECORD_IDS = np.array([1, 3, 10])
NUM_VIEWS = 2


def rows_of(entries):
    return np.array(entries, predictions.ROW)


@pytest.fixture
def entries():
    """Gives log-odds of some (record, view, class) triples, shuffled."""
    rng = np.random.default_rng(0)
    triples = [
        (record, view, class_id, value)
        for record in (0, *RECORD_IDS) for view in range(NUM_VIEWS) for class_id in CLASSES
        if (value := rng.normal()) > -0.5
    ]
    return [triples[i] for i in rng.permutation(len(triples))]


def test_dense_rows_are_the_entries_in_the_stores_order(entries):
    rows = predictions.arrange(rows_of(entries), RECORD_IDS)
    positions = predictions.positions(rows, RECORD_IDS)
    assert np.all(np.diff(positions) >= 0)
    logits = np.concatenate([
        predictions.dense(rows, positions, first, stop, CLASSES)
        for first, stop in ((0, 2), (2, 3), (3, 6))
    ])
    assert logits.dtype == np.float32
    wanted = {entry[:3]: np.float32(entry[3]) for entry in entries}
    for view in range(NUM_VIEWS):
        for place, record in enumerate(RECORD_IDS):
            row = logits[view * len(RECORD_IDS) + place]
            for class_id in CLASSES:
                value = wanted.get((record, view, class_id))
                if value is None:
                    assert row[class_id - CLASSES.start] < -LIMIT
                else:
                    assert row[class_id - CLASSES.start] == value
            assert len(set(row)) == len(CLASSES)  # No two absent classes are equal.


def test_an_image_without_rows_has_no_class_above_the_limit():
    nothing = rows_of([])
    logits = predictions.dense(nothing, predictions.positions(nothing, RECORD_IDS), 0, 6, CLASSES)
    assert logits.shape == (6, 5) and np.all(logits < -LIMIT)


def test_other_records_are_dropped(entries):
    rows = predictions.arrange(rows_of(entries), RECORD_IDS)
    assert 0 in {entry[0] for entry in entries}
    assert set(rows["record"]) == set(RECORD_IDS)
    assert len(rows) == sum(entry[0] != 0 for entry in entries)


@pytest.mark.parametrize("extra, twice", [
    ((3, 1, 5, 9.0), True), ((3, 0, 5, 9.0), False), ((10, 1, 5, 9.0), False),
    ((3, 1, 6, 9.0), False),
])
def test_duplicates_are_found(extra, twice):
    rows = predictions.arrange(rows_of([(1, 0, 4, 0.0), (3, 1, 5, 1.0), extra]), RECORD_IDS)
    place = predictions.find_duplicate(rows)
    assert (place is not None) == twice
    if twice:
        assert rows[place][["record", "view", "class_id"]].tolist() == (3, 1, 5)


def test_nothing_has_no_duplicates():
    assert predictions.find_duplicate(rows_of([])) is None
    assert predictions.find_duplicate(rows_of([(1, 0, 4, 0.0)])) is None
