"""Do tolerant specialists teach better? Yang et al. (2018) for Gao et al. (2017), three seeds.

python -m kc_jax.study --config=configs/study/tolerance.py --workdir=runs/tolerance

Specialists are taught to stop at a score of p, so that their soft targets say more of other
classes; p = 1 leaves them strict. About 5 minutes of one core for a p and a seed.
"""

import ml_collections

from configs import eft


def get_config():
    """Gives the study."""
    config = ml_collections.ConfigDict()
    config.title = "Tolerant specialists"
    config.base = eft.get_config("embedded")
    config.seeds = (0, 1, 2)
    config.settings = {
        f"p={confidence}": {"teachers": {"tolerance": {"confidence": confidence}}}
        for confidence in (1.0, 0.6)
    }
    config.students = {
        "sc_d": {"distill_weight": 1.0, "optimizer": {"initial_accumulator": 0.1}},
    }
    config.claims = {
        "tolerant specialists teach better": ("p=0.6/sc_d", "p=1.0/sc_d"),
        "tolerant specialists are worse themselves": ("p=1.0/specialists", "p=0.6/specialists"),
    }
    return config
