import signal
import time

import jax
import numpy as np
import pytest

from kc_jax import artifacts, preemption
from kc_jax.stages import networks
from kc_jax.workdir import Workdir
from tests import eight_devices, processes_together

SMOKE = ("kc_jax.main", "--config=configs/eft.py:smoke")
PATIENCE = 30.0  # Seconds.


@pytest.fixture(scope="module")
def alone(data_directory, tmp_path_factory):
    """Gives what one process with two devices makes of the main job."""
    root = tmp_path_factory.mktemp("alone")
    eight_devices.run_module(
        *SMOKE, f"--config.data.directory={data_directory}", f"--workdir={root}", devices=2
    )
    return Workdir(root)


@pytest.fixture
def begin(data_directory, tmp_path):
    """Gives a function that begins the main job in two processes, of one device each."""
    begun = []

    def begin() -> list:
        processes = processes_together.begin(
            *SMOKE, f"--config.data.directory={data_directory}", f"--workdir={tmp_path}",
            f"--patience={PATIENCE}",
        )
        begun.extend(processes)
        return processes

    yield begin
    for process in begun:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def assert_ended_alike(begin, tmp_path, expected):
    """Asserts that the same command ends, with the same networks and results as one process."""
    ended = processes_together.end(begin())
    assert [status for status, _ in ended] == [0, 0], ended
    for path in ("generalist", "students/student", "teachers/arabic"):
        ours, theirs = (
            networks.load_variables(root / path, "the test") for root in (tmp_path, expected.root)
        )
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), ours, theirs)
    ours, theirs = (
        artifacts.read_json(workdir.results)["methods"] for workdir in (Workdir(tmp_path), expected)
    )
    for name, method in theirs.items():
        assert ours[name]["vertical_ap"] == pytest.approx(method["vertical_ap"], abs=1e-5)


def wait_until(root, processes, number: int, doing: str) -> None:
    """Waits until a process says that it does something."""
    while doing not in artifacts.read_json(root / "hosts" / f"process_{number}.json", {}).get(
        "doing", ""
    ):
        assert all(process.poll() is None for process in processes)
        time.sleep(0.05)


@pytest.mark.slow
def test_two_processes_end_as_one(begin, tmp_path, alone):
    assert_ended_alike(begin, tmp_path, alone)


@pytest.mark.slow
def test_a_process_that_hangs_ends_the_other(begin, tmp_path, alone):
    processes = begin()
    wait_until(tmp_path, processes, 1, "soft targets")
    processes[1].send_signal(signal.SIGSTOP)
    start = time.monotonic()
    ((status, errors),) = processes_together.end(processes[:1])
    assert time.monotonic() - start < 3 * PATIENCE
    assert status == preemption.EXIT_CODE
    assert "process 1 on " in errors and "has been silent" in errors
    processes[1].kill()
    assert_ended_alike(begin, tmp_path, alone)


@pytest.mark.slow
def test_a_notice_to_one_ends_both_with_the_step_saved(begin, tmp_path, alone):
    processes = begin()
    wait_until(tmp_path, processes, 1, "generalist, ")
    processes[1].send_signal(signal.SIGTERM)
    ended = processes_together.end(processes)
    assert [status for status, _ in ended] == [preemption.EXIT_CODE] * 2, ended
    assert "is saved at step" in ended[0][1]
    assert_ended_alike(begin, tmp_path, alone)
