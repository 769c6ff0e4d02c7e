import numpy as np
import pytest

from kc_jax import artifacts
from kc_jax.core import label_space, soft_targets
from kc_jax.data.soft_target_store import SoftTargetStore
from kc_jax.data.vertical_store import store_inputs, write_vertical

SPACE = label_space.from_sizes((3, 5))
NUM_VIEWS, TOP_K = 2, 2
RECORDS = ([0, 2, 5], [1, 2, 7])  # Record 2 has labels in both verticals.


def inputs(**changes):
    values = {
        "teacher": "t", "data": "d", "label_space": SPACE.fingerprint,
        "views": {"augmentation": "glyph", "version": 1}, "top_k": TOP_K, "num_views": NUM_VIEWS,
    }
    return store_inputs(**{**values, **changes})


@pytest.fixture
def logits():
    rng = np.random.default_rng(0)
    return [
        rng.normal(size=(NUM_VIEWS, len(records), size)).astype(np.float32)
        for records, size in zip(RECORDS, SPACE.sizes, strict=True)
    ]


@pytest.fixture
def directory(tmp_path, logits):
    for vertical, name in enumerate(SPACE.verticals):
        folder = tmp_path / artifacts.safe_name(name)
        artifacts.is_complete(folder, inputs())
        parts = [
            soft_targets.top_k(rows, TOP_K)
            for view in logits[vertical]
            for rows in np.split(view, [1])  # Uneven parts, views outermost.
        ]
        facts = write_vertical(
            folder, record_ids=np.array(RECORDS[vertical]), num_classes=SPACE.sizes[vertical],
            num_views=NUM_VIEWS, top_k=TOP_K, parts=parts,
        )
        artifacts.complete(folder, **facts)
    return tmp_path


def dense(ids, probs):
    rows = np.zeros((len(ids), SPACE.num_classes))
    for row, (row_ids, row_probs) in enumerate(zip(ids, probs, strict=True)):
        np.add.at(rows[row], row_ids, row_probs)
    return rows


def expected(logits, record, view):
    row = np.zeros(SPACE.num_classes)
    for vertical, records in enumerate(RECORDS):
        if record in records:
            x = logits[vertical][view, records.index(record)].astype(np.float64)
            best = np.argsort(-x)[:TOP_K]
            row[SPACE.starts[vertical] + best] = 1 / (1 + np.exp(-x[best]))
    return row


def test_reads_any_record_and_view_in_any_order(directory, logits):
    store = SoftTargetStore(directory, SPACE, [inputs(), inputs()])
    asked = [(5, 1), (1, 0), (2, 1), (2, 0), (7, 1), (5, 1)]
    records, views = np.array(asked).T
    ids, probs = store(records, views)
    assert ids.dtype == np.int32 and probs.dtype == np.float32
    assert ids.shape == probs.shape == (6, 2 * TOP_K)
    wanted = np.stack([expected(logits, r, v) for r, v in asked])
    # Half a step of log-odds is at most 1.36e-3.
    np.testing.assert_allclose(dense(ids, probs), wanted, rtol=1.37e-3)


def test_soft_targets_of_images_are_those_of_any_view(tmp_path, logits):
    shared = inputs(views=None, num_views=1)
    for vertical, name in enumerate(SPACE.verticals):
        folder = tmp_path / artifacts.safe_name(name)
        artifacts.is_complete(folder, shared)
        artifacts.complete(folder, **write_vertical(
            folder, record_ids=np.array(RECORDS[vertical]), num_classes=SPACE.sizes[vertical],
            num_views=1, top_k=TOP_K, parts=[soft_targets.top_k(logits[vertical][0], TOP_K)],
        ))
    store = SoftTargetStore(tmp_path, SPACE, [shared, shared])
    assert store.num_views is None
    ids, probs = store(np.array([2, 2, 5]), np.array([0, 1, 1_000_000]))
    wanted = np.stack([expected(logits, record, 0) for record in (2, 2, 5)])
    np.testing.assert_allclose(dense(ids, probs), wanted, rtol=1.37e-3)


def test_views_with_soft_targets_of_their_own_are_counted(directory):
    assert SoftTargetStore(directory, SPACE, [inputs(), inputs()]).num_views == NUM_VIEWS


def test_padding_has_id_zero_and_no_probability(directory):
    store = SoftTargetStore(directory, SPACE, [inputs(), inputs()])
    ids, probs = store(np.array([0]), np.array([0]))
    np.testing.assert_array_equal(ids[0, TOP_K:], 0)
    np.testing.assert_array_equal(probs[0, TOP_K:], 0)


@pytest.mark.parametrize("change", [
    {"teacher": "other"}, {"data": "other"}, {"top_k": 3}, {"num_views": 3},
    {"label_space": "other"}, {"views": {"augmentation": "glyph", "version": 2}},
])
def test_refuses_what_was_written_otherwise(directory, change):
    (name,) = change
    with pytest.raises(artifacts.StaleArtifactError, match=name):
        SoftTargetStore(directory, SPACE, [inputs(), inputs(**change)])


def test_refuses_an_unfinished_vertical(directory):
    manifest = directory / artifacts.safe_name(SPACE.verticals[1]) / artifacts.MANIFEST
    artifacts.write_json(manifest, {**artifacts.read_json(manifest), "complete": False})
    with pytest.raises(artifacts.MissingArtifactError, match="write_soft_targets"):
        SoftTargetStore(directory, SPACE, [inputs(), inputs()])
