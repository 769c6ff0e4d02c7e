"""Do tolerant teachers educate better students? Yang et al. (2018), over three seeds.

python -m kc_jax.study --config=configs/study/generations.py --workdir=runs/generations
python -m kc_jax.study --config=configs/study/generations.py:photographs \
  --config.base.data.directory=… --workdir=runs/generations_photographs

D(p, λ): the patriarch is taught to stop at a score of p, and each student takes λ of its loss from
its teacher. D(1.0, 0.0) is the baseline, networks that differ in nothing but their start, and
D(1.0, 0.5) born-again networks.
"""

import ml_collections

from configs import generations


def get_config(preset: str = "glyphs"):
    """Gives the study.

    Args:
      preset: of configs/generations.py.
    """
    config = ml_collections.ConfigDict()
    config.title = f"Generations on {preset}"
    config.base = generations.get_config(preset)
    config.seeds = (0, 1, 2)
    config.processes = {
        name: {"tolerance": {"confidence": confidence}, "distill_weight": weight}
        for name, confidence, weight in (
            ("labels", 1.0, 0.0), ("born_again", 1.0, 0.5),
            ("tolerant_05", 0.6, 0.5), ("tolerant_06", 0.6, 0.6),
        )
    }
    config.claims = (
        ("a tolerant patriarch is worse", "labels", "tolerant_06", "patriarch"),
        ("students pass untaught networks", "tolerant_06", "labels", "students"),
        ("tolerant beats strict at the same λ", "tolerant_05", "born_again", "students"),
        ("more of a tolerant teacher is better", "tolerant_06", "tolerant_05", "students"),
        ("taught ensembles pass untaught ones", "tolerant_06", "labels", "together"),
    )
    return config
