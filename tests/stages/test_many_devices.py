import pytest

from kc_jax import artifacts
from tests import eight_devices


@pytest.mark.slow
def test_the_main_job_on_eight_devices_ends_as_on_one(finished, data_directory, tmp_path):
    """Two devices share the batch, four the heads, also those of teachers with few classes."""
    eight_devices.run_module(
        "kc_jax.main", "--config=configs/eft.py:smoke", f"--config.data.directory={data_directory}",
        "--config.mesh.model=4", f"--workdir={tmp_path}",
    )
    found, expected = (
        artifacts.read_json(workdir.results)["methods"]
        for workdir in (artifacts.Workdir(tmp_path), finished[1])
    )
    for name, method in expected.items():
        assert found[name]["params"] == method["params"]
        for vertical, value in method["vertical_ap"].items():
            assert found[name]["vertical_ap"][vertical] == pytest.approx(value, abs=0.01)
