"""Where does distillation pay? Right and wrong labels, specialists with and without ancestors.

python -m kc_jax.study --config=configs/study/conditions.py --workdir=runs/conditions

Of three in ten training images the label is swapped within its vertical (``wrong``); specialists
are taught ancestors too (label smearing, as the paper has it) or labels alone. Two minutes of one
core a network.
"""

import ml_collections

from configs import eft
from configs.study import paper

NOISE = 0.3


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
    config.students = paper.students_of(("fc_d", "sc", "sc_d", "sc_half_d"), config.base)
    config.claims = tuple(
        (f"{words}: {setting}", f"{setting}/{better}", f"{setting}/{other}")
        for setting in config.settings
        for words, better, other in (
            ("distillation pays with a shared bottleneck", "fc_d", "generalist"),
            ("distillation pays with own bottlenecks", "sc_d", "sc"),
            ("half of it pays with own bottlenecks", "sc_half_d", "sc"),
        )
    )
    return config
