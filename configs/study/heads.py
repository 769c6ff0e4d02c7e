"""The student's bottleneck, from all the verticals' own to partly shared, on held-out masks.

python -m kc_jax.study --config=configs/study/heads.py --workdir=runs/tuning

About 8 minutes of one core a seed. It shares the working directory, and so the generalist and the
teachers of seed 0, with tuning.py.
"""

import ml_collections

from configs.study import tuning


def get_config():
    """Gives the study, on labels."""
    config = ml_collections.ConfigDict()
    config.title = "Heads on labels, on the validation part"
    config.base = tuning.get_config("labels").base
    config.seeds = (0, 1, 2)
    config.students = {
        "sc": {"head": "FC256-SC8", "distill_weight": 0.0},
        "sc_generic2": {"head": "FC256-SC(8,2)", "distill_weight": 0.0},
        "sc_generic4": {"head": "FC256-SC(8,4)", "distill_weight": 0.0},
    }
    return config
