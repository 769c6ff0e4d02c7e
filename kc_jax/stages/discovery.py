"""Verticals for those who have none: clusters of what a generalist confuses."""

import dataclasses
import functools

from kc_jax import artifacts, hosts
from kc_jax.config import Config
from kc_jax.data import sources
from kc_jax.stages import clusters, tasks, train_generalist
from kc_jax.workdir import Workdir

STAGE = "discover_verticals"
# Values of config.data.verticals: whether classes are then dealt to the clusters at random.
PERMUTED = {"discovered": False, "permuted": True}


def run(config: Config, workdir: Workdir) -> bool:
    """Finds verticals; tells whether there was anything to do.

    A generalist is trained on a part of the images and asked about the others, in a folder of its
    own; `config.structure` says into how many clusters its classes are divided, and how.
    ``permuted`` deals the classes to clusters of the same sizes at random, for comparison.

    Raises:
      ConfigError: no such clusters can be found, or one has no records to be judged on.
    """
    own = workdir.discovery
    asked = dataclasses.replace(
        config,
        data=dataclasses.replace(config.data, verticals=sources.GIVEN, hold_out=True),
        structure=dataclasses.replace(
            config.structure, answers="network", permuted=PERMUTED.get(config.data.verticals, False)
        ),
    )
    space = sources.load_label_space(asked.data)
    clusters.check(asked, space)
    did_any = train_generalist.run(asked, own)
    find = functools.partial(
        clusters.find, asked, own, own.generalist, "train_generalist", space
    )
    did_any = hosts.first_alone(find) or did_any
    tasks.check_records(resolve(config, workdir))
    return did_any


def resolve(config: Config, workdir: Workdir) -> Config:
    """Names the file of discovered verticals in a configuration that asks for them.

    Args:
      config: of the run.
      workdir: of the run.

    Raises:
      MissingArtifactError: they were not found yet.
    """
    if config.data.verticals not in PERMUTED:
        return config
    found = workdir.discovery.clusters(config.structure.name)
    artifacts.manifest_of(found, STAGE)
    verticals = str(artifacts.checked(found / clusters.CLUSTERS))
    data = dataclasses.replace(config.data, verticals=verticals)
    return dataclasses.replace(config, data=data)
