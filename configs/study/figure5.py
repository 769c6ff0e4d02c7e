"""Figure 5 and Table 5 of Gao et al. (2017): five ways to pace the logits.

python -m kc_jax.study --config=configs/study/figure5.py --output=docs/results/figure5.md

γ starts at log C × √N_v, the norm of our initial logits, which are the classes' prior, or at 10.
The paper's √N_v fits logits of unit size.
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
            ("fixed pacing improves, vertical", "fixed_vertical", "sc_d"),
            ("pacing from 10 improves, vertical", "ten_vertical", "sc_d"),
            ("pacing from 10 improves, class", "ten_class", "sc_d"),
        ),
    )


def _further(data: str, trunk: int, bottleneck: int):
    """Gives the variants that no other table has."""
    head = f"FC{trunk}-SC{bottleneck}"
    ten = {"initial": "constant", "scale": 10.0}
    fixed = paper.student(data, head, 1.0, "s", paper.paced("vertical"))
    fixed["optimizer"]["multipliers"] = {"pace": 0.0}
    return {
        "fixed_vertical": fixed,
        **{
            f"ten_{level}": paper.student(
                data, head, 1.0, "s", {"self_paced": {"level": level, **ten}}
            )
            for level in ("vertical", "class")
        },
    }
