import pathlib
import shutil
import subprocess
import sys
import time

import pytest

from kc_jax import artifacts, preemption, run_lock
from kc_jax.stages import networks, runner
from kc_jax.train import checkpoint, hooks
from kc_jax.train.state import digest
from kc_jax.workdir import Workdir
from tests.stages import shipped

ROOT = pathlib.Path(__file__).parents[2]


class Stopped(Exception):
    """Stands for the machine's end."""


@pytest.mark.parametrize("stop_at", [9, 10, 17])
def test_a_stopped_training_ends_bit_identical(
    finished, data_directory, tmp_path, monkeypatch, stop_at
):
    config = shipped.smoke(data_directory, running__checkpoint_every_steps=5)
    workdir = Workdir(tmp_path)

    def stopping(show, log):
        def hook(step, state, metrics):
            if step == stop_at:
                raise Stopped

        return hook

    with monkeypatch.context() as patch:
        patch.setattr(hooks, "progress_hook", stopping)
        with pytest.raises(Stopped):
            runner.run_stages(config, workdir, ["train_generalist"])
    with pytest.raises(artifacts.MissingArtifactError):
        artifacts.manifest_of(workdir.generalist, "train_generalist")
    runner.run_stages(config, workdir, ["train_generalist"])
    assert shipped.digest(workdir.generalist) == shipped.digest(finished[1].generalist)
    log = hooks.read_metrics(workdir.generalist / "metrics.jsonl")
    steps, seconds = ([entry[key] for entry in log] for key in ("step", "seconds"))
    assert steps == sorted(set(steps)) and seconds == sorted(seconds)
    manifest = artifacts.manifest_of(workdir.generalist, "train_generalist")
    assert manifest["seconds"] >= seconds[-1]


@pytest.mark.slow
def test_a_network_whose_last_states_are_damaged_ends_bit_identical(
    finished, data_directory, tmp_path, capsys
):
    """Once in the middle of its training, once when it was finished."""
    config = shipped.smoke(data_directory, running__checkpoint_every_steps=5)
    workdir, states = Workdir(tmp_path), tmp_path / "generalist" / artifacts.CHECKPOINTS
    runner.run_stages(config, workdir, ["train_generalist"])
    manifest = artifacts.manifest_of(workdir.generalist, "train_generalist")
    artifacts.begin(workdir.generalist, manifest["inputs"])
    (states / "22" / "_CHECKPOINT_METADATA").write_text("{}")
    runner.run_stages(config, workdir, ["train_generalist"])
    said = capsys.readouterr().err
    assert f"{states / '22' / '_CHECKPOINT_METADATA'} is damaged" in said
    assert "generalist: going on from step 20" in said
    assert shipped.digest(workdir.generalist) == manifest["digest"]

    (states / "22" / "_CHECKPOINT_METADATA").write_text("{}")
    with pytest.raises(checkpoint.CheckpointError) as caught:
        networks.load_variables(workdir.generalist, "train_generalist")
    assert f"remove {states / '22'} and run the stage" in str(caught.value)
    assert "goes on from the state of step 20" in str(caught.value)
    shutil.rmtree(states / "22")
    with pytest.raises(checkpoint.CheckpointError, match="run the stage train_generalist again"):
        networks.load_variables(workdir.generalist, "train_generalist")
    runner.run_stages(config, workdir, ["train_generalist"])
    assert "lacks the state of step 22" in capsys.readouterr().err
    variables = networks.load_variables(workdir.generalist, "train_generalist")
    assert digest(variables) == manifest["digest"] == shipped.digest(finished[1].generalist)


def test_a_notice_saves_the_step_and_the_rest_is_bit_identical(
    finished, data_directory, tmp_path, monkeypatch, capsys
):
    """SIGTERM in the middle of a training, whose checkpoints are far apart."""
    config = shipped.smoke(data_directory, running__checkpoint_every_steps=1_000)
    workdir = Workdir(tmp_path)
    monkeypatch.setattr(preemption._Notice, "came", False)

    def noticing(show, log):
        return lambda step, state, metrics: preemption.note() if step == 7 else None

    with monkeypatch.context() as patch:
        patch.setattr(hooks, "progress_hook", noticing)
        with pytest.raises(SystemExit) as caught:
            runner.run_stages(config, workdir, ["train_generalist"])
    assert caught.value.code == preemption.EXIT_CODE
    assert "generalist is saved at step 8; the same command goes on" in capsys.readouterr().err
    monkeypatch.setattr(preemption._Notice, "came", False)
    runner.run_stages(config, workdir, ["train_generalist"])
    assert "generalist: going on from step 8" in capsys.readouterr().err
    assert shipped.digest(workdir.generalist) == shipped.digest(finished[1].generalist)


def test_a_run_keeps_others_out_of_its_folder(data_directory, tmp_path):
    with run_lock.locked(tmp_path), pytest.raises(run_lock.WorkdirInUseError):
        runner.run_stages(shipped.smoke(data_directory), Workdir(tmp_path), ["describe"])
    runner.run_stages(shipped.smoke(data_directory), Workdir(tmp_path), ["describe"])


def test_what_a_dead_run_was_about_to_write_is_removed(data_directory, tmp_path):
    workdir = Workdir(tmp_path)
    half = workdir.seconds.with_name(workdir.seconds.name + artifacts.TEMPORARY)
    half.write_text('{"descr')
    workdir.predictions.mkdir()
    (workdir.predictions / "0.rows").touch()
    runner.run_stages(shipped.smoke(data_directory), workdir, ["describe"])
    assert not half.exists() and not workdir.predictions.exists()


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_preempted_teachers_are_saved_and_gone_on_with(data_directory, tmp_path, processes):
    """A SIGTERM to the command, of which teachers in processes of their own hear from it."""
    command = [
        sys.executable, "-m", "kc_jax.main", "--config=configs/eft.py:smoke",
        f"--config.data.directory={data_directory}", f"--workdir={tmp_path}",
        f"--config.running.teacher_processes={processes}", "--config.teachers.num_epochs=400.0",
        "--config.running.checkpoint_every_steps=100000",
        "--stages=train_generalist,train_teachers",
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    end = time.monotonic() + 120
    while len(list(tmp_path.glob("teachers/*/metrics.jsonl"))) < processes:
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.1)
    process.terminate()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == preemption.EXIT_CODE, errors
    assert len(list(tmp_path.glob("teachers/*/checkpoints/*"))) >= processes, errors
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    while "going on from step" not in (line := process.stderr.readline()):
        assert line or process.poll() is None, line
    process.kill()
    process.communicate()
