import pytest

from benchmarks import small_disk
from tests.stages.conftest import data_directory, finished  # noqa: F401


@pytest.fixture
def disk(tmp_path):
    """Gives the folder of a disk of 128 MiB, which is gone after the test."""
    try:
        with small_disk.mounted(tmp_path / "disk", 1 << 27) as folder:
            yield folder
    except small_disk.NoDiskError as why:
        pytest.skip(f"no disk of its own can be mounted for this test: {why}")
