import io
import tracemalloc

import numpy as np
import pytest

from kc_jax import artifacts
from kc_jax.core import quantisation
from kc_jax.data import vertical_store
from kc_jax.data.vertical_store import BLOCK_ROWS, DamagedStoreError, VerticalStore, store_inputs

NUM_CLASSES, NUM_VIEWS, TOP_K = 5000, 2, 100
RECORD_IDS = np.arange(3, 3 + 7 * 300, 7)  # 600 rows: two whole blocks and a part of one.
NUM_ROWS = NUM_VIEWS * len(RECORD_IDS)


def inputs(top_k=TOP_K, num_views=NUM_VIEWS):
    return store_inputs(
        teacher="t", data="d", label_space="l", views={}, top_k=top_k, num_views=num_views
    )


@pytest.fixture(scope="module")
def soft():
    rng = np.random.default_rng(0)
    ids = rng.permuted(np.tile(np.arange(NUM_CLASSES), (NUM_ROWS, 1)), axis=-1)[:, :TOP_K]
    log_odds = np.sort(rng.normal(-6, 3, (NUM_ROWS, TOP_K)), axis=-1)[:, ::-1]
    return ids.astype(np.int32), log_odds.astype(np.float32)


def write(directory, soft, sizes=(1, 300, 200, 99)):
    ends = np.cumsum(sizes)[:-1]
    parts = zip(*(np.split(rows, ends) for rows in soft), strict=True)
    artifacts.is_complete(directory, inputs())
    facts = vertical_store.write_vertical(
        directory, record_ids=RECORD_IDS, num_classes=NUM_CLASSES, num_views=NUM_VIEWS,
        top_k=TOP_K, parts=parts,
    )
    artifacts.complete(directory, **facts)
    return facts


@pytest.fixture
def directory(tmp_path, soft):
    write(tmp_path / "vertical", soft)
    return tmp_path / "vertical"


def opened(directory):
    return VerticalStore(directory, NUM_CLASSES, inputs())


def everything():
    return np.divmod(np.arange(NUM_ROWS), len(RECORD_IDS))[::-1]


def test_reads_what_was_written(directory, soft):
    store = opened(directory)
    np.testing.assert_array_equal(store.record_ids, RECORD_IDS)
    ids, levels = store(*everything())
    np.testing.assert_array_equal(levels, quantisation.quantise(soft[1]))
    # Levels that became equal are ordered by class id.
    order = np.lexsort((soft[0], -levels.astype(np.int64)))
    np.testing.assert_array_equal(ids, np.take_along_axis(soft[0], order, axis=-1))
    places, views = np.array([299, 0, 7, 7]), np.array([1, 0, 1, 1])
    some_ids, some_levels = store(places, views)
    np.testing.assert_array_equal(some_ids, ids[[599, 0, 307, 307]])
    np.testing.assert_array_equal(some_levels, levels[[599, 0, 307, 307]])


def test_the_sizes_of_parts_leave_no_trace(directory, soft, tmp_path):
    for name, sizes in {"one": (600,), "rows": (1,) * 600, "blocks": (256, 256, 88)}.items():
        write(tmp_path / name, soft, sizes)
        for file in (vertical_store.RECORDS, vertical_store.INDEX):
            assert (tmp_path / name / file).read_bytes() == (directory / file).read_bytes()


def test_takes_at_most_260_bytes_a_view_in_all_files(directory, soft):
    facts = artifacts.manifest_of(directory, "write_soft_targets")
    assert facts["num_records"] == 300 and facts["num_views"] == 2
    header = 128 + 700  # Of the two files, whatever the number of records.
    assert (facts["bytes_per_view"] * NUM_ROWS - header) / NUM_ROWS <= 260
    assert (directory / vertical_store.RECORDS).stat().st_size == 128 + 257 * NUM_ROWS


@pytest.mark.parametrize("row", [0, 255, 256, 599])
def test_a_damaged_block_is_named_when_it_is_read_and_only_then(directory, row):
    path = directory / vertical_store.RECORDS
    content = bytearray(path.read_bytes())
    content[128 + 257 * row + 100] ^= 1
    path.write_bytes(content)
    store = opened(directory)
    places, views = everything()
    block = row // BLOCK_ROWS
    others = np.flatnonzero(np.arange(NUM_ROWS) // BLOCK_ROWS != block)
    store(places[others], views[others])
    for read in (lambda: store(places[[row]], views[[row]]), store.check):
        with pytest.raises(DamagedStoreError) as caught:
            read()
        message = str(caught.value)
        ends = {0: "0 to 255", 1: "256 to 511", 2: "512 to 599"}[block]
        assert f"{path} is damaged: block {block}, rows {ends}, has the CRC-32 " in message
        assert f"Remove the folder {directory} and run the stage write_soft_targets" in message


def test_every_row_of_a_damaged_block_is_refused(directory):
    path = directory / vertical_store.RECORDS
    content = bytearray(path.read_bytes())
    content[128] ^= 128
    path.write_bytes(content)
    with pytest.raises(DamagedStoreError, match="block 0, rows 0 to 255"):
        opened(directory)(np.array([200]), np.array([0]))


def test_a_block_is_checked_once(directory, monkeypatch):
    store = opened(directory)
    checked, crc32 = [], vertical_store.zlib.crc32
    monkeypatch.setattr(
        vertical_store.zlib, "crc32", lambda block: checked.append(len(block)) or crc32(block)
    )
    for _ in range(3):
        store(np.array([0, 1, 299]), np.array([0, 0, 1]))
    assert checked == [256, 88]
    store.check()
    assert checked[2:] == [256, 256, 88]


@pytest.mark.parametrize("file", [vertical_store.RECORDS, vertical_store.INDEX])
@pytest.mark.parametrize("harm", ["missing", "empty", "cut", "other"])
def test_files_that_are_not_whole_are_named(directory, file, harm):
    path = directory / file
    content = path.read_bytes()
    if harm == "missing":
        path.unlink()
    elif harm == "other":
        other = io.BytesIO()
        np.save(other, np.zeros((3, 3), np.uint8))
        path.write_bytes(other.getvalue())
    else:
        path.write_bytes(content[: len(content) // 2 if harm == "cut" else 0])
    with pytest.raises(DamagedStoreError, match=f"{file}.* is damaged.*run the stage write_"):
        opened(directory)


def test_no_changed_byte_of_the_index_goes_unseen(directory):
    path = directory / vertical_store.INDEX
    content = path.read_bytes()
    for position in range(0, len(content), 7):
        changed = bytearray(content)
        changed[position] ^= 1
        path.write_bytes(changed)
        with pytest.raises(DamagedStoreError, match="it has the CRC-32"):
            opened(directory)


def test_no_bit_of_the_header_turns_over_unseen_or_ends_otherwise(directory):
    """NumPy parses it as Python, which fails in many ways where it is none."""
    path = directory / vertical_store.RECORDS
    whole, wanted, harmless = path.read_bytes(), opened(directory)(*everything()), 0
    num_bytes = len(whole) - np.load(path, mmap_mode="r").size
    for bit in range(8 * num_bytes):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        try:
            found = opened(directory)(*everything())
        except DamagedStoreError:
            continue
        np.testing.assert_array_equal(found, wanted)
        harmless += 1
    assert harmless < num_bytes / 8


def test_stores_of_the_former_format_are_refused(directory):
    manifest = artifacts.read_json(directory / artifacts.MANIFEST)
    manifest["inputs"]["format_version"] = 1
    artifacts.write_json(directory / artifacts.MANIFEST, manifest)
    with pytest.raises(artifacts.StaleArtifactError, match="format_version: 1 → 2"):
        opened(directory)


def test_refuses_to_end_before_every_view_is_written(tmp_path):
    with pytest.raises(ValueError, match="got 1 soft targets; expected 6"):
        vertical_store.write_vertical(
            tmp_path, record_ids=np.arange(3), num_classes=3, num_views=2, top_k=2,
            parts=[(np.array([[0, 1]], np.int32), np.zeros((1, 2), np.float32))],
        )


def test_reading_holds_no_records_in_memory(directory):
    store = opened(directory)
    store.check()
    tracemalloc.start()
    for place in range(300):
        store(np.array([place]), np.array([0]))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 257 * NUM_ROWS / 2


def test_folders_of_verticals_that_were_swapped_are_named(tmp_path, directory):
    directory.rename(tmp_path / "other")
    with pytest.raises(DamagedStoreError, match=f"{tmp_path / 'other'} holds .* of vertical; give"):
        opened(tmp_path / "other")
