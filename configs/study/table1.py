"""Table 1 of Gao et al. (2017): does distillation pay, with shared and with structured layers?

python -m kc_jax.study --config=configs/study/table1.py --output=docs/results/table1.md
"""

from configs.study import paper


def get_config(data: str = "glyphs"):
    """Gives the study; `paper.DATA` lists the data."""
    return paper.study(
        "Table 1: distillation", data,
        names=("fc_d", "sc_sc", "sc_sc_d"),
        claims=(
            ("distillation improves FC-FC (27.7 → 31.5)", "fc_d", "generalist"),
            ("distillation improves SC-SC (27.6 → 31.9)", "sc_sc_d", "sc_sc"),
        ),
    )
