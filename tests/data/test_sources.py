import dataclasses
import shutil

import numpy as np
import pytest

from configs import openimage
from kc_jax import config
from kc_jax.data import sources
from kc_jax.errors import UserError
from tests.data import folder_dataset


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return folder_dataset.prepare(tmp_path_factory.mktemp("folder"))


def options(prepared, **changes):
    directory, label_space = prepared
    data = config.build(openimage.get_config()).data
    return dataclasses.replace(data, **{
        "source": "tfds_folder", "directory": str(directory), "label_space": str(label_space),
        "image_size": 16, **changes,
    })


def test_records_keep_their_image_and_all_their_labels(prepared):
    source = sources.open_source(options(prepared), "train")
    assert len(source) == 36
    for record, labels in enumerate(source.labels):
        image = source.read(record)
        assert image.shape == (18, 18, 3) and image.dtype == np.uint8
        kind = folder_dataset.LABELS.index(list(labels))
        assert abs(image.mean() - folder_dataset.level(kind)) < 12


def test_a_record_goes_to_every_vertical_of_its_labels(prepared):
    data = options(prepared)
    space, source = sources.load_label_space(data), sources.open_source(data, "train")
    animals, cars = (set(source.records_of(space, v)) for v in range(2))
    both = {r for r, labels in enumerate(source.labels) if len(labels) == 2}
    assert animals | cars == set(range(36)) and animals & cars == both and len(both) == 12


def test_splits_and_datasets_have_fingerprints_of_their_own(prepared):
    prints = {sources.open_source(options(prepared), split).fingerprint
              for split in ("train", "test")}
    assert len(prints) == 2


@pytest.mark.parametrize("change,words", [
    ({"directory": ""}, ["config.data.directory is empty", "array_record"]),
    ({"label_space": ""}, ["config.data.label_space is empty", "class_id,name,vertical,path"]),
    ({"label_space": "no.csv"}, ["'no.csv'", "not a file"]),
    ({"directory": "/nowhere/at/all"}, ["/nowhere/at/all", "no prepared dataset"]),
    ({"image_key": "class_ids"}, ["'class_ids' is no image"]),
    ({"label_key": "caption"}, ["'caption' is no class id"]),
    ({"label_key": "label"}, ["'label' is no class id", "class_ids"]),
    ({"source": "tfds_foldr"}, ["'tfds_foldr'", "tfds_folder"]),
])
def test_mistakes_are_named(prepared, change, words):
    with pytest.raises(UserError) as raised:
        sources.open_source(options(prepared, **change), "train")
    for word in words:
        assert word in str(raised.value)


def test_a_missing_split_is_named(prepared):
    with pytest.raises(UserError, match="has the splits .* but no 'extra'"):
        sources.open_source(options(prepared), "extra")


def test_the_validation_part_is_taken_out_of_the_training_records(prepared):
    whole = sources.open_source(options(prepared), "train")
    judged = options(prepared, judged_on="validation", validation_share=0.25)
    train, validation = (sources.open_source(judged, s) for s in ("train", "validation"))
    assert len(validation) == 9 and len(train) == 27
    images = [[source.read(r).tobytes() for r in range(len(source))]
              for source in (whole, train, validation)]
    assert sorted(images[0]) == sorted(images[1] + images[2])
    assert sorted(whole.labels) == sorted(train.labels + validation.labels)
    assert len({source.fingerprint for source in (whole, train, validation)}) == 3
    for source in (train, validation):  # A record keeps its name.
        assert [whole.labels[int(source.key(r))] for r in range(len(source))] == list(source.labels)


def test_a_validation_part_of_nothing_is_named(prepared):
    judged = options(prepared, judged_on="validation", validation_share=0.0)
    with pytest.raises(UserError, match="config.data.validation_share is 0.0"):
        sources.open_source(judged, "validation")


def test_labels_outside_the_label_space_are_named(prepared, tmp_path):
    short = tmp_path / "short.csv"
    short.write_text("\n".join(folder_dataset.CSV.splitlines()[:-1]), encoding="utf-8")
    with pytest.raises(UserError, match="expected at least one, each from 0 to 3"):
        sources.open_source(options(prepared, label_space=str(short)), "train")


def test_a_vertical_without_records_is_named(prepared, tmp_path):
    longer = tmp_path / "longer.csv"
    longer.write_text(folder_dataset.CSV + "5,raft,boat,raft\n", encoding="utf-8")
    with pytest.raises(UserError, match="vertical 'boat' has no records in split 'train'"):
        sources.open_source(options(prepared, label_space=str(longer)), "train")


def test_another_file_format_is_named(prepared, tmp_path):
    directory, label_space = prepared
    copy = shutil.copytree(directory, tmp_path / "copy")
    info = copy / "dataset_info.json"
    info.write_text(info.read_text().replace("array_record", "tfrecord"))
    with pytest.raises(UserError, match="stored as tfrecord.*file_format='array_record'"):
        sources.open_source(options((copy, label_space)), "train")
