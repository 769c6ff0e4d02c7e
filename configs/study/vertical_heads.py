"""Does one more head for each vertical pay where each has a bottleneck already? Three seeds.

python -m kc_jax.study --config=configs/study/vertical_heads.py --workdir=runs/vertical_heads
python -m kc_jax.study --config=configs/study/vertical_heads.py:photographs \
  --config.base.data.directory=… --workdir=runs/vertical_heads_photographs

The network of configs/self_informed.py with the structured head of Gao et al. (2017), on which an
auxiliary head of Warde-Farley et al. (2015) grows for each vertical; as controls, as many heads for
classes that are dealt at random, a classifier learnt anew, and the whole network going on.
"""

from configs.study import paper, self_informed

CLAIMS = (
    ("a head a vertical beats the network before", "verticals", "generalist"),
    ("a head a vertical beats chance", "verticals", "verticals_at_random"),
    ("a head a vertical beats a classifier learnt anew", "verticals", "classifier_anew"),
    ("a head a vertical beats going on with the whole network", "verticals", "longer"),
)


def get_config(preset: str = "glyphs"):
    """Gives the study.

    Args:
      preset: of configs/self_informed.py: ``glyphs``, ``photographs`` or ``smoke``.
    """
    config = self_informed.get_config(preset)
    config.title = f"One more head for each vertical on {preset}"
    trunk, _ = paper.widths(config.base)
    config.base.generalist.head = f"FC{trunk}-SC32"
    by_vertical = {"answers": "verticals"}
    config.structures = {
        "verticals": by_vertical,
        "verticals_at_random": {**by_vertical, "permuted": True},
        **{name: config.structures[name] for name in ("classifier_anew", "longer")},
    }
    config.claims = paper.measured_by(CLAIMS, "mean_vertical_ap", "top1")
    return config
