import json

import pyarrow
import pyarrow.parquet
import pytest

from kc_jax.config import ConfigError
from kc_jax.data.readers.manifest import open_manifest
from tests.data.pictures import options, write

ROWS = [
    {"path": "a.jpg", "label": ["wren"], "vertical": "bird", "split": "train", "sure": [1.0]},
    {"path": "b.jpg", "label": ["owl", "wren"], "vertical": "bird", "split": "test",
     "sure": [0.2, 0.9]},
    {"path": "c.jpg", "label": [], "vertical": "bird", "split": "train", "sure": []},
]
CSV = """path,label,vertical,split,sure
a.jpg,wren,bird,train,1
b.jpg,owl | wren,bird,test,0.2|0.9
c.jpg,,bird,train,
"""


def as_csv(path):
    path.write_text(CSV, encoding="utf-8")


def as_json_lines(path):
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")


def as_parquet(path):
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), path)


def as_bytes(path):
    rows = [{**row, "path": row["path"].encode()} for row in ROWS]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path, row_group_size=2)


def entries(path, **changes):
    collection = open_manifest(options(source="manifest", manifest=str(path), **changes))
    return [collection.read(i) for i in range(collection.size)]


FORMS = [(as_csv, "m.csv"), (as_json_lines, "m.jsonl"), (as_parquet, "m.parquet")]


@pytest.mark.parametrize("write_manifest, name", [*FORMS, (as_bytes, "m.parquet")])
def test_all_forms_say_the_same(tmp_path, write_manifest, name):
    write_manifest(tmp_path / name)
    write(tmp_path, {f"{letter}.jpg": f"{letter}.jpg".encode() for letter in "abc"})
    found = entries(tmp_path / name, vertical_key="vertical")
    assert [(e.split, e.labels, e.load()) for e in found] == [
        ("train", ("bird/wren",), b"a.jpg"), ("test", ("bird/owl", "bird/wren"), b"b.jpg"),
        ("train", (), b"c.jpg"),
    ]
    keys = ["00000000", "00000001", "00000002"] if write_manifest is as_bytes else [
        "a.jpg", "b.jpg", "c.jpg"]
    assert [e.key for e in found] == keys


@pytest.mark.parametrize("write_manifest, name", FORMS)
def test_labels_that_are_not_sure_do_not_count(tmp_path, write_manifest, name):
    write_manifest(tmp_path / name)
    found = entries(tmp_path / name, confidence_key="sure", min_confidence=0.5)
    assert [e.labels for e in found] == [("wren",), ("wren",), ()]


def test_images_may_lie_elsewhere_be_missing_and_have_names(tmp_path):
    as_csv(tmp_path / "m.csv")
    write(tmp_path / "images", {"a.jpg": b"x"})
    first, second, _ = entries(
        tmp_path / "m.csv", directory=str(tmp_path / "images"), id_key="vertical")
    assert first.load() == b"x" and first.key == "bird"
    with pytest.raises(FileNotFoundError):
        second.load()


def test_images_as_hugging_face_writes_them(tmp_path):
    rows = [{"image": {"bytes": b"x", "path": "x.png"}, "label": 3},
            {"image": {"bytes": None, "path": "y.png"}, "label": 4},
            {"image": None, "label": 5}]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "m.parquet")
    write(tmp_path, {"y.png": b"y"})
    first, second, third = entries(tmp_path / "m.parquet", image_key="image")
    assert [(first.labels, first.load()), (second.labels, second.load())] == [
        ((3,), b"x"), ((4,), b"y")]
    with pytest.raises(OSError, match="no image"):
        third.load()


def test_the_listing_follows_the_table_and_the_files(tmp_path):
    def stamp():
        data = options(source="manifest", manifest=str(tmp_path / "m.csv"))
        return open_manifest(data).listing["stamp"]

    as_csv(tmp_path / "m.csv")
    stamps = [stamp(), stamp()]
    write(tmp_path, {"a.jpg": b"x"})
    stamps.append(stamp())
    (tmp_path / "m.csv").write_text(CSV.replace("owl", "eagle"))
    stamps.append(stamp())
    assert stamps[0] == stamps[1] and len(set(stamps)) == 3


@pytest.mark.parametrize("name, content, change, words", [
    ("m.csv", CSV, {"manifest": ""}, "config.data.manifest is empty; expected a .csv, .jsonl"),
    ("m.csv", CSV, {"manifest": "no.csv"}, "'no.csv', which is not a file"),
    ("m.xlsx", "x", {}, "m.xlsx'; expected a .csv, .jsonl or .parquet"),
    ("m.csv", CSV, {"label_key": "class"},
     "no column 'class' .config.data.label_key. among path, label, vertical, split, sure"),
    ("m.csv", CSV, {"image_key": "image"}, "no column 'image' .config.data.image_key"),
    ("m.csv", CSV, {"vertical_key": "v"}, "no column 'v' .config.data.vertical_key"),
    ("m.csv", CSV, {"confidence_key": "label"}, "not well formed .could not convert"),
    ("m.csv", CSV, {"train_split": "learn"}, "train_split names the split 'learn'"),
    ("m.csv", "", {}, "no column 'path'"),
    ("m.jsonl", "{", {}, "m.jsonl is not well formed"),
    ("m.jsonl", "[1]\n", {}, "a line is not an object"),
    ("m.parquet", "junk", {}, "m.parquet is not well formed"),
])
def test_mistakes_are_named(tmp_path, monkeypatch, name, content, change, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=words):
        open_manifest(options(**{"source": "manifest", "manifest": name, **change}))


@pytest.mark.parametrize(
    "outside", ["../secret.jpg", "deeper/../../secret.jpg", "{root}/secret.jpg"]
)
def test_paths_that_lead_out_of_the_folder_are_not_read(tmp_path, outside):
    images, outside = tmp_path / "images", outside.format(root=tmp_path)
    write(tmp_path, {"secret.jpg": b"secret", "images/a.jpg": b"a"})
    table = images / "list.csv"
    table.write_text(f"path,label\na.jpg,wren\n{outside},owl\n{images}/a.jpg,owl\n")
    inside, led_out, whole = entries(table)
    assert inside.load() == whole.load() == b"a"
    with pytest.raises(OSError, match=f"lies outside {images}; set config.data.directory"):
        led_out.load()


def test_whole_paths_are_read_where_the_folder_holds_them(tmp_path):
    write(tmp_path, {"elsewhere/a.jpg": b"a", "lists/none": b""})
    table = tmp_path / "lists" / "list.csv"
    table.write_text(f"path,label\n{tmp_path}/elsewhere/a.jpg,wren\n")
    (found,) = entries(table, directory="/")
    assert found.load() == b"a"


def test_rows_without_labels_have_their_verticals(tmp_path):
    (tmp_path / "m.csv").write_text(
        CSV + "d.jpg,,bird,unlabelled,\ne.jpg,owl,bird,unlabelled,\n", encoding="utf-8"
    )
    keys = {"image_key": "path", "label_key": "label", "vertical_key": "vertical"}
    found = entries(tmp_path / "m.csv", **keys)[3:]
    assert [(e.key, e.split, e.labels) for e in found] == [
        ("d.jpg", "unlabelled", ("bird/",)), ("e.jpg", "unlabelled", ("bird/",)),
    ]
