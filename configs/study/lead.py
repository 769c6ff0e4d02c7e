"""Are specialists ahead of a generalist that was trained as long? D paid where they were.

python -m kc_jax.study --config=configs/study/lead.py --output=docs/results/lead.md
python -m kc_jax.study --config=configs/study/lead.py:photographs \
  --config.base.data.directory=… --output=docs/results/lead_photographs.md

The first thing to ask of data of one's own: ``longer`` is the generalist with twice as many images,
which is what the specialists have seen, for they start from the generalist.
"""

from configs.study import paper


def get_config(data: str = "glyphs"):
    """Gives the study; `paper.DATA` lists the data."""
    return paper.study(
        "The specialists' lead", data, ("sc", "sc_d"), paper.longer,
        claims=(
            ("specialists are better than the generalist", "specialists", "generalist"),
            ("specialists are better than a generalist trained as long", "specialists", "longer"),
            ("twice the images improve the generalist", "longer", "generalist"),
            ("own bottlenecks are better than one as wide", "sc", "generalist"),
            ("soft targets are better than labels, own bottlenecks", "sc_d", "sc"),
        ),
    )
