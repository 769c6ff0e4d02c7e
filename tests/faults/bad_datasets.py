"""Datasets of TensorFlow Datasets and Hugging Face, and packed images, that are not there."""

import contextlib
import io
import json
import shutil

from tests.data import folder_dataset
from tests.data.pictures import encoded, write
from tests.faults.case import ACCEPTED, SKIPPED, Case

AREA = "datasets"
TFDS = (
    "kc_jax.prepare --config=configs/folder.py:small --config.data.source=tfds "
    "--config.data.image_key=image --config.data.label_key=class_ids "
    "--config.data.label_space={root}/classes.csv --config.data.prepared={root}/packed "
)
HUGGING = (
    "kc_jax.prepare --config=configs/folder.py:small --config.data.source=huggingface "
    "--config.data.image_key=image --config.data.label_key=label "
    "--config.data.prepared={root}/packed "
)
PACKED = (
    "kc_jax.prepare --config=configs/folder.py:small --config.data.source=packed "
    "--config.data.directory={root}/packed"
)
PREPARED = "file_format='array_record'"
EITHER = "datasets.load_dataset"


def case(name, command, *words, make=lambda root: None, **more):
    return Case(AREA, name, command, words, make, **more)


def tiny(root):
    """Copies a dataset of TFDS, prepared once beside the cases; gives its folder."""
    place = root.parent / "tiny"
    if not place.exists():
        with contextlib.redirect_stderr(io.StringIO()):
            folder_dataset.prepare(place)
    shutil.copy(place / "classes.csv", root)
    return shutil.copytree(next(place.glob("tiny/*")), root / "tiny")


def tfds(name, *words, options="", change=lambda folder: None, **more):
    command = f"{TFDS} --config.data.directory={{root}}/tiny {options}"
    return case(name, command, *words, make=lambda root: change(tiny(root)), **more)


def rewrite(text):
    return lambda folder: (folder / "dataset_info.json").write_text(text, encoding="utf-8")


def without_shards(folder):
    for path in folder.glob("*.array_record*"):
        path.unlink()


def without_trucks(folder):
    space = folder.parent / "classes.csv"
    space.write_text(space.read_text().replace("4,truck,car,truck\n", ""))


def saved(root, change):
    """Saves a dataset of Hugging Face."""
    import datasets

    datasets.disable_progress_bars()
    rows = [{"image": {"bytes": encoded(i), "path": None}, "label": f"{'ab'[i % 2]}/{i % 4}"}
            for i in range(12)]
    whole = datasets.Dataset.from_list(change(rows)).cast_column("image", datasets.Image())
    whole.save_to_disk(root / "saved")


def hugging(name, *words, options="", change=lambda rows: rows, spoil=None, **more):
    def make(root):
        saved(root, change)
        if spoil:
            spoil(root / "saved")

    command = f"{HUGGING} --config.data.directory={{root}}/saved {options}"
    return case(name, command, *words, make=make, **more)


def spoilt(file, text):
    return lambda folder: (folder / file).write_text(text, encoding="utf-8")


def lists(rows):
    return [{**row, "label": [row["label"], None]} for row in rows]


def first(**changes):
    return lambda rows: [{**rows[0], **changes}, *rows[1:]]


CASES = [
    case("neither name nor folder", f"{TFDS}", "config.data.directory is empty", PREPARED),
    case("no such dataset", f"{TFDS} --config.data.dataset=cifar1000",
         "config.data.dataset is 'cifar1000'", PREPARED),
    case("no such configuration of one", f"{TFDS} --config.data.dataset=cifar100/fine",
         "config.data.dataset is 'cifar100/fine'", PREPARED),
    case("no such version of one", f"{TFDS} --config.data.dataset=cifar100:9.9.9",
         "config.data.dataset is 'cifar100:9.9.9'", PREPARED),
    case("name of nothing", f"{TFDS} --config.data.dataset=../../etc/passwd",
         "config.data.dataset is '../../etc/passwd'", PREPARED),
    case("name with blanks", f"{TFDS} --config.data.dataset='cifar 100'",
         "config.data.dataset is 'cifar 100'", PREPARED),
    case("name of somebody's", f"{TFDS} --config.data.dataset=somebody:cifar",
         "config.data.dataset is 'somebody:cifar'", PREPARED),
    case("folder of nothing", f"{TFDS} --config.data.directory={{root}}",
         "where there is no prepared dataset", PREPARED),
    tfds("description that is no JSON", "tiny', where there is no prepared dataset", PREPARED,
         change=rewrite("{")),
    tfds("description of something else", "tiny', where there is no prepared dataset", PREPARED,
         change=rewrite("[1]")),
    tfds("shards missing", "record 0 of", "tiny cannot be read", "anew", change=without_shards),
    tfds("feature that it lacks", "config.data.label_key is 'label'", "class_ids", "name one",
         options="--config.data.label_key=label"),
    tfds("image as the label", "config.data.label_key is 'image'", "name one",
         options="--config.data.label_key=image"),
    tfds("label as the image", "config.data.image_key is 'class_ids'", "name one",
         options="--config.data.image_key=class_ids"),
    tfds("part of a split", "config.data.train_split names the split 'train[:9]'", "name one",
         options="--config.data.train_split=train[:9]"),
    tfds("one split for both", "'train' is in config.data.train_split", "test_split=held_out",
         options="--config.data.test_split=train"),
    tfds("label space of fewer classes", "not in the label space: 1: '4' (16 images)",
         "8 unknown label", kind=SKIPPED, change=without_trucks),
    case("name that nobody has", f"{HUGGING} --config.data.dataset=nobody/nothing",
         "config.data.dataset is 'nobody/nothing'", EITHER),
    case("name of three parts", f"{HUGGING} --config.data.dataset=a/b/c",
         "config.data.dataset is 'a/b/c'", EITHER),
    case("neither name nor folder of Hugging Face", HUGGING, "config.data.directory is ''", EITHER),
    case("folder of nothing for Hugging Face", f"{HUGGING} --config.data.directory={{root}}",
         "config.data.directory is", EITHER),
    case("table with a mistake in it", f"{HUGGING} --config.data.dataset={{root}}/tables",
         "config.data.dataset is", EITHER, make=lambda root: write(root / "tables", {
             "a.csv": b"image,label\nx,y\n", "b.csv": b'image\n"x\n'})),
    hugging("column that it lacks", "config.data.label_key is 'class'", "image, label", "name one",
            options="--config.data.label_key=class"),
    hugging("text as the image", "config.data.image_key is 'label'", "datasets.Image",
            options="--config.data.image_key=label"),
    hugging("description that is no JSON of Hugging Face", "config.data.directory is", EITHER,
            spoil=spoilt("dataset_info.json", "{")),
    hugging("state of something else", "config.data.directory is", EITHER,
            spoil=spoilt("state.json", "{}")),
    hugging("rows that are none", "config.data.directory is", EITHER,
            spoil=spoilt("data-00000-of-00001.arrow", "rows")),
    hugging("image that is nothing", "Left out: 1 of 12", "1 unreadable", "no image",
            change=first(image=None), kind=SKIPPED),
    hugging("label that is nothing", "Left out: 1 of 12", "1 no label", change=first(label=None),
            kind=SKIPPED),
    hugging("many labels, some of them nothing", "12 images", change=lists, kind=ACCEPTED),
    case("no packed images", PACKED, "packed holds no packed images", "kc_jax.prepare"),
    case("packed images of another format", PACKED, "packed has format 9", "--redo",
         make=lambda root: write(root, {"packed/dataset.json": json.dumps(
             {"format_version": 9}).encode()})),
]
