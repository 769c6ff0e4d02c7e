"""Table 3 of Gao et al. (2017): does a generic part in the verticals' bottlenecks help?

python -m kc_jax.study --config=configs/study/table3.py --output=docs/results/table3.md
"""

from configs.study import paper

QUARTERS = {1: 32.8, 2: 32.4, 3: 31.4, 4: 31.5}  # → mean AP of the paper, which has 32.9 without.


def get_config(data: str = "glyphs"):
    """Gives the study; `paper.DATA` lists the data."""
    return paper.study(
        "Table 3: generic part of the bottleneck, distilled", data, ("sc_d",), _generic,
        claims=tuple(
            (f"none is better than {quarter}/4 ({theirs} → 32.9)", "sc_d", f"generic_{quarter}")
            for quarter, theirs in QUARTERS.items()
        ),
    )


def _generic(data: str, trunk: int, bottleneck: int):
    """Gives the networks with a generic part; that without one other tables have too."""
    return {
        f"generic_{quarter}": paper.student(
            data, f"FC{trunk}-SC({bottleneck},{bottleneck * quarter // 4})", 1.0, "d", {}
        )
        for quarter in QUARTERS
    }
