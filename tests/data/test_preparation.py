import csv
import dataclasses
import json
import os

import msgpack
import numpy as np
import pytest

from kc_jax.config import ConfigError
from kc_jax.core import label_space
from kc_jax.data import (
    collection,
    images,
    inspection,
    packed,
    preparation,
    preparation_report,
    sources,
)
from kc_jax.errors import UserError
from tests.data.pictures import encoded, options, tree, write


def prepare(root, to, **changes):
    keywords = {k: changes.pop(k) for k in ("redo", "shard_bytes") if k in changes}
    data = options(source="folder", directory=str(root), **{"read_threads": 2, **changes})
    return preparation.prepare(data, to, **keywords)


def content(found):
    """Reads keys, labels and images of every record of both splits."""
    return {
        split: [(key, labels, found.images(split)(record))
                for record, (key, labels) in enumerate(zip(*found.index(split), strict=True))]
        for split in ("train", "test")
    }


def left_out(found):
    with open(found.directory / packed.LEFT_OUT, encoding="utf-8", newline="") as file:
        return {row["key"]: row["kind"] for row in csv.DictReader(file)}


def files(directory):
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir())}


def test_a_disk_without_room_is_told_before_anything_is_packed(tmp_path, monkeypatch):
    def full(directory, num_bytes, what, option):
        raise UserError(f"{num_bytes} bytes of {what}: --{option}")

    monkeypatch.setattr(preparation.disk_space, "check_space", full)
    total = sum(map(len, tree().values()))
    with pytest.raises(UserError, match=f"{total} bytes of packed images: --config.data.prepared"):
        prepare(write(tmp_path / "tree", tree()), tmp_path / "packed")
    assert not list((tmp_path / "packed").glob("*.array_record"))


def test_images_are_packed_as_they_are_found(tmp_path):
    found = prepare(write(tmp_path / "tree", tree()), tmp_path / "packed")
    space = found.label_space()
    assert space.paths == ("animal/bird", "animal/bird/wren", "car/sedan", "car/truck")
    assert space.verticals == ("animal", "car") and space.parents == (None, 0, None, None)
    both = content(found)
    packed_images = {key: image for records in both.values() for key, _, image in records}
    assert packed_images == tree()
    for records in both.values():
        for key, labels, _ in records:
            assert space.paths[labels[0]] == key.rsplit("/", 1)[0] and len(labels) == 1
    assert sum(found.manifest["records"].values()) == 24
    read_again = label_space.read_csv(found.directory / packed.LABEL_CSV)
    assert read_again.fingerprint == space.fingerprint


def test_images_without_labels_come_after_the_others(tmp_path):
    root = tmp_path / "tree"
    write(root / "train", tree())
    write(root / "unlabelled", {
        f"{vertical}/{i}.png": encoded(40 + 9 * i + 90 * (vertical == "car"))
        for vertical in ("animal", "car") for i in range(3)
    })
    found = prepare(root, tmp_path / "packed")
    assert found.manifest["records"]["unlabelled"] == 6
    keys, verticals = found.index("unlabelled")
    assert {k.split("/")[1]: v for k, v in zip(keys, verticals, strict=True)} == {
        "animal": (0,), "car": (1,),
    }
    shown = preparation_report.report(found)
    (row,) = (line for line in shown.splitlines() if line.split()[:1] == ["car"])
    assert row.split()[-1] == "3" and "unlabelled" in shown
    assert "unlabelled" not in (found.directory / packed.LABEL_CSV).read_text()
    data = options(source="packed", directory=str(tmp_path / "packed"))
    train, space = sources.open_source(data, "train"), found.label_space()
    first = found.manifest["records"]["train"]
    assert len(train) == first + 6 and train.labelled.tolist() == list(range(first))
    assert train.key(first) == keys[0] and not train.labels[first]
    for vertical_id in range(2):
        own = train.records_of(space, vertical_id)
        assert len(own[own >= first]) == 3
        assert all(train.verticals_of(space, r) == (vertical_id,) for r in own if r >= first)
    side = train.read(0).shape[0]
    np.testing.assert_array_equal(
        train.read(first), images.fit_square(found.images("unlabelled")(0), side, 3)
    )
    permuted = dataclasses.replace(data, verticals="other.csv")
    with pytest.raises(ConfigError, match="'unlabelled' are known by the verticals of the source"):
        sources._with_unlabelled(train, permuted)


def test_a_record_is_msgpack_that_others_can_read(tmp_path):
    found = prepare(write(tmp_path / "tree", tree()), tmp_path / "packed")
    from array_record.python.array_record_data_source import ArrayRecordDataSource

    (shard,) = found.manifest["shards"]["train"]
    record = msgpack.unpackb(ArrayRecordDataSource([str(found.directory / shard["name"])])[0])
    assert record == {"key": "animal/bird/00.png", "labels": [0],
                      "image": tree()["animal/bird/00.png"]}


@pytest.mark.parametrize("threads", [1, 5])
def test_threads_change_nothing(tmp_path, threads, monkeypatch):
    monkeypatch.setattr(inspection, "CHUNK", 3)
    root = write(tmp_path / "tree", {**tree(), "car/truck/bad.png": b"junk"})
    one = prepare(root, tmp_path / "two", shard_bytes=4000)
    other = prepare(root, tmp_path / "n", shard_bytes=4000, read_threads=threads)
    assert len(one.manifest["shards"]["train"]) > 1
    assert files(one.directory) == files(other.directory)


def test_the_memory_of_a_run_killed_at_its_very_end_is_removed(tmp_path):
    root = write(tmp_path / "tree", tree())
    found = prepare(root, tmp_path / "packed")
    before = files(found.directory)
    (found.directory / preparation.UNFINISHED / "memory").mkdir(parents=True)
    assert files(prepare(root, tmp_path / "packed").directory) == before


def test_what_cannot_be_used_is_left_out_and_named(tmp_path):
    root = write(tmp_path / "tree", {
        **{f"train/{name}": image for name, image in tree().items()},
        **{f"test/{name}": image for name, image in tree(2, first_seed=100).items()},
        "train/car/truck/broken.png": encoded(50)[:-30],
        "train/car/truck/empty.png": b"",
        "train/car/truck/large.png": encoded(51, side=33),
        "train/car/truck/again.png": encoded(18),  # As car/truck/00.png.
        "train/car/truck/x.png": encoded(52),
        "train/car/sedan/x.png": encoded(52),
        "train/car/sedan/tested.png": encoded(104),  # As test/car/sedan/00.png.
        "train/stray.png": encoded(53),
        "test/car/rare/1.png": encoded(54),
    })
    found = prepare(root, tmp_path / "packed", max_pixels=32 * 32)
    assert left_out(found) == {
        "train/car/truck/broken.png": "undecodable",
        "train/car/truck/empty.png": "undecodable",
        "train/car/truck/large.png": "too large",
        "train/car/truck/again.png": "duplicate",
        "train/car/truck/x.png": "duplicate under other labels",
        "train/car/sedan/x.png": "duplicate under other labels",
        "train/car/sedan/tested.png": "duplicate of a test image",
        "train/stray.png": "no label",
        "test/car/rare/1.png": "untrained class",
    }
    assert found.manifest["records"] == {"train": 24, "test": 8}
    told = preparation_report.report(found)
    for words in ("32 images of 4 classes in 2 verticals", "Left out: 9 of 41 images",
                  "Classes without a training image: 1: car/rare",
                  "2 undecodable, such as train/car/truck/broken.png",
                  "33 pixels; at most 1,024 are taken); config.data.max_pixels says how large",
                  "that have images themselves, stray or meant: 1: animal/bird (8 images)\n",
                  "Classes with fewer than 10 training images: 4: animal/bird (6)"):
        assert words in told, words


def test_a_flat_folder_makes_one_vertical_and_says_so(tmp_path):
    root = write(tmp_path / "tree", {name.split("/", 1)[1].replace("bird/wren", "wren"): image
                                     for name, image in tree().items()})
    found = prepare(root, tmp_path / "packed")
    assert found.label_space().verticals == ("all",)
    assert found.label_space().names == ("bird", "sedan", "truck", "wren")
    assert "No class is in a vertical, so all were put into one" in preparation_report.report(found)


def test_a_killed_run_goes_on_and_ends_in_the_same_files(tmp_path, monkeypatch):
    monkeypatch.setattr(inspection, "CHUNK", 4)
    root = write(tmp_path / "tree", tree())
    whole = prepare(root, tmp_path / "whole", shard_bytes=3000, read_threads=1)
    decoded, written = [], []

    def check(image, max_pixels):
        decoded.append(image)
        if stop_at and len(decoded) >= stop_at:
            raise KeyboardInterrupt
        images_check(image, max_pixels)

    def write_shard(directory, plan, found):
        written.append(plan.name)
        if stop_at and len(written) >= 3:
            raise KeyboardInterrupt
        return packed_write(directory, plan, found)

    images_check, packed_write = images.check, packed.write_shard
    monkeypatch.setattr(images, "check", check)
    monkeypatch.setattr(packed, "write_shard", write_shard)
    stop_at = 10
    with pytest.raises(KeyboardInterrupt):
        prepare(root, tmp_path / "packed", shard_bytes=3000, read_threads=1)
    with pytest.raises(packed.PackedDataError, match="not finished"):
        packed.open_packed(tmp_path / "packed")
    decoded.clear()
    stop_at = 1000  # Looking goes on where it was; packing is stopped at the third shard.
    with pytest.raises(KeyboardInterrupt):
        prepare(root, tmp_path / "packed", shard_bytes=3000, read_threads=1)
    assert len(decoded) == 24 - 8
    first, second = written[:2]
    (tmp_path / "packed" / second).write_bytes(b"damaged meanwhile")
    decoded.clear()
    written.clear()
    stop_at = 0
    again = prepare(root, tmp_path / "packed", shard_bytes=3000, read_threads=1)
    assert not decoded and first not in written and second in written
    assert files(again.directory) == files(whole.directory)


def test_changes_are_told_and_packed_on_request(tmp_path):
    root = write(tmp_path / "tree", tree())
    before = prepare(root, tmp_path / "packed")
    assert prepare(root, tmp_path / "packed").fingerprint == before.fingerprint
    write(root, {"car/truck/new.png": encoded(70)})
    with pytest.raises(UserError) as raised:
        prepare(root, tmp_path / "packed")
    for words in ("listing.files: 24 → 25", "--redo", "--config.data.source=packed"):
        assert words in str(raised.value)
    assert packed.open_packed(tmp_path / "packed").fingerprint == before.fingerprint
    after = prepare(root, tmp_path / "packed", redo=True)
    assert sum(after.manifest["records"].values()) == 25
    held = [{key for key, _, _ in content(found)["test"]} for found in (after,)]
    assert held[0] - {"car/truck/new.png"} <= {key for key in tree()}
    with pytest.raises(UserError, match="options.max_pixels: 64000000 → 100"):
        prepare(root, tmp_path / "packed", max_pixels=100)


def test_a_label_space_of_yours_is_kept_and_its_changes_are_seen(tmp_path):
    root = write(tmp_path / "tree", {
        f"{split}/{name.split('/')[-2]}/{split}{name[-6:]}": image
        for split, seed in (("train", 0), ("test", 100))
        for name, image in tree(first_seed=seed).items()
    })
    space = tmp_path / "classes.csv"
    text = ("class_id,name,vertical,path\n0,truck,car,car/truck\n1,sedan,car,car/sedan\n"
            "2,animal,animal,animal\n3,bird,animal,animal/bird\n4,wren,animal,animal/bird/wren\n")
    space.write_text(text, encoding="utf-8")
    found = prepare(root, tmp_path / "packed", label_space=str(space))
    assert found.label_space().names == ("truck", "sedan", "animal", "bird", "wren")
    assert {labels for _, labels, _ in content(found)["test"]} == {(0,), (1,), (3,), (4,)}
    assert found.manifest["untrained"] == [] and not left_out(found)
    space.write_text(text.replace("car/truck", "car/lorry"), encoding="utf-8")
    with pytest.raises(UserError, match="label_space: "):
        prepare(root, tmp_path / "packed", label_space=str(space))


def test_damage_is_seen(tmp_path):
    found = prepare(write(tmp_path / "tree", tree()), tmp_path / "packed")
    assert found.damaged() == []
    (shard,) = found.manifest["shards"]["test"]
    path = found.directory / shard["name"]
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    assert found.damaged() == [shard["name"]]
    path.write_bytes(damaged[:-1])
    with pytest.raises(UserError, match=f"{shard['bytes'] - 1} bytes; expected {shard['bytes']}"):
        found.images("test")
    path.unlink()
    with pytest.raises(UserError, match="has 0 bytes"):
        found.images("test")


def flip(path, part=0.5):
    content = bytearray(path.read_bytes())
    content[int(part * len(content))] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", [packed.DATASET, packed.LABEL_SPACE, "index-train.parquet"])
def test_what_says_what_images_show_is_compared_with_its_checksum(tmp_path, name):
    found = prepare(write(tmp_path / "tree", tree()), tmp_path / "packed")
    flip(found.directory / name)
    with pytest.raises(UserError, match=f"{found.directory / name} is damaged: .*--redo") as caught:
        again = packed.open_packed(found.directory)
        again.label_space(), again.index("train")
    assert name == packed.DATASET or again.damaged() == [name], caught.value


def test_records_of_damaged_and_of_other_shards_are_named(tmp_path):
    found = prepare(write(tmp_path / "tree", tree()), tmp_path / "packed", shard_bytes=2_000)
    first, second = (found.directory / s["name"] for s in found.manifest["shards"]["train"][:2])
    assert first.stat().st_size == second.stat().st_size
    whole = first.read_bytes()
    first.write_bytes(second.read_bytes())
    with pytest.raises(UserError, match=f"{first} is damaged: record 0 is .*; expected"):
        found.images("train")(0)
    first.write_bytes(whole)
    flip(second, 0.005)  # In an image: most of so small a shard is padding.
    read, count = found.images("train"), found.manifest["shards"]["train"][0]["records"]
    assert read(0)
    with pytest.raises(UserError, match=f"{second} is damaged: record .* cannot be read"):
        for record in range(count, 2 * count):
            read(record)
    flip(second)
    with pytest.raises(UserError, match=f"{second} is damaged: .*--redo"):
        found.images("train")


def test_folders_of_earlier_versions_are_read(tmp_path):
    found = prepare(write(tmp_path / "tree", tree()), tmp_path / "packed")
    before = content(found)
    earlier = {key: value for key, value in found.manifest.items() if key != "files"}
    (found.directory / packed.DATASET).write_text(json.dumps(earlier))
    assert content(packed.open_packed(found.directory)) == before


def test_an_image_that_changes_while_it_is_packed_is_named(tmp_path, monkeypatch):
    root = write(tmp_path / "tree", tree())

    def change(*args, **options):
        write(root, {"car/sedan/03.png": encoded(99)})
        return select(*args, **options)

    select = preparation.selection.select
    monkeypatch.setattr(preparation.selection, "select", change)
    with pytest.raises(UserError, match="car/sedan/03.png changed while it was packed"):
        prepare(root, tmp_path / "packed")


def test_a_folder_of_other_files_is_left_alone(tmp_path):
    root = write(tmp_path / "tree", tree())
    with pytest.raises(ConfigError, match="holds other files; name an empty or a new folder"):
        prepare(root, root)
    assert not (root / preparation.UNFINISHED).exists()


def test_another_format_is_refused(tmp_path):
    found = prepare(write(tmp_path / "tree", tree()), tmp_path / "packed")
    manifest = {**found.manifest, "format_version": 0}
    (found.directory / packed.DATASET).write_text(json.dumps(manifest))
    with pytest.raises(UserError, match="has format 0; expected 1; prepare it anew"):
        packed.open_packed(found.directory)


def test_the_fingerprint_is_of_the_content(tmp_path):
    root = write(tmp_path / "tree", tree())
    one = prepare(root, tmp_path / "a").fingerprint
    os.utime(root / "car/truck/00.png", (1, 1))
    assert prepare(root, tmp_path / "b", shard_bytes=3000).fingerprint == one
    write(root, {"car/truck/00.png": encoded(99)})
    assert prepare(root, tmp_path / "c").fingerprint != one


def test_packed_images_have_a_place_of_their_own(tmp_path):
    data = options(source="folder", directory="some/where")
    names = [preparation.prepared_directory(d, tmp_path) for d in (
        data,
        dataclasses.replace(data, directory=os.path.abspath("some/where")),
        dataclasses.replace(data, read_threads=7, image_size=99, dataset="not read"),
        dataclasses.replace(data, test_share=0.5),
    )]
    assert names[0] == names[1] == names[2] != names[3]
    assert names[0].parent == tmp_path / "prepared" and names[0].name.startswith("where-")
    asked = dataclasses.replace(data, prepared="here")
    assert str(preparation.prepared_directory(asked, tmp_path)) == "here"


def test_no_training_image_is_a_test_image(tmp_path):
    found = prepare(write(tmp_path / "tree", tree(30)), tmp_path / "packed", test_share=0.3)
    train, test = (content(found)[split] for split in ("train", "test"))
    assert not {image for _, _, image in train} & {image for _, _, image in test}
    assert 20 < len(test) < 55
    assert len(np.unique([labels for _, labels, _ in train])) == 4


def test_where_images_are_held_out_the_share_is_named(tmp_path):
    root = write(tmp_path / "tree", tree(3))
    with pytest.raises(ConfigError, match="for test, such as 'animal'; give them some or take them "
                       "out, or raise config.data.test_share above 0.0$"):
        prepare(root, tmp_path / "packed", test_share=0.0)


def test_a_table_without_rows_has_no_images(tmp_path):
    (tmp_path / "list.csv").write_text("path,label\n")
    data = options(source="manifest", manifest=str(tmp_path / "list.csv"))
    with pytest.raises(ConfigError, match="list.csv has no images .config.data.source is 'manif"):
        preparation.prepare(data, tmp_path / "packed")


def test_a_record_that_a_library_cannot_read_is_named(tmp_path, monkeypatch):
    def broken(data):
        def read(position):
            raise RuntimeError(f"open() failed\nat {position}")

        return collection.Collection(3, read, {})

    monkeypatch.setitem(preparation.READERS, "folder", (broken, ("directory",)))
    with pytest.raises(ConfigError, match=r"record 0 of .*tree cannot be read: open\(\) failed; f"):
        prepare(tmp_path / "tree", tmp_path / "packed")
