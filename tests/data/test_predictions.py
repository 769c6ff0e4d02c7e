import json
import re
import tracemalloc

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kc_jax.core import label_space
from kc_jax.data import predictions
from kc_jax.data.predictions import PredictionsError

SPACE = label_space.from_rows([
    {"class_id": 0, "name": "bird", "vertical": "animal", "path": "bird"},
    {"class_id": 1, "name": "crane", "vertical": "animal", "path": "bird/crane"},
    {"class_id": 2, "name": "crane", "vertical": "machine", "path": "crane"},
    {"class_id": 3, "name": "truck", "vertical": "machine", "path": "truck"},
])
RECORD_OF = {"a/1.jpg": 0, "b/2.jpg": 1, "7": 2}
COLUMNS = {
    "image": ["b/2.jpg", "a/1.jpg", "elsewhere.jpg", "7"],
    "class_id": [3, 0, 1, 2],
    "probability": [0.5, 1.0, 0.25, 0.0],
}


def save(path, columns):
    if path.suffix == ".parquet":
        pq.write_table(pa.table(columns), path)
    else:
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def read(path, kind="probabilities", num_views=1):
    found = predictions.find(str(path), kind)
    parts = list(predictions.read_rows(found, RECORD_OF, SPACE, num_views))
    return np.concatenate([rows for rows, _ in parts]), [key for _, keys in parts for key in keys]


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
def test_reads_keys_ids_and_values(tmp_path, suffix):
    rows, unknown = read(save(tmp_path / f"p{suffix}", COLUMNS))
    np.testing.assert_array_equal(rows["record"], [1, 0, -1, 2])
    np.testing.assert_array_equal(rows["view"], 0)
    np.testing.assert_array_equal(rows["class_id"], [3, 0, 1, 2])
    np.testing.assert_allclose(rows["log_odds"], [0.0, 80.0, np.log(1 / 3), -80.0], rtol=1e-6)
    assert unknown == ["elsewhere.jpg"]


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
def test_reads_names_views_and_logits(tmp_path, suffix):
    columns = {
        "image": COLUMNS["image"], "class_name": ["truck", "bird", "bird/crane", "crane"],
        "logit": [3, -2, 0, 1], "view": [0, 1, 1, 0],
    }
    rows, _ = read(save(tmp_path / f"p{suffix}", columns), "logits", num_views=2)
    np.testing.assert_array_equal(rows["class_id"], [3, 0, 1, 2])
    np.testing.assert_array_equal(rows["log_odds"], [3, -2, 0, 1])
    np.testing.assert_array_equal(rows["view"], [0, 1, 1, 0])


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
def test_images_may_be_numbered(tmp_path, suffix):
    columns = {"image": [7, 8], "class_id": [2, 3], "probability": [0.5, 1]}
    rows, unknown = read(save(tmp_path / f"p{suffix}", columns))
    np.testing.assert_array_equal(rows["record"], [2, -1])
    assert unknown == ["8"]


@pytest.mark.parametrize("changes", [
    {"image": pa.array(COLUMNS["image"]).dictionary_encode()},
    {"image": pa.array(COLUMNS["image"], pa.large_string())},
    {"class_id": pa.array([3, 0, 1, 2], pa.uint16()),
     "probability": pa.array(COLUMNS["probability"], pa.float32())},
])
def test_other_widths_of_the_same_types_are_read(tmp_path, changes):
    rows, _ = read(save(tmp_path / "p.parquet", {**COLUMNS, **changes}))
    np.testing.assert_array_equal(rows["record"], [1, 0, -1, 2])
    np.testing.assert_array_equal(rows["class_id"], [3, 0, 1, 2])


def test_whole_numbers_first_are_no_whole_numbers_for_ever(tmp_path):
    path = tmp_path / "p.jsonl"
    row = '{{"image": "7", "class_id": 1, "probability": {}}}\n'.format
    path.write_text(row(1) * 40_000 + row(0.5))  # More than a block, from which types are guessed.
    rows, _ = read(path)
    assert len(rows) == 40_001 and rows["log_odds"][-1] == 0


def test_a_folder_is_read_file_by_file(tmp_path):
    (tmp_path / "deep").mkdir()
    save(tmp_path / "a.parquet", COLUMNS)
    save(tmp_path / "deep" / "b.jsonl", COLUMNS)
    (tmp_path / "notes.txt").write_text("not read")
    rows, _ = read(tmp_path)
    assert len(rows) == 8


def test_fingerprints_follow_content_and_kind_alone(tmp_path):
    save(tmp_path / "a.jsonl", COLUMNS)
    save(tmp_path / "b.jsonl", COLUMNS)
    save(tmp_path / "c.jsonl", {**COLUMNS, "probability": [0.5, 1.0, 0.25, 0.1]})
    columns = {**COLUMNS, "logit": COLUMNS["probability"]}
    save(tmp_path / "d.jsonl", columns)
    a, b, c = (
        predictions.find(str(tmp_path / f"{name}.jsonl"), "probabilities").fingerprint
        for name in "abc"
    )
    assert a == b != c
    both = [predictions.find(str(tmp_path / "d.jsonl"), kind).fingerprint
            for kind in ("probabilities", "logits")]
    assert both[0] != both[1]


@pytest.mark.parametrize("changes, message", [
    ({"class_id": [3, 0, 4, 2]}, "'elsewhere.jpg' the class_id 4; expected 0 to 3 as in the label"),
    ({"class_id": [-1, 0, 1, 2]}, "'b/2.jpg' the class_id -1; expected 0 to 3"),
    ({"probability": [0.5, 1.5, 0.25, 0.0]}, "'a/1.jpg' the probability 1.5; expected 0 to 1"),
    ({"probability": [0.5, -0.1, 0.25, 0.0]}, "'a/1.jpg' the probability -0.1; expected 0 to 1"),
    ({"probability": [0.5, 0.5, float("nan"), 0.0]}, "the probability nan; expected 0 to 1"),
    ({"view": [0, 0, 2, 0]}, "the view 2; expected 0 to 1, as config.soft_targets.num_views is 2"),
    ({"view": [0, 0, -1, 0]}, "the view -1; expected 0 to 1"),
    ({"class_name": ["truck", "bird", "lorry", "crane"]}, "the class 'lorry', which is no class's"),
    ({"class_id": [3, 0, None, 2]}, "has rows without 'class_id'"),
    ({"image": ["7", "7", None, "7"]}, "has rows without 'image'"),
    ({"class_id": ["3", "0", "x", "2"]}, "cannot be read: .*Expected Parquet or JSONL with"),
])
@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
def test_what_is_wrong_is_named(tmp_path, changes, message, suffix):
    path = save(tmp_path / f"p{suffix}", {**COLUMNS, **changes})
    with pytest.raises(PredictionsError, match=f"^{re.escape(str(path))}.*{message}"):
        read(path, num_views=2)


def test_logits_must_be_finite(tmp_path):
    columns = {**COLUMNS, "logit": [0.0, float("-inf"), 1.0, 2.0]}
    with pytest.raises(PredictionsError, match="'a/1.jpg' the logit -inf; expected a finite"):
        read(save(tmp_path / "p.parquet", columns), "logits")


def test_missing_columns_are_named(tmp_path):
    path = save(tmp_path / "p.jsonl", COLUMNS)
    with pytest.raises(PredictionsError, match="no column 'logit'.*image, class_id, probability"):
        predictions.find(str(path), "logits")
    save(tmp_path / "q.jsonl", {**COLUMNS, "view": [0] * 4})
    with pytest.raises(PredictionsError, match="q.jsonl has a column 'view' but .*p.jsonl"):
        predictions.find(str(tmp_path), "probabilities")


@pytest.mark.parametrize("name, content", [
    ("nowhere.parquet", None), ("empty", None), ("p.csv", "image,class_id\n"),
])
def test_missing_files_are_named(tmp_path, name, content):
    (tmp_path / "empty").mkdir()
    if content:
        (tmp_path / name).write_text(content)
    with pytest.raises(PredictionsError, match=f"{name}'.*ends in .parquet or .jsonl"):
        predictions.find(str(tmp_path / name), "probabilities")


@pytest.mark.parametrize("name, content", [
    ("p.parquet", "no parquet"), ("p.jsonl", ""), ("p.jsonl", "[1, 2]\n"),
    ("p.jsonl", '{"image": '),
])
def test_broken_files_are_named(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    with pytest.raises(PredictionsError, match=f"{name} cannot be read: ") as caught:
        predictions.find(str(tmp_path / name), "probabilities")
    assert "\n" not in str(caught.value)


def test_ambiguous_names_need_paths():
    # "crane" is a name of two classes, but the path of one alone.
    assert predictions.class_names(SPACE) == {
        "bird": 0, "bird/crane": 1, "crane": 2, "truck": 3,
    }
    twins = label_space.LabelSpace(("x", "x"), ("a/x", "b/x"), (None, None), ("v",), (2,))
    assert predictions.class_names(twins) == {"a/x": 0, "b/x": 1}


def test_memory_holds_a_batch_of_rows(tmp_path):
    count = 1_000_000
    pq.write_table(pa.table({
        "image": pa.array(["7"]).take(pa.array(np.zeros(count, np.int64))),
        "class_id": np.full(count, 1, np.int32), "probability": np.full(count, 0.5, np.float32),
    }), tmp_path / "p.parquet")
    found = predictions.find(str(tmp_path / "p.parquet"), "probabilities")
    tracemalloc.start()
    rows = sum(len(part) for part, _ in predictions.read_rows(found, RECORD_OF, SPACE, 1))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert rows == count and peak < 40 * count / 2
