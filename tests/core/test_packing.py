import numpy as np
import pytest

from kc_jax.core.packing import MAX_CLASSES, RecordLayout, pack, unpack
from kc_jax.core.quantisation import MAX_LEVEL
from tests.reference import packing as reference

SHAPES = [  # (C_v, K)
    (5000, 100), (100, 100), (101, 100), (199, 100), (200, 100), (1, 1), (2, 1), (7, 3), (50, 7),
    (1 << 16, 5), (MAX_CLASSES, 1), (MAX_CLASSES, 100), (15000, 1000),
]


def rows(num_classes, num_kept, count=20):
    """Draws ids, the first rows at the ends of the range, and levels with ties."""
    rng = np.random.default_rng([num_classes, num_kept])
    first = np.arange(num_kept)
    ids = [first, num_classes - 1 - first]
    while len(ids) < count:
        drawn = np.unique(rng.integers(0, num_classes, 3 * num_kept))
        ids.append(rng.permutation(num_classes)[:num_kept] if len(drawn) < num_kept
                   else rng.permutation(drawn)[:num_kept])
    levels = rng.integers(0, MAX_LEVEL + 1, (count, num_kept))
    levels[::3] = rng.choice([0, 1, MAX_LEVEL], levels[::3].shape)
    return np.stack(ids).astype(np.int32), levels.astype(np.uint16)


@pytest.mark.parametrize("num_classes, num_kept", SHAPES)
def test_equals_the_reference(num_classes, num_kept):
    ids, levels = rows(num_classes, num_kept)
    layout = RecordLayout(num_classes, num_kept)
    records = pack(ids, levels, layout)
    assert records.dtype == np.uint8 and records.shape == (len(ids), layout.num_bytes)
    for record, row_ids, row_levels in zip(records, ids, levels, strict=True):
        expected = reference.pack(row_ids.tolist(), row_levels.tolist(), num_classes)
        assert record.tobytes() == expected
    read_ids, read_levels = unpack(records, layout)
    assert (read_ids.dtype, read_levels.dtype) == (np.int32, np.uint16)
    for row in range(0, len(ids), 7):
        pairs = reference.unpack(records[row], num_kept, num_classes)
        assert list(zip(read_ids[row], read_levels[row], strict=True)) == pairs


@pytest.mark.parametrize("num_classes, num_kept", SHAPES)
def test_what_is_read_is_what_was_written_highest_level_first(num_classes, num_kept):
    ids, levels = rows(num_classes, num_kept)
    layout = RecordLayout(num_classes, num_kept)
    order = np.lexsort((ids, -levels.astype(np.int64)))
    read_ids, read_levels = unpack(pack(ids, levels, layout), layout)
    np.testing.assert_array_equal(read_ids, np.take_along_axis(ids, order, axis=-1))
    np.testing.assert_array_equal(read_levels, np.take_along_axis(levels, order, axis=-1))


@pytest.mark.parametrize("num_classes, num_kept, num_bytes", [
    (5000, 100, 257), (1000, 100, 228), (15000, 100, 278), (100_000, 100, 312), (5000, 50, 135),
    (MAX_CLASSES, 100, 404), (100, 100, 188),
])
def test_bytes_of_a_record(num_classes, num_kept, num_bytes):
    assert RecordLayout(num_classes, num_kept).num_bytes == num_bytes


def test_no_rows():
    layout = RecordLayout(10, 3)
    records = pack(np.zeros((0, 3), np.int32), np.zeros((0, 3), np.uint16), layout)
    assert records.shape == (0, layout.num_bytes)
    ids, levels = unpack(records, layout)
    assert ids.shape == levels.shape == (0, 3)


@pytest.mark.parametrize("num_classes, num_kept", [(5, 6), (5, 0), (MAX_CLASSES + 1, 5)])
def test_impossible_layouts(num_classes, num_kept):
    with pytest.raises(ValueError, match=f"a record of {num_kept} of {num_classes} classes"):
        RecordLayout(num_classes, num_kept)


@pytest.mark.parametrize("ids", [[[0, 10, 2]], [[0, -1, 2]]])
def test_ids_of_another_vertical(ids):
    with pytest.raises(ValueError, match="expected 0 to 9"):
        pack(np.array(ids), np.zeros((1, 3), np.uint16), RecordLayout(10, 3))


def test_other_shapes():
    with pytest.raises(ValueError, match=r"expected \[B, 3\] both"):
        pack(np.zeros((1, 2), np.int32), np.zeros((1, 2), np.uint16), RecordLayout(10, 3))
