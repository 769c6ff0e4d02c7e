"""Where does distillation pay? Glyphs with wrong labels, or specialists that know ancestors.

python -m kc_jax.study --config=configs/study/conditions.py:wrong --workdir=runs/paper_glyphs
python -m kc_jax.study --config=configs/study/conditions.py:ancestors --workdir=runs/paper_glyphs

``wrong``: of three in ten training images the label is swapped within its vertical. ``ancestors``:
specialists are taught ancestors too (label smearing, as the paper has it). The networks of the
setting without either are those of recipe.py, if the working directory is the same. Two and a half
minutes of one core a network.
"""

import ml_collections

from configs import eft
from configs.study import paper

CONDITIONS = {
    "wrong": {"data": {"label_noise": 0.3}},
    "ancestors": {"teachers": {"label_smearing": True}},
}


def get_config(condition: str = "wrong"):
    """Gives the study of a condition, a key of `CONDITIONS`."""
    if condition not in CONDITIONS:
        raise ValueError(
            f"condition {condition!r} is unknown; expected one of {', '.join(CONDITIONS)}"
        )
    config = ml_collections.ConfigDict()
    config.name = "paper_glyphs"
    config.title = f"Where distillation pays: {condition}"
    config.base = eft.get_config("embedded")
    config.seeds = (0, 1, 2)
    config.settings = {"right": {}, condition: CONDITIONS[condition]}
    config.students = paper.students_of(("fc_d", "sc", "sc_d", "sc_half_d"), config.base)
    config.claims = tuple(
        (f"{words}: {setting}", f"{setting}/{better}", f"{setting}/{other}")
        for setting in config.settings
        for words, better, other in (
            ("all D pays with a shared bottleneck", "fc_d", "generalist"),
            ("all D pays with own bottlenecks", "sc_d", "sc"),
            ("half D pays with own bottlenecks", "sc_half_d", "sc"),
        )
    )
    return config
