"""A training as the person sees it who watches it: lines, curves, versions, and bad news."""

import itertools
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kc_jax import artifacts
from kc_jax.data import sources
from kc_jax.stages import runner, training
from kc_jax.train import checkpoint, hooks
from kc_jax.train.hooks import NonFiniteLossError
from kc_jax.workdir import Workdir
from tests.stages import shipped
from tests.train import event_files


def test_tensorboard_shows_what_metrics_say(finished):
    config, workdir = finished
    space = sources.load_label_space(config.data)
    for directory in (workdir.generalist, workdir.teacher(space.verticals[0]),
                      workdir.student("student")):
        log = hooks.read_metrics(directory / artifacts.TRAINING_LOG)
        curves = event_files.read(directory)
        for name in ("loss", "learning_rate", "seconds"):
            written = [(line["step"], pytest.approx(line[name], rel=1e-6)) for line in log]
            assert curves[name] == written
    paces = {name.split("/", 1)[1] for name in curves if name.startswith("pace/")}
    assert paces == set(space.verticals)


def test_networks_say_what_they_were_made_with(finished):
    _, workdir = finished
    for directory in (workdir.generalist, workdir.evaluation / "student"):
        made_with = artifacts.read_json(directory / artifacts.MANIFEST)["made_with"]
        assert made_with["versions"]["jax"] == jax.__version__ and made_with["command"]


def test_a_loss_that_is_no_number_names_its_records(data_directory, tmp_path):
    config = shipped.smoke(
        data_directory, running__log_every_steps=7,
        generalist__optimizer__learning_rate=3e38, generalist__optimizer__warmup=0.0,
    )
    workdir = Workdir(tmp_path)
    with pytest.raises(NonFiniteLossError) as caught:
        runner.run_stages(config, workdir, ["train_generalist"])
    noted = artifacts.read_json(workdir.generalist / "non_finite_loss.json")
    assert 1 < noted["step"] <= 7 and noted["loss"] in ("nan", "inf")
    source = sources.open_source(config.data, "train")
    assert noted["names"] == [source.key(record) for record in noted["record_ids"]]
    assert len(noted["record_ids"]) == config.generalist.batch_size == len(noted["views"])
    message = str(caught.value)
    for words in (
        f"generalist: the loss is {noted['loss']} at step {noted['step']}",
        ", ".join(noted["names"][:8]), "optimizer.learning_rate", "non_finite_loss.json",
    ):
        assert words in message


def checkpointed(directory):
    """Gives the steps of all checkpoints of a network, oldest first."""
    return sorted(int(path.name) for path in (directory / artifacts.CHECKPOINTS).iterdir()
                  if path.name.isdecimal())


def spoiling(monkeypatch, spoil, at_step):
    """Lets one training step, each time that it is taken, leave something else behind."""
    make = training.step.make_train_step

    def make_spoilt(*args):
        train_step = make(*args)

        def spoilt(state, batch, learning_rate):
            state, metrics = train_step(state, batch, learning_rate)
            return spoil(state, metrics) if int(state.step) == at_step else (state, metrics)

        return spoilt

    monkeypatch.setattr(training.step, "make_train_step", make_spoilt)


def with_nan(state, metrics):
    return state.replace(params=jax.tree.map(lambda x: x * jnp.nan, state.params)), metrics


def test_no_state_is_saved_that_is_not_finite_and_the_same_command_goes_on(
    data_directory, tmp_path, monkeypatch, capsys,
):
    config = shipped.smoke(
        data_directory, running__log_every_steps=20, running__checkpoint_every_steps=4)
    whole, workdir = Workdir(tmp_path / "whole"), Workdir(tmp_path / "spoilt")
    runner.run_stages(config, whole, ["train_generalist"])
    with monkeypatch.context() as patch:
        spoiling(patch, with_nan, at_step=11)  # Its loss is a number; those after it are none.
        with pytest.raises(NonFiniteLossError) as caught:
            runner.run_stages(config, workdir, ["train_generalist"])
    directory = workdir.generalist
    for words in (
        "generalist: the loss is nan at step 12, of the training records",
        f"the last good checkpoint is that of step 8 in {directory / artifacts.CHECKPOINTS}, from "
        "which the same command goes on", "--config.running.may_leave_out=10", "--redo",
    ):
        assert words in str(caught.value)
    assert checkpointed(directory) == [4, 8]
    assert not artifacts.read_json(directory / artifacts.MANIFEST)["complete"]
    variables = checkpoint.load_variables(directory / artifacts.CHECKPOINTS)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(variables))
    runner.run_stages(config, workdir, ["train_generalist"])
    assert "going on from step 8" in capsys.readouterr().err
    assert shipped.digest(directory) == shipped.digest(whole.generalist)


def test_the_last_state_is_looked_at_too(data_directory, tmp_path, monkeypatch):
    config = shipped.smoke(data_directory, running__checkpoint_every_steps=99)
    workdir = Workdir(tmp_path)
    last = 22
    spoiling(monkeypatch, with_nan, at_step=last)
    words = (f"at step {last}, .*; it left numbers in the state that are not finite; no checkpoint "
             "was saved yet")
    with pytest.raises(NonFiniteLossError, match=words):
        runner.run_stages(config, workdir, ["train_generalist"])
    assert checkpointed(workdir.generalist) == []


def test_a_loss_far_above_the_others_is_noted_with_its_records(
    data_directory, tmp_path, monkeypatch, capsys,
):
    config, workdir = shipped.smoke(data_directory), Workdir(tmp_path)

    def high(state, metrics):
        return state, {**metrics, "loss": 10 * metrics["loss"]}

    spoiling(monkeypatch, high, at_step=20)
    runner.run_stages(config, workdir, ["train_generalist"])
    (line,) = hooks.read_metrics(workdir.generalist / artifacts.LOSS_SPIKES)
    assert line["step"] == 20 and line["loss"] > hooks.SPIKE * line["median"]
    source = sources.open_source(config.data, "train")
    names = [source.key(record) for record in line["record_ids"]]
    assert len(names) == config.generalist.batch_size == len(line["views"])
    warning = capsys.readouterr().err
    assert warning.count("WARNING") == 1 and ", ".join(names[:8]) in warning
    assert artifacts.read_json(workdir.generalist / artifacts.MANIFEST)["loss_spikes"] == 1


def test_an_ordinary_training_has_no_spikes(finished):
    config, workdir = finished
    networks = [workdir.generalist, workdir.student("student"), *workdir.teachers.iterdir()]
    for directory in networks:
        if directory.is_dir():
            assert artifacts.read_json(directory / artifacts.MANIFEST)["loss_spikes"] == 0


SMOKE = [
    sys.executable, "-m", "kc_jax.main", "--config=configs/eft.py:smoke",
    "--stages=train_generalist", "--config.generalist.num_epochs=20.0",
    "--config.running.log_every_steps=1", "--config.running.checkpoint_every_steps=5",
]


def lines_of(path):
    return len(path.read_bytes().splitlines()) if path.exists() else 0


@pytest.mark.slow
def test_a_killed_training_logs_every_step_once(data_directory, tmp_path):
    metrics = tmp_path / "generalist" / artifacts.TRAINING_LOG
    command = [*SMOKE, f"--workdir={tmp_path}", f"--config.data.directory={data_directory}"]
    root = pathlib.Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    for killed_at in (13, 28):
        process = subprocess.Popen(command, cwd=root, env=environment, stderr=subprocess.DEVNULL)
        while lines_of(metrics) < killed_at and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and "going on from step" in done.stderr, done.stderr
    steps = [json.loads(line)["step"] for line in metrics.read_text().splitlines()]
    assert steps == list(range(1, steps[-1] + 1)) and steps[-1] > 100
    assert [step for step, _ in event_files.read(tmp_path / "generalist")["loss"]] == steps
    seconds = [line["seconds"] for line in hooks.read_metrics(metrics)]
    assert all(a <= b for a, b in itertools.pairwise(seconds))
