import json
import os
import re
import sys

import pytest

from kc_jax import artifacts, config, options
from kc_jax.train import hooks, sinks
from tests.train import event_files


def network(directory, first_step=0):
    return sinks.Network(
        title="teacher 1/2 birds", group="run", directory=directory, first_step=first_step,
        verticals=("birds", "cars"), config={"seed": 3},
    )


def line(step, loss=0.5):
    return {"step": step, "loss": loss, "images_per_second": None, "pace": [1.0, 2.0]}


def write(names, watched, lines):
    with sinks.open_sinks(names, watched) as sink:
        for entry in lines:
            sink(entry)


def test_the_configuration_knows_all_sinks():
    assert set(options.words_of(config.Running, "sinks")) == set(sinks.SINKS)


def test_metrics_are_written_without_any_sink(tmp_path):
    write([], network(tmp_path), [line(1), line(2)])
    assert hooks.read_metrics(tmp_path / artifacts.TRAINING_LOG) == [line(1), line(2)]
    assert [path.name for path in tmp_path.iterdir()] == [artifacts.TRAINING_LOG]


@pytest.mark.parametrize("torn", ["", '{"step": 9, "lo'])
def test_metrics_after_the_first_step_are_written_anew(tmp_path, torn):
    write([], network(tmp_path), [line(step) for step in (2, 4, 6, 8)])
    with (tmp_path / artifacts.TRAINING_LOG).open("a") as file:
        file.write(torn)
    assert hooks.seconds_before(tmp_path / artifacts.TRAINING_LOG, 5) == 0
    write([], network(tmp_path, first_step=5), [line(6, 0.25), line(8, 0.125)])
    steps = [(x["step"], x["loss"]) for x in hooks.read_metrics(tmp_path / artifacts.TRAINING_LOG)]
    assert steps == [(2, 0.5), (4, 0.5), (6, 0.25), (8, 0.125)]


def test_seconds_are_those_of_the_steps_that_are_kept(tmp_path):
    path = tmp_path / artifacts.TRAINING_LOG
    path.write_text("".join(json.dumps({"step": s, "seconds": 1.5 * s}) + "\n" for s in (2, 4, 6)))
    assert [hooks.seconds_before(path, step) for step in (1, 2, 5, 9)] == [0, 3.0, 6.0, 9.0]
    assert hooks.seconds_before(tmp_path / "missing", 5) == 0


def test_numbers_have_names():
    assert sinks.scalars(line(3), ("birds", "cars")) == {
        "loss": 0.5, "pace/birds": 1.0, "pace/cars": 2.0,
    }


def test_tensorboard_shows_each_step_once_after_a_stop(tmp_path):
    write(["tensorboard"], network(tmp_path), [line(step) for step in (2, 4, 6, 8)])
    write(["tensorboard"], network(tmp_path, first_step=5), [line(6, 0.25), line(8, 0.125)])
    assert event_files.read(tmp_path) == {
        "loss": [(2, 0.5), (4, 0.5), (6, 0.25), (8, 0.125)],
        "pace/birds": [(step, 1.0) for step in (2, 4, 6, 8)],
        "pace/cars": [(step, 2.0) for step in (2, 4, 6, 8)],
    }


def test_lines_can_be_watched_while_the_training_runs(tmp_path):
    with sinks.open_sinks(["tensorboard"], network(tmp_path)) as sink:
        sink(line(1))
        assert event_files.read(tmp_path)["loss"] == [(1, 0.5)]
        assert len(hooks.read_metrics(tmp_path / artifacts.TRAINING_LOG)) == 1


class Broken:
    """Fails when it is made, called or closed, as `at` says."""

    at = ""

    def __init__(self, watched):
        self._fail("made")

    def __call__(self, entry):
        self._fail("called")

    def close(self):
        self._fail("closed")

    def _fail(self, when):
        if when == self.at:
            raise OSError(f"no network when {when}")


@pytest.mark.parametrize("when", ["made", "called", "closed"])
def test_a_sink_that_fails_is_named_once_and_ends_nothing(tmp_path, monkeypatch, capsys, when):
    monkeypatch.setitem(sinks.SINKS, "wandb", Broken)
    monkeypatch.setattr(Broken, "at", when)
    write(["wandb", "tensorboard"], network(tmp_path), [line(1), line(2)])
    assert len(hooks.read_metrics(tmp_path / artifacts.TRAINING_LOG)) == 2
    assert [step for step, _ in event_files.read(tmp_path)["loss"]] == [1, 2]
    [warning] = capsys.readouterr().err.splitlines()
    assert warning.startswith("WARNING: teacher 1/2 birds: wandb failed")
    assert f"no network when {when}" in warning


def test_errors_of_the_training_pass_through(tmp_path):
    with pytest.raises(ZeroDivisionError), sinks.open_sinks(["tensorboard"], network(tmp_path)):
        raise ZeroDivisionError


def test_a_package_that_is_missing_is_named_before_the_training(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(sinks.MissingExtraError, match=re.escape("pip install 'kc_jax[wandb]'")):
        write(["wandb"], network(tmp_path), [line(1)])


@pytest.fixture
def no_wandb_settings(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "settings"))
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "cache"))
    return monkeypatch


def test_weights_and_biases_goes_on_under_one_id_without_a_network(tmp_path, no_wandb_settings):
    pytest.importorskip("wandb", reason="the extra wandb is not installed")
    directory = tmp_path / "network"
    write(["wandb"], network(directory), [line(2), line(4)])
    run_id = (directory / "wandb_id").read_text()
    write(["wandb"], network(directory, first_step=3), [line(4)])
    assert (directory / "wandb_id").read_text() == run_id
    files = sorted((directory / "wandb").rglob("*.wandb"))
    assert len(files) == 2 and {file.stem for file in files} == {f"run-{run_id}"}
    assert all(file.parent.name.startswith("offline-run-") for file in files)
    written = files[0].read_bytes()
    for word in (b"pace/birds", b"teacher 1/2 birds", b"loss"):
        assert word in written


def test_weights_and_biases_that_asks_for_a_login_ends_nothing(
    tmp_path, no_wandb_settings, capsys
):
    pytest.importorskip("wandb", reason="the extra wandb is not installed")
    no_wandb_settings.setenv("WANDB_MODE", "online")
    write(["wandb"], network(tmp_path), [line(1)])
    assert len(hooks.read_metrics(tmp_path / artifacts.TRAINING_LOG)) == 1
    assert "WARNING: teacher 1/2 birds: wandb failed" in capsys.readouterr().err
