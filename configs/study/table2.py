"""Table 2 of Gao et al. (2017): which layers should verticals have for themselves?

python -m kc_jax.study --config=configs/study/table2.py --output=docs/results/table2.md
"""

from configs.study import paper


def get_config(data: str = "glyphs"):
    """Gives the study; `paper.DATA` lists the data."""
    return paper.study(
        "Table 2: structured layers, distilled", data,
        names=("fc_d", "sc_d", "sc_sc_d"),
        claims=(
            ("own bottlenecks improve (31.5 → 32.9)", "sc_d", "fc_d"),
            ("a shared trunk is better than own ones (31.9 → 32.9)", "sc_d", "sc_sc_d"),
            ("all layers own is better than none (31.5 → 31.9)", "sc_sc_d", "fc_d"),
        ),
    )
