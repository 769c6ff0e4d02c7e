"""Do heads for confused classes pay? Warde-Farley et al. (2015), over three seeds.

python -m kc_jax.study --config=configs/study/self_informed.py --workdir=runs/self_informed
python -m kc_jax.study --config=configs/study/self_informed.py:photographs \
  --config.base.data.directory=… --workdir=runs/self_informed_photographs

Clusters by confusions and by co-detections, and for each a control: clusters of the same sizes, to
which classes are dealt at random. ``longer`` is the base network, fine-tuned for as many steps as
the heads are trained, so that it has seen as many images as they have.
"""

import ml_collections

from configs import self_informed
from configs.study import paper

# What it says, the network that should be better, the other; the first two are the paper's.
CLAIMS = (
    ("confusions beat co-detections", "confusions", "co_detections"),
    ("co-detections beat the base", "co_detections", "generalist"),
    ("confusions beat chance", "confusions", "confusions_at_random"),
    ("co-detections beat chance", "co_detections", "co_detections_at_random"),
    ("heads beat a classifier learnt anew", "confusions", "classifier_anew"),
    ("heads beat going on with the whole network", "confusions", "longer"),
)


def get_config(preset: str = "glyphs"):
    """Gives the study.

    Args:
      preset: of configs/self_informed.py: ``glyphs``, ``photographs`` or ``smoke``.
    """
    config = ml_collections.ConfigDict()
    config.title = f"Self-informed structure on {preset}"
    config.base = self_informed.get_config(preset)
    config.seeds = (0, 1, 2)
    config.structures = {
        "confusions": {},
        "confusions_at_random": {"permuted": True},
        "co_detections": {"similarity": "co_detections"},
        "co_detections_at_random": {"similarity": "co_detections", "permuted": True},
        "classifier_anew": {"num_clusters": 0},
        "longer": {"num_clusters": 0, "learn": "all"},
    }
    config.claims = paper.measured_by(CLAIMS, f"mean_ap_at_{config.base.evaluation.at_k}")
    return config
