"""Verticals for those who have none: clusters of what a generalist confuses."""

import dataclasses

from kc_jax.artifacts import Workdir
from kc_jax.config import Config
from kc_jax.data import sources
from kc_jax.stages import clusters, train_generalist

DISCOVERED = "discovered"


def resolve(config: Config, workdir: Workdir) -> Config:
    """Finds verticals where the configuration asks for it, and names their file in it.

    A generalist is trained on a part of the images and asked about the others, in a folder of its
    own; `config.structure` says into how many clusters its classes are divided, and how.

    Args:
      config: of the run.
      workdir: of the run.
    """
    if config.data.verticals != DISCOVERED:
        return config
    own = workdir.discovery
    asked = dataclasses.replace(
        config,
        data=dataclasses.replace(config.data, verticals=sources.GIVEN, hold_out=True),
        structure=dataclasses.replace(config.structure, answers="network", permuted=False),
    )
    train_generalist.run(asked, own)
    space = sources.load_label_space(asked.data)
    clusters.find(asked, own, own.generalist, "train_generalist", space)
    found = own.clusters(config.structure.name) / clusters.CLUSTERS
    data = dataclasses.replace(config.data, verticals=str(found))
    return dataclasses.replace(config, data=data)
