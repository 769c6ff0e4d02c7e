"""Generations (Yang et al. 2018) on ImageNet with ResNet-18, the paper's settings.

python -m kc_jax.main --config=configs/generations_imagenet.py --stages=describe
python -m kc_jax.main --config=configs/generations_imagenet.py

TFDS's `imagenet2012` wants archives that you download yourself; see its page there. How far images
are turned, stretched and jittered the paper does not say; kc_jax/data/augment.py does. Not run here
but for `describe`.
"""

import pathlib

from configs import common, generations


def get_config():
    """Gives the one preset: 100 epochs in batches of 1,024, D(0.6, 0.6)."""
    config = common.get_config("generations_imagenet")
    common.photographs(config, num_classes=1000, num_verticals=1)
    config.data.update({
        "source": "tfds", "dataset": "imagenet2012", "label_key": "label",
        "label_space": str(pathlib.Path(__file__).with_name("imagenet2012.csv")),
        "id_key": "file_name", "test_split": "validation", "augmentation": "jittered_photo",
        "test_augmentation": "jittered_photo_centre",
    })
    config.model.backbone = "resnet18"
    generations.alike(config, head="linear", num_epochs=100.0, batch_size=1024)
    return common.sgd(config, learning_rate=0.6, milestones=(0.3, 0.6, 0.9))
