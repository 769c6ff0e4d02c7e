"""Generations (Yang et al. 2018) on what is at hand: glyphs, or a folder of small photographs.

python -m kc_jax.main --config=configs/generations.py            # glyphs
python -m kc_jax.main --config=configs/generations.py:smoke      # seconds, for tests
python -m kc_jax.main --config=configs/generations.py:photographs --config.data.directory=…

A generalist that learns from labels alone is the baseline. The papers' own settings stand in
generations_cifar100.py and generations_imagenet.py.
"""

from configs import common, folder


def get_config(preset: str = "glyphs"):
    """Gives a preset.

    Args:
      preset: ``glyphs``, ``photographs`` or ``smoke``.
    """
    presets = {"glyphs": glyphs, "photographs": photographs, "smoke": smoke}
    if preset not in presets:
        raise ValueError(f"preset {preset!r} is unknown; expected one of {', '.join(presets)}")
    return presets[preset]()


def glyphs():
    """About 1,000 characters from fonts that matplotlib installs, ten epochs a generation."""
    return alike(common.get_config("generations"), head="FC256-FC128", num_epochs=10.0)


def photographs():
    """A folder of photographs, at 32 pixels, twenty epochs a generation.

    Of eight ways to move, Nesterov's at 0.03 learnt a generalist on 3,000 photographs of 40 classes
    fastest (docs/results/generations.md).
    """
    config = folder.get_config("small")
    config.name = "generations_photographs"
    config.data.image_size = 32
    config.generalist.optimizer.update({"kind": "sgd", "learning_rate": 0.03})
    return alike(config, head="FC256-FC128", num_epochs=20.0)


def smoke():
    """A few characters for a few steps."""
    config = alike(common.get_config("generations_smoke"), head="FC16-FC8", num_epochs=2.0)
    config.data.update({"variant": "smoke", "test_views": 2})
    config.soft_targets.num_views = 2
    config.generations.num_generations = 2
    config.running.log_every_steps = 2
    return config


def alike(config, **training):
    """Lets a configuration train the baseline and all generations, and train them alike."""
    config.stages = ("describe", "train_generalist", "run_generations", "report_generations")
    config.generalist.update({"loss": "softmax", **training})
    config.generations.update(training)
    config.generations.optimizer.update(config.generalist.optimizer)
    return config
