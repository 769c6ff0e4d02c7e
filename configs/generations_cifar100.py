"""Generations (Yang et al. 2018) on CIFAR-100, with the paper's networks and settings.

python -m kc_jax.main --config=configs/generations_cifar100.py:resnet20
python -m kc_jax.main --config=configs/generations_cifar100.py:densenet190 --stages=describe

Presets: resnet20, 32, 44, 56, 74, 92 and 110; densenet100 and densenet190. A process D(p, λ) is set
with --config.generations.tolerance.confidence=p --config.generations.distill_weight=λ; the paper
takes p = 0.6, and λ from 0.5 for shallow networks to 0.7 for deep ones. TFDS downloads the images:
see configs/tfds.py. None of this was run here but `describe`: each network is hours of a GPU.
"""

import pathlib

from configs import common, generations, tfds

RESNETS = (20, 32, 44, 56, 74, 92, 110)
DENSENETS = {100: 12, 190: 40}  # Layers: growth.


def get_config(preset: str = "resnet20"):
    """Gives a preset.

    Args:
      preset: name and layers of the network.
    """
    presets = {f"resnet{depth}": (resnet, depth) for depth in RESNETS}
    presets |= {f"densenet{depth}": (densenet, depth) for depth in DENSENETS}
    if preset not in presets:
        raise ValueError(f"preset {preset!r} is unknown; expected one of {', '.join(presets)}")
    config = tfds.get_config("cifar100")
    config.name = f"generations_cifar100_{preset}"
    config.data.update({
        "label_space": str(pathlib.Path(__file__).with_name("cifar100.csv")),
        "augmentation": "small_photo", "test_augmentation": "small_photo_centre",
    })
    network, depth = presets[preset]
    return network(config, depth)


def resnet(config, depth: int):
    """164 epochs in batches of 128."""
    config.model.backbone = "cifar_resnet"
    config.model.backbone_options.cifar_resnet.depth = depth
    generations.alike(config, head="linear", num_epochs=164.0, batch_size=128)
    return common.sgd(config, learning_rate=0.1, milestones=(0.5, 0.75))


def densenet(config, depth: int):
    """300 epochs in batches of 64."""
    config.model.backbone = "densenet"
    config.model.backbone_options.densenet.update({"depth": depth, "growth": DENSENETS[depth]})
    generations.alike(config, head="linear", num_epochs=300.0, batch_size=64)
    return common.sgd(config, learning_rate=0.1, milestones=(0.5, 0.75))
