import importlib

import pytest

from kc_jax.config import ConfigError
from kc_jax.data.readers import huggingface
from tests.data.pictures import encoded, options, write

datasets = pytest.importorskip("datasets", reason="needs the extra huggingface")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    features = datasets.Features({
        "image": datasets.Image(),
        "label": datasets.ClassLabel(names=["wren", "owl", "sedan"]),
        "coarse": datasets.ClassLabel(names=["bird", "car"]),
        "tags": datasets.Sequence(datasets.Value("string")),
        "name": datasets.Value("string"),
    })
    rows = [{"image": {"bytes": encoded(i), "path": None}, "label": i, "coarse": i // 2,
             "tags": ["x"] * i, "name": f"image {i}"} for i in range(3)]
    whole = datasets.Dataset.from_list(rows, features=features)
    datasets.DatasetDict({"train": whole, "test": whole.select([0])}).save_to_disk(folder)
    return folder


def entries(saved, **changes):
    data = options(**{"source": "huggingface", "directory": str(saved), "image_key": "image",
                      **changes})
    collection = huggingface.open_huggingface(data)
    return [collection.read(i) for i in range(collection.size)], collection


def test_labels_have_their_names_and_verticals(saved):
    found, collection = entries(saved, vertical_key="coarse")
    assert [(e.key, e.split, e.labels) for e in found] == [
        ("train/00000000", "train", ("bird/wren",)), ("train/00000001", "train", ("bird/owl",)),
        ("train/00000002", "train", ("car/sedan",)), ("test/00000000", "test", ("bird/wren",)),
    ]
    assert [e.load() for e in found] == [encoded(i) for i in (0, 1, 2, 0)]
    assert collection.one_vertical_a_name


def test_labels_may_be_texts_and_several(saved):
    found, _ = entries(saved, label_key="tags", id_key="name", test_split="held_out")
    assert [(e.key, e.split, e.labels) for e in found] == [
        ("image 0", None, ()), ("image 1", None, ("x",)), ("image 2", None, ("x", "x"))]


def test_datasets_are_loaded_by_name_too(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    write(tmp_path / "tree", {"train/wren/1.png": encoded(1), "train/owl/2.png": encoded(2)})
    found, _ = entries("", dataset=str(tmp_path / "tree"))
    assert {(e.labels, e.load()) for e in found} == {
        (("wren",), encoded(1)), (("owl",), encoded(2))}


def test_the_listing_follows_the_content(saved):
    listings = [entries(saved, **change)[1].listing
                for change in ({}, {}, {"train_split": "train+test", "test_split": "held_out"})]
    assert listings[0] == listings[1] and listings[0].keys() == listings[2].keys()
    assert listings[0]["train"] != listings[0]["test"]


@pytest.mark.parametrize("change, words", [
    ({"label_key": "class"}, "'class', which is no column among image, label, coarse, tags, name"),
    ({"image_key": "name"}, "'name', whose values are .*expected a column of the type"),
    ({"directory": "/nowhere/at/all"}, "config.data.directory is '/nowhere/at/all'"),
    ({"train_split": "x"}, "there are test, train"),
])
def test_mistakes_are_named(saved, change, words):
    with pytest.raises(ConfigError, match=words):
        entries(saved, **change)


@pytest.mark.parametrize("image", [None, {"bytes": None, "path": None}])
def test_a_row_may_have_no_image(image):
    with pytest.raises(OSError, match="no image"):
        huggingface._bytes_of(image)


def test_without_the_extra_it_says_what_to_install(saved, monkeypatch):
    def no_datasets(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", no_datasets)
    with pytest.raises(ConfigError, match=r"pip install 'kc_jax\[huggingface\]'"):
        entries(saved)
