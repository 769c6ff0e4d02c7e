import dataclasses

import numpy as np
import pytest

from configs import openimage
from kc_jax import artifacts, config
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
        "source": "tfds", "directory": str(directory), "label_space": str(label_space),
        "prepared": f"{directory}-{artifacts.fingerprint(changes)}", "image_size": 16, **changes,
    })


def test_records_keep_their_image_and_all_their_labels(prepared):
    source = sources.open_source(options(prepared), "train")
    assert len(source) == 36
    for record, labels in enumerate(source.labels):
        image = source.read(record)
        assert image.shape == (18, 18, 3) and image.dtype == np.uint8
        kind = folder_dataset.LABELS.index(list(labels))
        assert abs(image.mean() - folder_dataset.level(kind)) < 12


@pytest.mark.parametrize("name, side", [("photo", 18), ("small_photo", 16)])
def test_images_are_read_as_large_as_their_views_need(prepared, name, side):
    source = sources.open_source(options(prepared, augmentation=name), "train")
    assert source.read(0).shape == (side, side, 3)


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
    ({"label_space": "no.csv"}, ["'no.csv'", "not a file", "class_id,name,vertical,path"]),
    ({"source": "foldr"}, ["'foldr'", "folder", "packed"]),
    ({"channels": 2}, ["config.data.channels is 2"]),
])
def test_mistakes_are_named(prepared, change, words):
    with pytest.raises(UserError) as raised:
        sources.open_source(options(prepared, **change), "train")
    for word in words:
        assert word in str(raised.value)


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
    labels_of = dict(zip(whole.keys, whole.labels, strict=True))
    for source in (train, validation):  # A record keeps its name.
        assert [labels_of[key] for key in source.keys] == list(source.labels)


def test_a_validation_part_of_nothing_is_named(prepared):
    judged = options(prepared, judged_on="validation", validation_share=0.0)
    with pytest.raises(UserError, match="config.data.validation_share is 0.0"):
        sources.open_source(judged, "validation")


def test_one_record_index_serves_train_test_and_teachers(prepared):
    data = options(prepared)
    directory = data.prepared
    as_packed = options(prepared, source="packed", directory=directory, label_space="")
    for split in ("train", "test"):
        one, other = sources.open_source(data, split), sources.open_source(as_packed, split)
        assert (one.keys, one.labels, one.fingerprint) == (
            other.keys, other.labels, other.fingerprint)
        for record in range(len(one)):
            np.testing.assert_array_equal(one.read(record), other.read(record))
    assert (sources.load_label_space(data).fingerprint
            == sources.load_label_space(as_packed).fingerprint)


@pytest.mark.parametrize("change,words", [
    ({"label_space": "x.csv"}, ["config.data.label_space is 'x.csv'", "bring their own"]),
    ({"directory": "/nowhere/at/all"}, ["/nowhere/at/all holds no packed images"]),
])
def test_mistakes_with_packed_images_are_named(prepared, change, words):
    options_ = {"source": "packed", "directory": options(prepared).prepared, "label_space": ""}
    with pytest.raises(UserError) as raised:
        sources.open_source(options(prepared, **{**options_, **change}), "train")
    for word in words:
        assert word in str(raised.value)


def test_a_missing_split_is_named(prepared):
    with pytest.raises(UserError, match="no split 'extra'; expected one of train, test"):
        sources.open_source(options(prepared), "extra")
