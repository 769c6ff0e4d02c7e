"""Datasets of TensorFlow Datasets: which feature is the label, which the vertical.

python -m kc_jax.main --config=configs/tfds.py:cifar100
python -m kc_jax.main --config=configs/tfds.py:open_images_v4 --config.data.label_space=….csv

A dataset is downloaded and prepared by TFDS at first use; for all of these that needs TensorFlow,
once, in any environment: `tfds build cifar100 --file_format=array_record`. Their features are those
of tensorflow-datasets 4.9.10, which a test compares; the datasets themselves were not run.
"""

from configs import common


def get_config(preset: str = "cifar100"):
    """Gives a preset, named like its dataset.

    Args:
      preset: ``cifar100``, ``i_naturalist2018``, ``stanford_online_products``, ``omniglot`` or
        ``open_images_v4``.
    """
    presets = {
        "cifar100": cifar100,
        "i_naturalist2018": i_naturalist2018,
        "stanford_online_products": stanford_online_products,
        "omniglot": omniglot,
        "open_images_v4": open_images_v4,
    }
    if preset not in presets:
        raise ValueError(f"preset {preset!r} is unknown; expected one of {', '.join(presets)}")
    config = common.get_config(preset)
    common.own_photographs(config, "tfds")
    config.data.dataset = preset
    return presets[preset](config)


def cifar100(config):
    """100 classes in 20 verticals, 60,000 images of 32 pixels."""
    config.data.update({
        "label_key": "label", "vertical_key": "coarse_label", "id_key": "id", "image_size": 32,
    })
    return config


def i_naturalist2018(config):
    """8,142 species in 14 verticals, 462,000 photographs; its test split has no labels."""
    config.data.update({
        "label_key": "label", "vertical_key": "supercategory", "id_key": "id",
        "test_split": "validation",
    })
    return common.at_224_pixels(config, bottleneck=128)


def stanford_online_products(config):
    """22,634 products in 12 verticals, 120,000 photographs.

    Its own splits have no class in common, so both are parted anew.
    """
    config.data.update({
        "label_key": "class_id", "vertical_key": "super_class_id",
        "train_split": "train+test", "test_split": "held_out",
    })
    return common.at_224_pixels(config, bottleneck=128)


def omniglot(config):
    """1,623 characters in 50 alphabets, 32,460 drawings, 20 of each.

    Its own splits have no class in common, so both are parted anew. Characters are not mirrored.
    """
    config.data.update({
        "label_key": "label", "vertical_key": "alphabet", "image_size": 32, "channels": 1,
        "augmentation": "glyph", "test_augmentation": "glyph", "test_views": 5,
        "train_split": "train+test", "test_split": "held_out",
    })
    return config


def open_images_v4(config):
    """7,186 classes, 9 million photographs with several labels each; bring a label space.

    Its CSV names classes as the dataset does (/m/0108_09c). Confidence runs from 0, which says that
    a class is *not* there, to 10.
    """
    config.data.update({
        "dataset": "open_images_v4/200k", "label_key": "objects_trainable/label",
        "confidence_key": "objects_trainable/confidence", "min_confidence": 5.0,
        "id_key": "image/filename",
    })
    return common.at_224_pixels(config, bottleneck=128)
