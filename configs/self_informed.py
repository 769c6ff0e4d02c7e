"""Self-informed structure learning (Warde-Farley et al. 2015): heads for what a network confuses.

python -m kc_jax.main --config=configs/self_informed.py            # glyphs
python -m kc_jax.main --config=configs/self_informed.py:smoke      # seconds, for tests
python -m kc_jax.main --config=configs/self_informed.py:photographs --config.data.directory=…
python -m kc_jax.main --config=configs/self_informed.py:paper --stages=describe

A fifth of the training images is held out, for the network to be asked about. The paper does not
say how long the added heads are trained; here, as long as the network before.
"""

from configs import common, folder

STAGES = ("describe", "train_generalist", "learn_structure", "evaluate", "report_structures")


def get_config(preset: str = "glyphs"):
    """Gives a preset.

    Args:
      preset: ``glyphs``, ``photographs``, ``smoke`` or ``paper``.
    """
    presets = {"glyphs": glyphs, "photographs": photographs, "smoke": smoke, "paper": paper}
    if preset not in presets:
        raise ValueError(f"preset {preset!r} is unknown; expected one of {', '.join(presets)}")
    return presets[preset]()


def glyphs():
    """About 1,000 characters from fonts that matplotlib installs; heads add 3 % multiply-adds."""
    config = informed(common.get_config("self_informed"))
    config.generalist.head = "FC256-FC128"
    config.structure.update({"widths": (32, 32), "top_k": 20})
    return config


def photographs():
    """A folder of photographs, at 32 pixels, by the rate that learnt them fastest of five."""
    config = folder.get_config("small")
    config.name = "self_informed_photographs"
    config.data.image_size = 32
    config.generalist.head = "FC256-FC128"
    config.structure.update({"widths": (32, 32), "top_k": 20})
    for training in (config.generalist, config.structure):
        training.optimizer.update({"kind": "sgd", "learning_rate": 0.03})
    return informed(config)


def smoke():
    """A few characters for a few steps."""
    config = informed(common.get_config("self_informed_smoke"))
    config.data.update({"variant": "smoke", "test_views": 2})
    config.generalist.head = "FC16-FC8"
    config.structure.update({"num_clusters": 3, "widths": (8, 8), "top_k": 8})
    for training in (config.generalist, config.structure):
        training.num_epochs = 2.0
    config.running.log_every_steps = 2
    config.evaluation.gallery_size = 8
    return config


def paper():
    """The paper's network: 17,000 classes, two FC layers of 4,096, six heads of two of 512.

    Its trunk is GoogLeNet's; Inception-V2 is in its place here, with more multiply-adds.
    --config.structure.num_clusters=13 --config.structure.similarity=co_detections gives the other.
    """
    config = informed(common.get_config("self_informed_paper"))
    common.photographs(config, num_classes=17_000, num_verticals=1)
    common.inception(config, base="mixed_5c")
    config.generalist.head = "FC4096-FC4096"
    return config


def informed(config):
    """Lets a configuration train a network, find what it confuses and grow heads for that."""
    config.stages = STAGES
    config.data.hold_out = True
    config.student.name = config.structure.name
    return config
