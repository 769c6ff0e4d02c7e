"""Own bottlenecks against a shared one of as many parameters, learning from labels, three seeds.

python -m kc_jax.study --config=configs/study/widths.py --workdir=runs/widths

A unit of a shared bottleneck costs s1 + N parameters, one of all own bottlenecks V s1 + N: with the
paper's 4,096, 20 and 100,000 that is 1.7 times as much, with the embedded glyphs' 256, 20 and 1,020
almost five times. So the same is asked of a trunk of 42, where it is 1.7 times, too. About 4
minutes of one core a network.
"""

import ml_collections

from configs import eft

EQUAL = {"FC256": (8, 39), "FC42": (8, 14)}  # Trunk: width of own bottlenecks, of the shared one.


def get_config():
    """Gives the study."""
    config = ml_collections.ConfigDict()
    config.title = "Own or shared bottlenecks of as many parameters"
    config.base = eft.get_config("embedded")
    config.seeds = (0, 1, 2)
    config.students = {
        f"{trunk}_{kind}{width}": {"head": f"{trunk}-{kind}{width}", "distill_weight": 0.0}
        for trunk, (own, shared) in EQUAL.items()
        for kind, width in (("FC", own), ("SC", own), ("FC", shared))
    }
    config.claims = tuple(
        (f"own is better than shared, {words}, in {metric}", f"{trunk}_SC{own}",
         f"{trunk}_FC{width}", metric)
        for trunk, (own, shared) in EQUAL.items()
        for words, width in (("as wide", own), ("as many parameters", shared))
        for metric in ("mean_vertical_ap", "top1")
    )
    config.methods_figure = True
    return config
