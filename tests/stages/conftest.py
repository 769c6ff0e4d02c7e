import shutil

import numpy as np
import pytest

from configs import eft
from kc_jax import config as kc_config
from kc_jax.stages import gallery, report_figures, runner
from kc_jax.workdir import Workdir
from tests.stages import fabricated, shipped


@pytest.fixture(scope="session")
def data_directory(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def finished(data_directory, tmp_path_factory):
    """Gives the configuration and working directory of a whole smoke run."""
    config = shipped.smoke(data_directory)
    workdir = Workdir(tmp_path_factory.mktemp("smoke"))
    runner.run_stages(config, workdir, config.stages)
    return config, workdir


@pytest.fixture
def copy(finished, tmp_path):
    """Gives a copy of the finished run that a test may spoil."""
    config, workdir = finished
    shutil.copytree(workdir.root, tmp_path / "copy")
    return config, Workdir(tmp_path / "copy")


@pytest.fixture
def config():
    return kc_config.build(eft.get_config("smoke"))


@pytest.fixture
def workdir(tmp_path):
    """Gives a working directory, written by hand, that a report can be made from."""
    return fabricated.fabricate(Workdir(tmp_path))


@pytest.fixture
def no_drawing(monkeypatch):
    monkeypatch.setattr(report_figures, "DPI", 30)
    blank = gallery.encode_png(np.zeros((1, 1, 1), np.uint8))
    monkeypatch.setattr(report_figures, "to_png", lambda figure: blank)
