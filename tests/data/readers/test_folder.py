import os

import pytest

from kc_jax.config import ConfigError
from kc_jax.data.readers.folder import open_folder
from tests.data.pictures import options, write


def entries(root, **changes):
    collection = open_folder(options(directory=str(root), **changes))
    return [collection.read(i) for i in range(collection.size)], collection


def test_the_tree_is_the_hierarchy(tmp_path):
    write(tmp_path, {
        "animal/bird/wren/b.JPG": b"1", "animal/bird/wren/a.png": b"2", "animal/bird/c.webp": b"3",
        "stray.gif": b"4", "animal/notes.txt": b"", ".hidden/x/y.png": b"", "animal/.y.png": b"",
    })
    found, collection = entries(tmp_path)
    assert [(e.key, e.split, e.labels, e.load()) for e in found] == [
        ("animal/bird/c.webp", None, ("animal/bird",), b"3"),
        ("animal/bird/wren/a.png", None, ("animal/bird/wren",), b"2"),
        ("animal/bird/wren/b.JPG", None, ("animal/bird/wren",), b"1"),
        ("stray.gif", None, (), b"4"),
    ]
    assert collection.notes == ("files that are no images by their names: 1 .txt",)
    assert not collection.one_vertical_a_name


@pytest.mark.parametrize("tops, change, expected", [
    (["train", "test"], {}, {"train": "train", "test": "test"}),
    (["train", "val", "test"], {}, {"train": "train", "test": "test"}),
    (["train", "validation"], {}, {"train": "train", "validation": "test"}),
    (["train", "test", "extra"], {}, {"train": "train", "test": "test"}),
    (["train"], {}, {"train": None}),
    (["train", "unlabelled"], {}, {"train": None, "unlabelled": "unlabelled"}),
    (["train", "test", "unlabelled"], {},
     {"train": "train", "test": "test", "unlabelled": "unlabelled"}),
    (["a", "b"], {"train_split": "a", "test_split": "b"}, {"a": "train", "b": "test"}),
])
def test_folders_named_like_splits_are_splits(tmp_path, tops, change, expected):
    write(tmp_path, {f"{top}/wren/1.png": top.encode() for top in tops})
    found, collection = entries(tmp_path, **change)
    assert {e.key: (e.split, e.labels) for e in found} == {
        f"{top}/wren/1.png": (split, ("wren",)) for top, split in expected.items()
    }
    assert bool(collection.notes) == (len(expected) < len(tops))


def test_images_without_labels_may_lie_beside_verticals(tmp_path):
    keys = ("plane/jet/1.png", "unlabelled/plane/2.png", "unlabelled/3.png")
    write(tmp_path, dict.fromkeys(keys, b""))
    assert {e.key: (e.split, e.labels) for e in entries(tmp_path)[0]} == dict(zip(keys, (
        (None, ("plane/jet",)), ("unlabelled", ("plane",)), ("unlabelled", ()),
    ), strict=True))


def test_folders_without_images_are_named(tmp_path):
    write(tmp_path, {"car/sedan/1.png": b"", "car/van/notes.txt": b"", "bike/.png": b""})
    (tmp_path / "car/coupe").mkdir()
    _, collection = entries(tmp_path)
    assert collection.notes[1:] == ("folders without images: 3: bike, car/coupe, car/van",)


def test_a_vertical_may_be_called_train(tmp_path):
    write(tmp_path, {"train/steam/1.png": b"", "plane/jet/1.png": b""})
    assert [e.labels for e in entries(tmp_path)[0]] == [("plane/jet",), ("train/steam",)]


def test_links_are_followed_once(tmp_path):
    write(tmp_path, {"root/a/b/1.png": b"", "elsewhere/2.png": b""})
    os.symlink(tmp_path / "elsewhere", tmp_path / "root/a/c")
    os.symlink(tmp_path / "root", tmp_path / "root/a/loop")
    assert [e.key for e in entries(tmp_path / "root")[0]] == ["a/b/1.png", "a/c/2.png"]


def test_a_link_that_leads_nowhere_is_listed_and_missed(tmp_path):
    write(tmp_path, {"a/b/1.png": b"1"})
    os.symlink("nowhere.png", tmp_path / "a/b/2.png")
    os.symlink("3.png", tmp_path / "a/b/3.png")
    whole, nowhere, itself = entries(tmp_path)[0]
    assert whole.load() == b"1"
    for entry, words in ((nowhere, "No such file"), (itself, "Too many levels")):
        with pytest.raises(OSError, match=words):
            entry.load()


def test_a_name_that_is_no_utf8_is_read(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)
    with open(os.path.join(os.fsencode(tmp_path), b"a/b/\xff.png"), "wb") as file:
        file.write(b"x")
    (entry,), _ = entries(tmp_path)
    assert entry.load() == b"x" and entry.key.encode() and entry.labels == ("a/b",)


def test_the_listing_follows_names_sizes_and_times(tmp_path):
    write(tmp_path, {"a/b/1.png": b"1", "a/b/2.png": b"2"})
    listings = [entries(tmp_path)[1].listing]
    assert entries(tmp_path)[1].listing == listings[0]
    os.utime(tmp_path / "a/b/1.png", (1, 1))
    listings.append(entries(tmp_path)[1].listing)
    (tmp_path / "a/b/2.png").rename(tmp_path / "a/b/3.png")
    listings.append(entries(tmp_path)[1].listing)
    assert len({listing["stamp"] for listing in listings}) == 3
    assert listings[0]["files"] == 2


@pytest.mark.parametrize("directory, words", [
    ("", "config.data.directory is empty; expected a folder with root/<vertical>"),
    ("/nowhere/at/all", "'/nowhere/at/all', which is not a folder"),
    (".", "no files ending in .bmp, .gif, .jpeg, .jpg, .png, .tif, .tiff, .webp; expected"),
])
def test_mistakes_are_named(tmp_path, monkeypatch, directory, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=words):
        open_folder(options(directory=directory))
