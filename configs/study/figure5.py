"""Figure 5 and Table 5 of Gao et al. (2017): five ways to pace the logits.

python -m kc_jax.study --config=configs/study/figure5.py --output=docs/results/figure5.md

γ starts at scale × √N_v, or at 10: the paper's own scale is 1, which fits logits of unit size; ours
start at the classes' prior, −log C, whose norm is about log C times that.
"""

from configs.study import paper


def get_config(data: str = "glyphs"):
    """Gives the study; `paper.DATA` lists the data."""
    return paper.study(
        "Figure 5 and Table 5: self-paced learning", data,
        names=("sc_d", "sc_d_s", "sc_d_s_class"), further=_further, loss_figure=True,
        claims=(
            ("vertical pacing improves (32.9 → 37.9)", "sc_d_s", "sc_d"),
            ("class pacing improves (32.9 → 32.8: not there either)", "sc_d_s_class", "sc_d"),
            ("vertical is better than class pacing (32.8 → 37.9)", "sc_d_s", "sc_d_s_class"),
            ("pace that learns is better than fixed pace", "sc_d_s", "fixed_vertical"),
            ("γ from √N_v is better than from 10, vertical", "sc_d_s", "ten_vertical"),
            ("γ from √N_v is better than from 10, class", "sc_d_s_class", "ten_class"),
        ),
    )


def _further(data: str, trunk: int, bottleneck: int):
    """Gives the variants that no other table has."""
    student = {"head": f"FC{trunk}-SC{bottleneck}", **paper.distilled(data, setting="s")}
    fixed = {**student["optimizer"], "multipliers": {"pace": 0.0}}
    ten = {"initial": "constant", "scale": 10.0}
    return {
        "fixed_vertical": {**student, **paper.paced(data, "vertical"), "optimizer": fixed},
        "ten_vertical": {**student, "self_paced": {"level": "vertical", **ten}},
        "ten_class": {**student, "self_paced": {"level": "class", **ten}},
    }
