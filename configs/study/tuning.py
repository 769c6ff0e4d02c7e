"""The same small budget of settings for each method, judged on held-out training images.

python -m kc_jax.study --config=configs/study/tuning.py --workdir=runs/tuning
python -m kc_jax.study --config=configs/study/tuning.py:photographs \
  --config.base.data.directory=… --workdir=runs/tuning_photographs

Two rates a method, one seed, 70 to 140 s of one core each; the test images are never looked at. A
rate or a batch size of the specialists is chosen with --config.base.teachers.… and a --workdir of
its own.
"""

import ml_collections

from configs.study import paper

RATES = (0.04, 0.08)
METHODS = ("fc", "sc", "fc_d", "sc_d", "sc_half_d", "sc_half_d_s")


def get_config(data: str = "glyphs"):
    """Gives a study of settings; `paper.DATA` lists the data."""
    base = paper.DATA[data]()
    methods = paper.students_of(METHODS, base, data)
    config = ml_collections.ConfigDict()
    config.title = f"Settings on {data}, by the validation part"
    config.base = base
    config.base.data.judged_on = "validation"
    config.seeds = (0,)
    config.students = {
        f"{name}_rate{round(100 * rate):03d}": paper.at_rate(rate, method)
        for name, method in methods.items() for rate in RATES
    }
    return config
