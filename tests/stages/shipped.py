"""Shipped configurations, shrunk, for end-to-end tests."""

from configs import eft
from kc_jax import artifacts, config


def smoke(data_directory, **overrides):
    """Gives the smoke preset; see `build`."""
    return build(eft.get_config("smoke"), data_directory, **overrides)


def build(options, data_directory, **overrides):
    """Gives a configuration with prepared data in a directory of the test's own.

    Args:
      options: a shipped preset.
      data_directory: for prepared data.
      **overrides: flattened options; dots are written as double underscores.
    """
    options.data.directory = str(data_directory)
    options.update_from_flattened_dict(
        {name.replace("__", "."): value for name, value in overrides.items()}
    )
    return config.build(options)


def digest(directory) -> str:
    """Gives the digest of a finished network's variables."""
    return artifacts.read_json(directory / artifacts.MANIFEST)["digest"]
