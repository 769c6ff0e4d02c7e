import pytest

from kc_jax import artifacts
from kc_jax.stages import runner
from kc_jax.train import hooks
from kc_jax.workdir import Workdir
from tests.stages import shipped


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
