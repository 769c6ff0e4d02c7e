"""Runs without input, for timing."""

import numpy as np
import pytest

from configs import common, eft
from kc_jax import artifacts, config
from kc_jax.data import sources
from kc_jax.stages import runner
from kc_jax.workdir import Workdir
from tests.stages import shipped


def declared(**overrides):
    """Gives the smoke preset with 40 declared classes and no images."""
    options = eft.get_config("smoke")
    common.photographs(options, num_classes=40, num_verticals=2)
    options.data.update({"synthetic": True, "num_records": 64, "image_size": 16})
    options.update_from_flattened_dict(overrides)
    return config.build(options)


def test_a_network_is_trained_without_images_and_says_so(tmp_path):
    workdir = Workdir(tmp_path)
    runner.run_stages(declared(), workdir, ["train_generalist"])
    manifest = artifacts.manifest_of(workdir.generalist, "train_generalist")
    assert manifest["inputs"]["records"].startswith("synthetic-")
    assert manifest["images_per_second"] > 0 and 0 <= manifest["input_wait"] < 1
    assert manifest["pipeline_images_per_second"] is None


@pytest.mark.slow
def test_the_whole_job_runs_without_images_and_says_so(tmp_path, capsys):
    built, workdir = declared(), Workdir(tmp_path)
    runner.run_stages(built, workdir, built.stages)
    assert artifacts.read_json(workdir.results)["synthetic"]
    assert "SYNTHETIC INPUT" in capsys.readouterr().out


def test_every_class_space_gets_its_records():
    built = declared()
    space = sources.load_label_space(built.data)
    for split in ("train", "test"):
        source = sources.open_source(built.data, split)
        assert len(source) == 64
        assert [len(source.records_of(space, v)) for v in range(2)] == [32, 32]
        assert {c for labels in source.labels for c in labels} == set(range(40))
        np.testing.assert_array_equal(source.read(0), source.read(63))
    assert source.read(0).shape == (18, 18, 3)


def test_glyphs_keep_their_label_space_and_the_size_of_their_masks(data_directory):
    built = shipped.smoke(data_directory, data__synthetic=True, data__num_records=30)
    real = shipped.smoke(data_directory)
    space = sources.load_label_space(real.data)
    source = sources.open_source(built.data, "train")
    assert sources.load_label_space(built.data).fingerprint == space.fingerprint
    assert len(source) == 30 and source.read(3).shape == (64, 64, 1)
    assert source.fingerprint != sources.open_source(real.data, "train").fingerprint


def test_a_vertical_without_records_is_named():
    with pytest.raises(config.ConfigError, match="vertical 'vertical_01' has no records"):
        sources.open_source(declared(**{"data.num_records": 1}).data, "train")


def test_without_synthetic_there_is_nothing_to_open():
    with pytest.raises(config.ConfigError, match="data.synthetic=true for timing"):
        sources.open_source(declared(**{"data.synthetic": False}).data, "train")
