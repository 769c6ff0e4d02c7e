"""Do tolerant specialists teach better? Yang et al. (2018) for Gao et al. (2017), three seeds.

python -m kc_jax.study --config=configs/study/tolerance.py --workdir=runs/tolerance
python -m kc_jax.study --config=configs/study/tolerance.py:photographs \
  --config.base.data.directory=… --workdir=runs/tolerance_photographs

Specialists are taught to stop at a score of 0.6, so that their soft targets say more of other
classes: of the four that look most alike (K = 5), or of the next one (K = 2), which alone leaves
mass there (docs/generations.md). Strict ones are not stopped.
"""

import ml_collections

from configs.study import paper


def get_config(data: str = "glyphs"):
    """Gives the study; of `paper.DATA`."""
    config = ml_collections.ConfigDict()
    config.title = f"Tolerant specialists, {data}"
    config.base = paper.DATA[data]()
    config.seeds = (0, 1, 2)
    config.settings = {
        name: {"teachers": {"tolerance": {"confidence": confidence, "num_similar": num_similar}}}
        for name, confidence, num_similar in (
            ("strict", 1.0, 5), ("tolerant", 0.6, 5), ("tolerant_2", 0.6, 2),
        )
    }
    config.students = paper.students_of(("sc_d",), config.base, data)
    config.claims = (
        ("tolerant specialists teach better", "tolerant/sc_d", "strict/sc_d"),
        ("so do specialists tolerant of one class", "tolerant_2/sc_d", "strict/sc_d"),
        ("strict specialists are better themselves", "strict/specialists", "tolerant/specialists"),
    )
    return config
