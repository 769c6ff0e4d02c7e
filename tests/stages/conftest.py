import shutil

import pytest

from kc_jax import artifacts
from kc_jax.stages import runner
from tests.stages import shipped


@pytest.fixture(scope="session")
def data_directory(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def finished(data_directory, tmp_path_factory):
    """Gives the configuration and working directory of a whole smoke run."""
    config = shipped.smoke(data_directory)
    workdir = artifacts.Workdir(tmp_path_factory.mktemp("smoke"))
    runner.run_stages(config, workdir, config.stages)
    return config, workdir


@pytest.fixture
def copy(finished, tmp_path):
    """Gives a copy of the finished run that a test may spoil."""
    config, workdir = finished
    shutil.copytree(workdir.root, tmp_path / "copy")
    return config, artifacts.Workdir(tmp_path / "copy")
