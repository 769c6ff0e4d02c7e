import importlib
import io
import shutil

import numpy as np
import pytest
import tensorflow_datasets as tfds

from configs import tfds as presets
from kc_jax import config
from kc_jax.config import ConfigError
from kc_jax.data.readers.tfds import find_feature, open_tfds
from tests.data import folder_dataset
from tests.data.pictures import encoded, options


class FineAndCoarse(tfds.core.GeneratorBasedBuilder):
    """Has the features of cifar100 and, in a group, those of open_images_v4."""

    VERSION = tfds.core.Version("1.0.0")
    code_path = None
    FINE, COARSE = ["wren", "owl", "sedan"], ["bird", "car"]

    def _info(self):
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict({
            "id": tfds.features.Text(),
            "image": tfds.features.Image(shape=(None, None, 3)),
            "label": tfds.features.ClassLabel(names=self.FINE),
            "coarse_label": tfds.features.ClassLabel(names=self.COARSE),
            "number": tfds.features.ClassLabel(num_classes=9),
            "objects": tfds.features.Sequence({
                "label": tfds.features.ClassLabel(names=self.FINE), "confidence": np.int32,
            }),
        }))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(3), "validation": self._generate_examples(1),
                "test": self._generate_examples(1, labelled=False)}

    def _generate_examples(self, count, labelled=True):
        for index in range(count):
            yield index, {
                "id": f"image {index}",
                "image": io.BytesIO(encoded(index)),
                "label": index if labelled else -1,
                "coarse_label": index // 2 if labelled else -1,
                "number": index,
                "objects": [{"label": c, "confidence": 10 - 5 * c} for c in range(index)],
            }


@pytest.fixture(scope="module")
def datasets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("datasets")
    tfds.disable_progress_bar()
    tfds.builder("fine_and_coarse", data_dir=folder, file_format="array_record"
                 ).download_and_prepare()
    return folder


def entries(datasets, **changes):
    data = options(**{
        "source": "tfds", "dataset": "fine_and_coarse", "directory": str(datasets),
        "image_key": "image", "test_split": "validation", "id_key": "id", **changes,
    })
    collection = open_tfds(data)
    return sorted((collection.read(i) for i in range(collection.size)),
                  key=lambda entry: (entry.split or "", entry.key))


def test_labels_have_their_names_and_verticals(datasets):
    found = entries(datasets, vertical_key="coarse_label")
    assert [(e.key, e.split, e.labels) for e in found] == [
        ("image 0", "test", ("bird/wren",)), ("image 0", "train", ("bird/wren",)),
        ("image 1", "train", ("bird/owl",)), ("image 2", "train", ("car/sedan",)),
    ]
    assert [e.load() for e in found] == [encoded(i) for i in (0, 0, 1, 2)]


def test_classes_without_names_are_numbers(datasets):
    assert [e.labels for e in entries(datasets, label_key="number")] == [
        ("0",), ("0",), ("1",), ("2",)]


def test_labels_in_a_group_count_where_they_are_sure(datasets):
    found = entries(datasets, label_key="objects/label", confidence_key="objects/confidence",
                    min_confidence=6.0)
    assert [e.labels for e in found] == [(), (), ("wren",), ("wren",)]


def test_a_split_without_labels_has_none(datasets):
    (entry,) = [e for e in entries(datasets, test_split="test", vertical_key="coarse_label")
                if e.split == "test"]
    assert entry.labels == ()


def test_keys_are_split_and_place_where_none_are_named(datasets):
    found = entries(datasets, train_split="train+validation", test_split="held_out", id_key="")
    assert [(e.key, e.split) for e in found] == [
        ("train/00000000", None), ("train/00000001", None), ("train/00000002", None),
        ("validation/00000000", None),
    ]


def test_a_dataset_is_prepared_at_first_use(tmp_path):
    assert len(entries(tmp_path)) == 4
    assert (tmp_path / "fine_and_coarse/1.0.0/dataset_info.json").exists()


def test_the_folder_of_one_dataset_will_do(datasets):
    found = entries(datasets / "fine_and_coarse/1.0.0", dataset="")
    assert len(found) == 4


@pytest.mark.parametrize("change, words", [
    ({"dataset": "", "directory": ""}, "config.data.directory is empty, like .dataset"),
    ({"dataset": "", "directory": "/nowhere/at/all"}, "/nowhere/at/all.*no prepared dataset"),
    ({"dataset": "fine_and_course"}, "config.data.dataset is 'fine_and_course': .*not found"),
    ({"dataset": "imagenet2012"}, "cannot prepare 'imagenet2012' here .Manual directory"),
    ({"image_key": "label"}, "config.data.image_key is 'label', which is no image among"),
    ({"label_key": "image"}, "config.data.label_key is 'image', which is no class"),
    ({"label_key": "objects/name"}, "'objects/name'.* objects/label, objects/confidence of fine"),
    ({"label_key": "objects"}, "'objects', which is no class"),
    ({"vertical_key": "super"}, "config.data.vertical_key is 'super'"),
    ({"train_split": "x"}, "there are test, train, validation"),
])
def test_mistakes_are_named(datasets, change, words):
    with pytest.raises(ConfigError, match=words):
        entries(datasets, **change)


def test_another_file_format_is_named(tmp_path):
    directory, _ = folder_dataset.prepare(tmp_path)
    copy = shutil.copytree(directory, tmp_path / "copy")
    info = copy / "dataset_info.json"
    info.write_text(info.read_text().replace("array_record", "tfrecord"))
    with pytest.raises(ConfigError, match="stored as tfrecord.*file_format='array_record'"):
        entries(copy, dataset="", image_key="image")


@pytest.mark.parametrize("preset, module, name", [
    ("cifar100", "image_classification.cifar", "Cifar100"),
    ("i_naturalist2018", "image_classification.i_naturalist2018.i_naturalist2018",
     "INaturalist2018"),
    ("stanford_online_products",
     "datasets.stanford_online_products.stanford_online_products_dataset_builder", "Builder"),
    ("omniglot", "image_classification.omniglot", "Omniglot"),
    ("open_images_v4", "datasets.open_images_v4.open_images_v4_dataset_builder", "Builder"),
])
def test_presets_name_features_that_the_datasets_have(tmp_path, preset, module, name):
    data = config.build(presets.get_config(preset)).data
    builder = getattr(importlib.import_module(f"tensorflow_datasets.{module}"), name)
    variant = data.dataset.partition("/")[2]
    info = builder(data_dir=tmp_path, **({"config": variant} if variant else {})).info
    for option in ("image_key", "label_key", "vertical_key", "id_key", "confidence_key"):
        if getattr(data, option):
            assert find_feature(info, option, getattr(data, option))
    assert bool(data.vertical_key) != (preset == "open_images_v4")
