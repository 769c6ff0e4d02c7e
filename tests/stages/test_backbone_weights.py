"""Networks whose backbone starts from a file or from another network, and may stay so."""

import dataclasses

import jax
import numpy as np
import pytest
import safetensors.numpy

from kc_jax import artifacts
from kc_jax.data import sources
from kc_jax.errors import UserError
from kc_jax.stages import backbone_weights, memory, networks, runner, tasks, training
from kc_jax.train.state import digest
from kc_jax.workdir import Workdir
from tests.models import torch_tensors
from tests.stages import shipped

SIZES = (1, 1)


def write_resnet(path, seed=0):
    tensors = torch_tensors.random_tensors(torch_tensors.resnet(SIZES, 8))
    tensors["conv1.weight"] += np.float32(seed)
    safetensors.numpy.save_file(tensors, path)
    return tensors


def of_resnet(data_directory, **overrides):
    """Gives the smoke preset with a ResNet of two blocks."""
    return shipped.smoke(data_directory, **{
        "model__backbone": "resnet50", "model__backbone_options__resnet50__stage_sizes": SIZES,
        "model__backbone_options__resnet50__width": 8, "generalist__num_epochs": 1.0, **overrides,
    })


def backbone(directory):
    variables = networks.load_variables(directory, "the test")
    return {name: tree["backbone"] for name, tree in variables.items() if "backbone" in tree}


def other_model(config, **options):
    return dataclasses.replace(config, model=dataclasses.replace(config.model, **options))


def test_a_frozen_backbone_is_the_files_after_training(data_directory, tmp_path):
    tensors = write_resnet(tmp_path / "resnet.safetensors")
    config = of_resnet(
        data_directory, model__backbone_init_from=str(tmp_path / "resnet.safetensors"),
        model__backbone_freeze=True,
    )
    workdir = Workdir(tmp_path / "run")
    runner.run_stages(config, workdir, ["train_generalist"])
    stem = backbone(workdir.generalist)
    kernel = stem["params"]["stem"]["convolution"]["kernel"]
    np.testing.assert_array_equal(kernel, tensors["conv1.weight"].transpose(2, 3, 1, 0))
    mean = stem["batch_stats"]["stem"]["batch_norm"]["mean"]
    np.testing.assert_array_equal(mean, tensors["bn1.running_mean"])

    with pytest.raises(artifacts.StaleArtifactError, match="model.backbone_freeze: True → False"):
        runner.run_stages(
            other_model(config, backbone_freeze=False), workdir, ["train_generalist"]
        )
    moved = tmp_path / "moved.safetensors"
    moved.write_bytes((tmp_path / "resnet.safetensors").read_bytes())
    again = other_model(config, backbone_init_from=str(moved))
    runner.run_stages(again, workdir, ["train_generalist"])  # The content is the same: complete.
    write_resnet(moved, seed=1)
    with pytest.raises(artifacts.StaleArtifactError, match="model.backbone_init_from: '[0-9a-f]+'"):
        runner.run_stages(again, workdir, ["train_generalist"])


@pytest.mark.parametrize("freeze", [True, False])
def test_a_network_of_ours_starts_others(finished, tmp_path, freeze):
    config, workdir = finished
    other = Workdir(tmp_path)
    config = other_model(
        config, backbone_init_from=str(workdir.generalist), backbone_freeze=freeze
    )
    config = dataclasses.replace(
        config, student=dataclasses.replace(config.student, distill_weight=0.0, num_epochs=1.0)
    )
    runner.run_stages(config, other, ["train_student"])
    start, end = backbone(workdir.generalist), backbone(other.student("student"))
    assert (digest(start) == digest(end)) == freeze


def test_the_generalists_backbone_comes_before_the_files(finished, tmp_path):
    """Where a network starts from the generalist, `init_parts` says whether its backbone does."""
    config, workdir = finished
    teacher = next(path for path in workdir.teachers.iterdir() if path.is_dir())
    config = other_model(config, backbone_init_from=str(teacher))
    for parts, origin in ((("backbone",), workdir.generalist), (("trunk",), teacher)):
        student = dataclasses.replace(config.student, init_from="generalist", init_parts=parts)
        config = dataclasses.replace(config, student=student)
        started = started_variables(config, workdir)
        found = {name: tree["backbone"] for name, tree in started.items() if "backbone" in tree}
        assert digest(jax.device_get(found)) == digest(backbone(origin))


def started_variables(config, workdir):
    space = sources.load_label_space(config.data)
    model = networks.build_model(config.model, config.student, space, config.seed)
    task = tasks.Task(
        "student", workdir.root, config.student, space, np.arange(1), None, 0,
        tuple(range(space.num_verticals)),
    )
    return training.initial_variables(config, task, model, workdir)


@pytest.fixture
def files(finished, tmp_path):
    """Gives names of weights, good and bad."""
    write_resnet(tmp_path / "resnet.safetensors")
    (tmp_path / "torn.safetensors").write_bytes(b"not one")
    names = {name: str(tmp_path / f"{name}.safetensors") for name in ("resnet", "torn", "none")}
    return {**names, "folder": str(tmp_path), "generalist": str(finished[1].generalist)}


@pytest.mark.parametrize(
    "origin, overrides, message",
    [
        ("none", {}, "none.safetensors', which is neither a file nor a trained network"),
        ("folder", {}, "neither a file nor a trained network; expected a safetensors file or"),
        ("torn", {}, "torn.safetensors', which cannot be read as safetensors"),
        ("resnet", {"model__backbone_options__resnet50__stage_sizes": (2, 1)},
         r"resnet.safetensors does not fit backbone 'resnet50': layer1.1.\S+ is missing"),
        ("generalist", {}, "generalist does not fit backbone 'resnet50': .* and [0-9]+ more; give"),
        ("resnet", {"model__backbone": "small_conv"},
         "known only for the backbones resnet18, resnet50, convnext_tiny; give the directory"),
    ],
)
def test_weights_that_do_not_fit_are_named(files, data_directory, origin, overrides, message):
    config = of_resnet(data_directory, model__backbone_init_from=files[origin], **overrides)
    space = sources.load_label_space(config.data)
    model = networks.build_model(config.model, config.student, space, config.seed)
    with pytest.raises(UserError, match=message) as raised:
        backbone_weights.fingerprint(files[origin])
        backbone_weights.put(config.model, memory.network_shapes(config, model))
    assert "\n" not in str(raised.value)


def test_an_empty_name_has_no_fingerprint():
    assert backbone_weights.fingerprint("") == ""


def test_options_of_no_backbone_are_refused(data_directory, tmp_path):
    config = shipped.smoke(data_directory)
    config = other_model(config, backbone_options={"features": (8, 16)})
    with pytest.raises(UserError, match="backbone_options.features: there is no backbone"):
        runner.run_stages(config, Workdir(tmp_path), ["describe"])
