"""Knowledge Concentration (Gao et al. 2017) as on EFT: many fine-grained classes in 20 verticals.

python -m kc_jax.main --config=configs/eft.py               # embedded: minutes on 2 cores
python -m kc_jax.main --config=configs/eft.py:embedded_full # all 4,492 glyphs
python -m kc_jax.main --config=configs/eft.py:smoke         # seconds, for tests
python -m kc_jax.main --config=configs/eft.py:paper --stages=describe
"""

from configs import common


def get_config(preset: str = "embedded"):
    """Gives a preset.

    Args:
      preset: ``embedded``, ``embedded_full``, ``smoke`` or ``paper``.
    """
    presets = {
        "embedded": embedded, "embedded_full": embedded_full, "smoke": smoke, "paper": paper,
    }
    if preset not in presets:
        raise ValueError(f"preset {preset!r} is unknown; expected one of {', '.join(presets)}")
    return presets[preset](common.get_config(preset))


def embedded(config):
    """About 1,000 characters in 20 verticals, from fonts that matplotlib installs.

    The student has the parts that pay here: verticals' own bottlenecks, learning from labels. Soft
    targets are written all the same, for --config.student.distill_weight=1 --config.student.name=….
    """
    return config


def embedded_full(config):
    """All 4,492 characters that those fonts draw, in 21 verticals."""
    config.data.variant = "embedded_full"
    config.generalist.head = "FC512-FC32"
    config.student.head = "FC512-SC32"
    config.teachers.head = "FC512-FC256"
    for training in (config.generalist, config.teachers, config.student):
        training.num_epochs = 10.0
    return config


def smoke(config):
    """A few characters for a few steps, with every part on: shows that everything runs."""
    config.data.variant = "smoke"
    config.data.test_views = 2
    config.soft_targets.num_views = 2
    config.evaluation.gallery_size = 8
    for training in (config.generalist, config.teachers, config.student):
        training.num_epochs = 2.0
        training.batch_size = 32
    config.student.distill_weight = 1.0
    config.student.self_paced.level = "vertical"
    config.running.update({"log_every_steps": 2, "teacher_processes": 1})
    return config


def paper(config):
    """The paper's setting, for EFT-shaped data of your own: --config.data.… says where it lies.

    Its parameter counts are those of about 102,400 classes, in units of 2^20.
    """
    common.photographs(config, num_classes=102_400, num_verticals=20)
    common.inception(config, base="mixed_5c")
    config.generalist.head = "FC4096-FC512"
    config.teachers.head = "FC4096-FC4096"
    config.student.head = "FC4096-SC512"
    common.as_in_the_paper(config)
    return config
