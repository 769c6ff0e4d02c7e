"""A training that is stopped goes on with other devices, another mesh, another number of hosts."""

import subprocess

import pytest

from kc_jax import artifacts, preemption
from kc_jax.train import hooks
from tests import eight_devices, processes_together
from tests.stages.test_many_processes import PATIENCE

STOPPING = ("tests.faults.stopping", "--config=configs/eft.py:smoke", "--stages=train_generalist")


def in_folder(data_directory, root):
    """Gives the options of a run; at the preset's rate a step makes ten times of any rounding."""
    return (
        *STOPPING, f"--config.data.directory={data_directory}", f"--workdir={root}",
        "--config.running.log_every_steps=1", "--config.generalist.optimizer.learning_rate=0.001",
    )


@pytest.fixture
def options(data_directory, tmp_path):
    return in_folder(data_directory, tmp_path)


@pytest.fixture(scope="module")
def undisturbed(data_directory, tmp_path_factory):
    """Gives the losses of a run on one device that nobody stops."""
    root = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STOP_AT", "0")
        eight_devices.run_module(*in_folder(data_directory, root), devices=1)
    return losses(root)


def losses(root) -> dict[int, float]:
    return {x["step"]: x["loss"] for x in hooks.read_metrics(root / "generalist/metrics.jsonl")}


def assert_same_curve(root, undisturbed):
    """Asserts that a finished training's losses are those of a run that nobody stopped."""
    assert losses(root) == pytest.approx(undisturbed, rel=1e-5)
    assert artifacts.read_json(root / "generalist" / artifacts.MANIFEST)["complete"]


def stop(monkeypatch, at: int, run):
    """Runs something that is to end by itself after a step."""
    monkeypatch.setenv("STOP_AT", str(at))
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run()
    assert caught.value.returncode == preemption.EXIT_CODE, caught.value.stderr


@pytest.mark.slow
def test_a_training_goes_on_with_other_devices_on_another_mesh(
    undisturbed, options, tmp_path, monkeypatch
):
    for at, devices, model in ((5, 8, 4), (10, 4, 1), (15, 1, 1)):
        stop(monkeypatch, at, lambda d=devices, m=model: eight_devices.run_module(
            *options, f"--config.mesh.model={m}", devices=d
        ))
    monkeypatch.setenv("STOP_AT", "0")
    eight_devices.run_module(*options, "--config.mesh.model=2", devices=8)
    assert_same_curve(tmp_path, undisturbed)


@pytest.mark.slow
def test_a_training_goes_on_in_another_number_of_processes(
    undisturbed, options, tmp_path, monkeypatch
):
    stop(monkeypatch, 5, lambda: eight_devices.run_module(*options, devices=1))
    monkeypatch.setenv("STOP_AT", "9")
    ended = processes_together.end(processes_together.begin(*options, f"--patience={PATIENCE}"))
    assert [status for status, _ in ended] == [preemption.EXIT_CODE] * 2, ended
    assert sorted(losses(tmp_path)) == list(range(1, 17))  # They agree at every eighth step.
    monkeypatch.setenv("STOP_AT", "0")
    eight_devices.run_module(*options, devices=1)
    assert_same_curve(tmp_path, undisturbed)
