"""Are verticals that a network's confusions make as good as given ones? Three seeds.

python -m kc_jax.study --config=configs/study/verticals.py --workdir=runs/verticals

Students are judged on the given verticals, whatever verticals they were trained with. About 10
minutes of one core for a kind of verticals and a seed.
"""

import ml_collections

from configs import eft


def get_config():
    """Gives the study."""
    config = ml_collections.ConfigDict()
    config.title = "Discovered verticals beside given ones, judged on the given"
    config.base = eft.get_config("embedded")
    config.base.structure.update({"num_clusters": config.base.data.num_verticals, "top_k": 20})
    config.seeds = (0, 1, 2)
    config.settings = {"given": {}, "discovered": {"data": {"verticals": "discovered"}}}
    config.students = {
        "sc": {"distill_weight": 0.0},
        "sc_d": {"distill_weight": 1.0, "optimizer": {"initial_accumulator": 0.1}},
    }
    config.claims = tuple(
        (f"given verticals are better for {method}", f"given/{method}", f"discovered/{method}")
        for method in config.students
    )
    return config
