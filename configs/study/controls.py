"""What else would have done it? A wider shared bottleneck, a longer training, three seeds.

python -m kc_jax.study --config=configs/study/controls.py --output=docs/results/controls.md
python -m kc_jax.study --config=configs/study/controls.py:photographs \
  --config.base.data.directory=… --output=docs/results/controls_photographs.md

``wide`` has one shared bottleneck, of as many parameters as the verticals' own together: a unit of
a shared one costs s1 + N, one of all own ones V s1 + N. ``longer`` is the generalist with twice as
many images, which is what the specialists have seen, for they start from the generalist.
"""

from configs.study import paper


def get_config(data: str = "glyphs"):
    """Gives the study; `paper.DATA` lists the data."""
    return paper.study(
        "Controls", data, ("sc", "sc_half_d"), _further, methods_figure=True,
        claims=paper.measured_by((
            ("own bottlenecks are better than one as wide", "sc", "generalist"),
            ("own bottlenecks are better than one of as many parameters", "sc", "wide"),
            ("so they are with half D", "sc_half_d", "wide_half_d"),
            ("half D improves own bottlenecks", "sc_half_d", "sc"),
            ("half D improves the wide bottleneck", "wide_half_d", "wide"),
            ("twice the images improve the generalist", "longer", "generalist"),
        ), "mean_vertical_ap", "top1") + (
            ("specialists are better than twice the images", "specialists", "longer"),
        ),
    )


def _further(data: str, trunk: int, bottleneck: int):
    """Gives the networks that no other table has."""
    wide = paper.wide_head(data, trunk)
    return {
        "wide": paper.student(data, wide, 0.0, "labels", {}),
        "wide_half_d": paper.student(data, wide, 0.5, "half_d", {}),
        **paper.longer(data, trunk, bottleneck),
    }
