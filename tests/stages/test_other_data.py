"""The whole main job on photographs with several labels, and with the options least used."""

import numpy as np
import pytest

from configs import openimage
from kc_jax import artifacts, config
from kc_jax.data import sources
from kc_jax.stages import runner
from kc_jax.workdir import Workdir
from tests.data import folder_dataset


def shrunk(directory, label_space, small=True, **overrides):
    """Gives the OpenImages preset for the tiny folder dataset; small takes the small backbone."""
    options = openimage.get_config()
    options.data.update({
        "source": "tfds", "directory": str(directory), "label_space": str(label_space),
        "prepared": f"{directory}-packed",
        "image_size": 48,
    })
    options.soft_targets.update({"num_views": 2, "top_k": 2})
    for network in (options.generalist, options.teachers, options.student):
        network.update({"num_epochs": 30.0, "batch_size": 8})
        network.optimizer.learning_rate = 0.05
    if small:
        options.model.backbone = "small_conv"
        options.data.image_size = 16
    options.generalist.head = options.teachers.head = "FC8-FC4"
    options.student.head = "FC8-SC(4,1)"
    options.update_from_flattened_dict(overrides)
    return config.build(options)


@pytest.mark.slow
@pytest.mark.parametrize("overrides", [
    {"small": False, "student.head": "FC8-SC4"},
    {},
    {"student.self_paced.level": "class", "student.head": "SC8-SC4", "student.distill_weight": 0.5},
    {"model.compute_dtype": "bfloat16", "teachers.init_from": "generalist"},
    {"generalist.head": "linear", "teachers.head": "linear", "student.head": "linear",
     "teachers.init_from": "generalist", "student.init_from": "generalist", "mesh.layout": "tiled"},
])
def test_photographs_with_several_labels(tmp_path, overrides):
    prepared = folder_dataset.prepare(tmp_path)
    built = shrunk(*prepared, **overrides)
    workdir = Workdir(tmp_path / "run")
    runner.run_stages(built, workdir, built.stages)
    methods = artifacts.read_json(workdir.results)["methods"]
    assert set(methods) == {"generalist", "student", "specialists"}
    assert all(np.isfinite(m["mean_vertical_ap"]) for m in methods.values())
    assert methods["specialists"]["mean_vertical_ap"] > 0.7
    space = sources.load_label_space(built.data)
    for name in space.verticals:
        manifest = artifacts.manifest_of(workdir.soft_targets_of(name), "write_soft_targets")
        assert manifest["inputs"]["top_k"] == 2
