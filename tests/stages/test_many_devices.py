import numpy as np
import pytest

from configs import generations
from kc_jax import artifacts
from kc_jax.stages import runner
from kc_jax.workdir import Workdir
from tests import eight_devices
from tests.stages import shipped


@pytest.mark.slow
def test_the_main_job_on_eight_devices_ends_as_on_one(finished, data_directory, tmp_path):
    """Two devices share the batch, four the heads, also those of teachers with few classes."""
    eight_devices.run_module(
        "kc_jax.main", "--config=configs/eft.py:smoke", f"--config.data.directory={data_directory}",
        "--config.mesh.model=4", f"--workdir={tmp_path}",
    )
    found, expected = (
        artifacts.read_json(workdir.results)["methods"]
        for workdir in (Workdir(tmp_path), finished[1])
    )
    for name, method in expected.items():
        assert found[name]["params"] == method["params"]
        for vertical, value in method["vertical_ap"].items():
            assert found[name]["vertical_ap"][vertical] == pytest.approx(value, abs=0.01)


@pytest.mark.slow
def test_generations_on_eight_devices_answer_as_on_one(data_directory, tmp_path):
    config = shipped.build(generations.get_config("smoke"), data_directory)
    runner.run_stages(config, Workdir(tmp_path / "one"), ["run_generations"])
    eight_devices.run_module(
        "kc_jax.main", "--config=configs/generations.py:smoke", "--stages=run_generations",
        f"--config.data.directory={data_directory}", f"--workdir={tmp_path / 'eight'}",
    )
    name = config.generations.name
    for number in range(config.generations.num_generations + 1):
        found, expected = (
            np.load(Workdir(root).generation_answers(name, str(number)) / "scores.npy")
            for root in (tmp_path / "eight", tmp_path / "one")
        )
        np.testing.assert_allclose(found, expected, atol=1e-3)
