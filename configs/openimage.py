"""Knowledge Concentration (Gao et al. 2017) as on OpenImages: 6,000 classes, 5 verticals.

python -m kc_jax.main --config=configs/openimage.py --stages=describe
python -m kc_jax.main --config=configs/openimage.py --config.data.source=folder \
  --config.data.directory=…

The base is small on purpose: it is what makes the generalist too weak (section 4.2).
"""

from configs import common


def get_config():
    """Gives the paper's setting: five verticals and one bottleneck width for all networks."""
    config = common.get_config("openimage")
    common.photographs(config, num_classes=6_000, num_verticals=5)
    config.data.label_key = "class_ids"
    common.inception(config, base="mixed_3c")
    config.generalist.head = "FC512-FC512"
    config.teachers.head = "FC512-FC512"
    config.student.head = "FC512-SC512"
    common.as_in_the_paper(config)
    return config
