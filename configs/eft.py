"""Knowledge Concentration (Gao et al. 2017) as on EFT: many fine-grained classes in 20 verticals.

python -m kc_jax.main --config=configs/eft.py               # embedded: minutes on 2 cores
python -m kc_jax.main --config=configs/eft.py:embedded_full # all 4,492 glyphs
python -m kc_jax.main --config=configs/eft.py:glyph100k     # 100,000 glyphs, of Debian's fonts
python -m kc_jax.main --config=configs/eft.py:smoke         # seconds, for tests
python -m kc_jax.main --config=configs/eft.py:paper --stages=describe
"""

from configs import common


def get_config(preset: str = "embedded"):
    """Gives a preset.

    Args:
      preset: ``embedded``, ``embedded_full``, ``glyph100k``, ``smoke`` or ``paper``.
    """
    presets = {
        "embedded": embedded, "embedded_full": embedded_full, "glyph100k": glyph100k,
        "smoke": smoke, "paper": paper,
    }
    if preset not in presets:
        raise ValueError(f"preset {preset!r} is unknown; expected one of {', '.join(presets)}")
    return presets[preset](common.get_config(preset))


def embedded(config):
    """About 1,000 characters in 20 verticals, from fonts that matplotlib installs.

    The student starts from the generalist, as the specialists do, has verticals' own bottlenecks
    and learns from labels, which did best (docs/results/starts.md). Soft targets are written all
    the same, a view for every epoch, for --config.student.distill_weight=0.5
    --config.student.name=….
    """
    config.generalist.head = "FC256-FC32"
    config.student.head = "FC256-SC32"
    config.teachers.label_smearing = False  # Ancestors in soft targets cost points.
    config.soft_targets.num_views = 20
    return config


def embedded_full(config):
    """All 4,492 characters that those fonts draw, in 21 verticals; the rest as ``embedded``."""
    embedded(config)
    config.data.variant = "embedded_full"
    config.generalist.head = "FC512-FC32"
    config.student.head = "FC512-SC32"
    config.teachers.head = "FC512-FC256"
    for training in (config.generalist, config.teachers, config.student):
        training.num_epochs = 10.0
    config.soft_targets.num_views = 10
    return config


def glyph100k(config):
    """All 100,000 characters of Debian's font packages, in 20 verticals; for one GPU of 24 GB.

    Before it, as root (265 MB to download, 0.6 GB installed; docs/glyph100k.md has what else it
    costs; `describe` needs none of them):

    apt-get install -y --no-install-recommends fonts-ancient-scripts fonts-babelstone-han \
      fonts-cns11643-kai fonts-cns11643-sung fonts-dejavu-core fonts-hanazono fonts-ipamj-mincho \
      fonts-mph-2b-damase fonts-noto-cjk fonts-noto-core fonts-symbola fonts-unifont
    """
    embedded(config)
    config.data.update({"variant": "glyph100k", "test_views": 1, "on_device": True})
    config.generalist.head = "FC1024-FC128"
    config.teachers.head = "FC1024-FC512"
    config.student.head = "FC1024-SC128"
    for training in (config.generalist, config.student):
        training.num_epochs = 3.0
        training.batch_size = 256
        training.optimizer.learning_rate = 0.03
        # A rare class's gradient is one image's share of a batch, an eighth of that at 32.
        training.optimizer.initial_accumulator /= 64
    # A vertical has 51,244 images at most: large batches would leave too few steps.
    config.teachers.num_epochs = 6.0
    config.teachers.optimizer.initial_accumulator = 0.03
    config.soft_targets.update({"top_k": 100, "num_views": 2})
    # Every process of teachers would hold all masks.
    config.running.update({"teacher_processes": 1, "checkpoint_every_steps": 2_000})
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
    # Begun anew, it needs no network of ours where predictions are imported.
    config.student.update({"init_from": "scratch", "distill_weight": 1.0})
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
