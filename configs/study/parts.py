"""Each part of Knowledge Concentration alone, on the embedded glyphs, over three seeds.

python -m kc_jax.study --config=configs/study/parts.py   # about 45 minutes on 2 cores

D: soft targets of the specialists. SC: a bottleneck for every vertical. S: self-paced learning.
Every network sees as many images as the generalist. Each method's settings are the best of six on
held-out training masks of seed 0 (configs/study/tuning.py), never on the test masks.
"""

import ml_collections

from configs import eft
from configs.study import paper


def get_config():
    """Gives the base configuration, the seeds, and what each student changes."""
    config = ml_collections.ConfigDict()
    config.title = "The parts of Knowledge Concentration, each alone"
    config.base = eft.get_config("embedded")
    config.seeds = (0, 1, 2)
    config.students = paper.students_of(("fc_d", "sc", "sc_d", "sc_d_s"), config.base)
    return config
