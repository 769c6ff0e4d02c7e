"""Table 3 of Gao et al. (2017): does a generic part in the verticals' bottlenecks help?

python -m kc_jax.study --config=configs/study/table3.py --output=docs/results/table3.md
"""

from configs.study import paper

QUARTERS = (1, 2, 3, 4)


def get_config(data: str = "glyphs"):
    """Gives the study; `paper.DATA` lists the data."""
    return paper.study(
        "Table 3: generic part of the bottleneck, distilled", data, ("sc_d",), _generic,
        claims=tuple(
            (f"none is better than {quarter} quarters", "sc_d", f"generic_{quarter}")
            for quarter in QUARTERS
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
