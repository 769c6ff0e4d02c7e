"""Table 4 of Gao et al. (2017): each part on top of the others, vertical by vertical.

python -m kc_jax.study --config=configs/study/table4.py --output=docs/results/table4.md
"""

from configs.study import paper


def get_config(data: str = "glyphs"):
    """Gives the study; `paper.DATA` lists the data."""
    return paper.study(
        "Table 4: part by part", data, by_vertical=True,
        names=("fc_d", "sc_d", "sc_d_s"),
        claims=(
            ("distillation improves the generalist (27.7 → 31.5)", "fc_d", "generalist"),
            ("structured layers improve on that (31.5 → 32.9)", "sc_d", "fc_d"),
            ("self-paced learning improves on that (32.9 → 37.9)", "sc_d_s", "sc_d"),
            ("all together improve the generalist (27.7 → 37.9)", "sc_d_s", "generalist"),
            ("specialists are the upper bound (37.9 → 68.0)", "specialists", "sc_d_s"),
        ),
    )
