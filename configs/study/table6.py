"""Table 6 of Gao et al. (2017): the parts where specialists have the generalist's bottleneck.

python -m kc_jax.study --config=configs/study/table6.py --output=docs/results/table6.md

As on OpenImages all networks have bottlenecks of the same width.
"""

from configs.study import paper


def get_config(data: str = "glyphs"):
    """Gives the study; `paper.DATA` lists the data."""
    config = paper.study(
        "Table 6: bottlenecks of one width", data, by_vertical=True,
        names=("fc_d", "sc_d", "sc_d_s"),
        claims=(
            ("distillation improves (62.0 → 63.2)", "fc_d", "generalist"),
            ("structured layers improve on that (63.2 → 64.0)", "sc_d", "fc_d"),
            ("self-paced learning improves on that (64.0 → 65.8)", "sc_d_s", "sc_d"),
        ),
    )
    config.name = f"paper_equal_{data}"
    config.base.teachers.head = config.base.generalist.head
    return config
