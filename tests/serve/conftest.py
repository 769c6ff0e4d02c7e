import pytest

from kc_jax.bundle import Bundle
from tests.bundle import small


@pytest.fixture(scope="session")
def directory(tmp_path_factory):
    return small.write(tmp_path_factory.mktemp("bundles") / "small", calibration=small.CALIBRATION)


@pytest.fixture(scope="session")
def bundle(directory):
    return Bundle.load(directory)
