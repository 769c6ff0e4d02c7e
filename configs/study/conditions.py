"""Where does distillation pay? Wrong labels, ancestors in soft targets, wider bottlenecks.

python -m kc_jax.study --config=configs/study/conditions.py --workdir=runs/conditions

Four settings: labels right, or of three in ten training images swapped within their vertical; and
specialists that are taught ancestors too (label smearing, as the paper has it) or labels alone. In
each the same students, with the default bottleneck and with one four times as wide. About 12
minutes of one core for a setting and a seed.
"""

import ml_collections

from configs import eft
from configs.study import paper

NOISE = 0.3
WIDER = 4


def get_config():
    """Gives the study."""
    config = ml_collections.ConfigDict()
    config.name = "conditions"
    config.title = "Where distillation pays"
    config.base = eft.get_config("embedded")
    config.seeds = (0, 1, 2)
    config.settings = {
        f"{labels}_{targets}": {
            "data": {"label_noise": noise}, "teachers": {"label_smearing": smearing},
        }
        for labels, noise in (("right", 0.0), ("wrong", NOISE))
        for targets, smearing in (("ancestors", True), ("labels", False))
    }
    heads = {"narrow": "FC256-SC8", "wide": f"FC256-SC{8 * WIDER}"}
    config.students = {
        f"{width}{name}": {"head": head, **options}
        for width, head in heads.items()
        for name, options in (
            ("", {"distill_weight": 0.0}),
            ("_d", paper.distilled("glyphs")),
            ("_half_d", paper.distilled("glyphs", 0.5)),
        )
    }
    config.claims = tuple(
        (f"distillation pays: {setting}", f"{setting}/{width}{amount}", f"{setting}/{width}")
        for setting in config.settings for width in heads for amount in ("_d", "_half_d")
    )
    return config
