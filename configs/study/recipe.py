"""What closes most of the gap between generalist and specialists? Three seeds.

python -m kc_jax.study --config=configs/study/recipe.py --output=docs/results/recipe.md
python -m kc_jax.study --config=configs/study/recipe.py:photographs \
  --config.base.data.directory=… --output=docs/results/recipe_photographs.md

Own bottlenecks, soft targets for all or half of the loss, and self-paced learning on top of each;
what the paper's tables have, too, is shared with them.
"""

from configs.study import paper


def get_config(data: str = "glyphs"):
    """Gives the study; `paper.DATA` lists the data."""
    return paper.study(
        "What closes the gap", data, by_vertical=True, methods_figure=True,
        names=("sc", "fc_d", "sc_d", "sc_d_s", "sc_half_d", "sc_half_d_s"),
        claims=(
            ("own bottlenecks are better", "sc", "generalist"),
            ("soft targets are better than labels, shared bottleneck", "fc_d", "generalist"),
            ("soft targets are better than labels, own bottlenecks", "sc_d", "sc"),
            ("half of them is better than labels", "sc_half_d", "sc"),
            ("half of them is better than all", "sc_half_d", "sc_d"),
            ("self-paced learning improves on that", "sc_d_s", "sc_d"),
            ("self-paced learning improves on half", "sc_half_d_s", "sc_half_d"),
            ("half of them and pacing are better than the generalist", "sc_half_d_s", "generalist"),
        ),
    )
