import pathlib
import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest

from benchmarks import outcome, small_disk
from kc_jax import disk_space
from kc_jax.disk_space import DiskSpaceError
from kc_jax.stages import runner
from kc_jax.train import checkpoint
from kc_jax.workdir import Workdir

ROOT = pathlib.Path(__file__).parents[2]
ROOMS = (0, 20_000, 60_000)  # Bytes: nothing can be written, something, or all but what is large.


@pytest.fixture(params=["known before", "found out late"])
def when(request, monkeypatch):
    """Lets room be looked for before a checkpoint is written, or not."""
    if request.param == "found out late":
        monkeypatch.setattr(disk_space, "check_space", lambda *_: None)
    return request.param


def test_a_checkpoint_that_does_not_fit_names_its_folder_and_leaves_the_one_before(disk, when):
    state = {"params": jax.random.normal(jax.random.key(0), (1_000, 1_000), jnp.float32)}
    with checkpoint.Checkpoints(disk / "net") as checkpoints:
        checkpoints.save(1, state)
    with small_disk.filled(disk, 1_000_000), pytest.raises(DiskSpaceError) as caught:
        with checkpoint.Checkpoints(disk / "net") as checkpoints:
            checkpoints.save(2, state)
    says = {
        "known before": "has 1.0 MiB of free disk space, but a checkpoint's files take 4.8 MiB;",
        "found out late": "cannot be written, for its disk is full (",
    }
    assert str(caught.value).startswith(f"{disk / 'net'} {says[when]}")
    with checkpoint.Checkpoints(disk / "net") as checkpoints:
        assert checkpoints.latest_step == 1
        checkpoints.save(2, state)
    assert sorted(path.name for path in (disk / "net").iterdir()) == ["1", "2"]


@pytest.mark.slow
# tensorboardX leaves a file open whose first line found no room.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_disk_that_is_full_in_any_stage_costs_nothing_once_there_is_room(finished, disk):
    config, expected = finished
    workdir = Workdir(disk / "run")
    refused = set()
    for stage in config.stages:
        for room in ROOMS:
            try:
                with small_disk.filled(disk, room):
                    runner.run_stages(config, workdir, [stage])
            except DiskSpaceError as error:
                assert str(disk) in str(error) and "\n" not in str(error)
                refused.add(stage)
        runner.run_stages(config, workdir, [stage])
    assert refused == set(config.stages)
    assert not outcome.differences(
        outcome.contents(workdir.root), outcome.contents(expected.root)
    )
    assert not outcome.temporary_files(workdir.root)


@pytest.mark.slow
def test_the_command_ends_in_one_line(disk):
    with small_disk.filled(disk, 50_000):
        done = subprocess.run(
            [sys.executable, "-m", "kc_jax.main", "--config=configs/eft.py:smoke",
             f"--workdir={disk / 'run'}", f"--config.data.directory={disk / 'data'}"],
            cwd=ROOT, capture_output=True, text=True,
        )
    assert done.returncode == 1
    described, *progress, line = done.stderr.splitlines()
    assert described.startswith("[describe]") and line.startswith(f"kc_jax: {disk / 'data'}")
    assert all(re.search(r", done in \d+ s$", written) for written in progress)
    assert "make room and begin the same command again" in line
