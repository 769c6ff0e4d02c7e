"""Where should a student start? From the generalist, as the specialists do, or anew? Three seeds.

python -m kc_jax.study --config=configs/study/starts.py --output=docs/results/starts.md
python -m kc_jax.study --config=configs/study/starts.py:photographs \
  --config.base.data.directory=… --output=docs/results/starts_photographs.md

The pipeline has a trained generalist, so a student that takes its backbone and trunk costs nothing
more. ``…_on`` start there, ``sc_whole_on`` with bottleneck and logits too, so that every vertical's
bottleneck begins as the generalist's; ``…_longer`` begin anew and see twice as many images: both
end with twice the generalist's images behind them. ``sc`` begins anew and sees as many as the
generalist; ``wide`` has one shared bottleneck of as many parameters as the own ones (controls.py).
"""

from configs.study import paper


def get_config(data: str = "glyphs"):
    """Gives the study; `paper.DATA` lists the data."""
    return paper.study(
        "Starts", data, ("sc",), _further, methods_figure=True,
        claims=paper.measured_by((
            ("starting from the generalist beats beginning anew, as many steps", "sc_on", "sc"),
            ("taking bottleneck and logits along is better", "sc_whole_on", "sc_on"),
            ("it is better than twice as long anew, labels", "fc_on", "longer"),
            ("it is better than twice as long anew, half D", "sc_half_d_on",
             "sc_half_d_longer"),
            ("half D pays from there", "sc_half_d_on", "sc_on"),
            ("half D pays from there, wide bottleneck", "wide_half_d_on", "wide_on"),
            ("half D pays anew, twice as long", "sc_half_d_longer", "sc_longer"),
            ("own bottlenecks pay from there", "sc_on", "fc_on"),
            ("so they do against one of as many parameters", "sc_on", "wide_on"),
            ("own bottlenecks from there beat a generalist of as many images", "sc_on", "longer"),
        ), "mean_vertical_ap", "top1") + (
            ("specialists are better than own bottlenecks from there", "specialists", "sc_on"),
        ),
    )


def _further(data: str, trunk: int, bottleneck: int):
    """Gives each head and loss twice: from the generalist, and anew for twice as long."""
    on = paper.FROM_GENERALIST
    whole = {**on, "init_parts": (*on["init_parts"], "bottleneck", "logits")}
    longer = paper.times_as_long(data, 2)
    fc = (f"FC{trunk}-FC{bottleneck}", 0.0, "labels")
    sc = (f"FC{trunk}-SC{bottleneck}", 0.0, "labels")
    half_d = (f"FC{trunk}-SC{bottleneck}", 0.5, "half_d")
    wide = paper.wide_head(data, trunk)
    return paper.longer(data, trunk, bottleneck) | {
        name: paper.student(data, *method, options) for name, method, options in (
            ("fc_on", fc, on),
            ("sc_on", sc, on), ("sc_whole_on", sc, whole), ("sc_longer", sc, longer),
            ("sc_half_d_on", half_d, on), ("sc_half_d_longer", half_d, longer),
            ("wide_on", (wide, 0.0, "labels"), on), ("wide_half_d_on", (wide, 0.5, "half_d"), on),
        )
    }
