"""Are verticals that a network's confusions make as good as given or random ones? Three seeds.

python -m kc_jax.study --config=configs/study/verticals.py --workdir=runs/verticals

Students are judged on the given verticals, whatever verticals they were trained with. About 13
minutes of one core for a kind of verticals and a seed.
"""

import ml_collections

from configs import eft
from configs.study import paper


def get_config():
    """Gives the study."""
    config = ml_collections.ConfigDict()
    config.title = "Discovered verticals beside given ones, judged on the given"
    config.base = eft.get_config("embedded")
    config.base.structure.update({"num_clusters": config.base.data.num_verticals, "top_k": 20})
    config.seeds = (0, 1, 2)
    config.settings = {
        "given": {},
        "discovered": {"data": {"verticals": "discovered"}},
        "permuted": {"data": {"verticals": "permuted"}},
    }
    config.students = paper.students_of(("sc", "sc_d"), config.base)
    config.claims = tuple(
        (f"{text} for {method}", f"{better}/{method}", f"{other}/{method}")
        for method in config.students
        for text, better, other in (
            ("found verticals are better than given ones", "discovered", "given"),
            ("found verticals are better than random ones", "discovered", "permuted"),
            ("random verticals are better than given ones", "permuted", "given"),
        )
    )
    return config
