import jax
import ml_dtypes
import numpy as np
import pytest

from kc_jax.models.convnext import ConvNeXt
from kc_jax.models.resnet import ResNet, ResNet18
from kc_jax.models.torch_names import NAMINGS
from kc_jax.train.shapes import MisfitError
from kc_jax.train.torch_weights import from_torch
from tests.models import torch_tensors
from tests.models.abstract import abstract, images_of

RESNET = torch_tensors.random_tensors(torch_tensors.resnet((1, 2), 8))
CONVNEXT = torch_tensors.random_tensors(torch_tensors.convnext((1, 2), (8, 16)))
LIKE_RESNET = abstract(ResNet((1, 2), 8), images_of(32))[1]
LIKE_CONVNEXT = abstract(ConvNeXt((1, 2), (8, 16)), images_of(32))[1]


def resnet(tensors):
    return from_torch(NAMINGS["resnet50"], tensors, LIKE_RESNET)


def convnext(tensors):
    return from_torch(NAMINGS["convnext_tiny"], tensors, LIKE_CONVNEXT)


def without(tensors, *names):
    return {name: tensor for name, tensor in tensors.items() if name not in names}


def hollow(shapes):
    """Makes tensors that take no memory."""
    return {name: np.broadcast_to(np.float32(0), shape) for name, shape in shapes.items()}


WHOLE_RESNET = hollow(torch_tensors.resnet((3, 4, 6, 3), 64))
WHOLE_RESNET_18 = hollow(torch_tensors.resnet((2, 2, 2, 2), 64, "basic"))
WHOLE_CONVNEXT = hollow(torch_tensors.convnext((3, 3, 9, 3), (96, 192, 384, 768)))


@pytest.mark.parametrize(
    "name, model, tensors",
    [
        ("resnet18", ResNet18(), WHOLE_RESNET_18),
        ("resnet50", ResNet(), WHOLE_RESNET),
        ("convnext_tiny", ConvNeXt(), WHOLE_CONVNEXT),
        ("convnext_tiny", ConvNeXt(), torch_tensors.as_torchvision(WHOLE_CONVNEXT)),
    ],
)
def test_every_tensor_of_a_whole_network_has_a_place(name, model, tensors):
    like = abstract(model, images_of(32))[1]
    found = from_torch(NAMINGS[name], tensors, like)
    assert jax.tree.map(np.shape, found) == jax.tree.map(lambda x: x.shape, like)


def test_kernels_are_turned():
    variables = resnet(RESNET)
    params, statistics = variables["params"]["stage_2"], variables["batch_stats"]["stage_2"]
    name, unit = "layer2.1", params["block_1"]["unit_2"]
    kernel = RESNET[f"{name}.conv2.weight"]
    assert unit["convolution"]["kernel"][2, 1, 4, 3] == kernel[3, 4, 2, 1]
    np.testing.assert_array_equal(unit["batch_norm"]["scale"], RESNET[f"{name}.bn2.weight"])
    unit = statistics["block_1"]["unit_2"]["batch_norm"]
    np.testing.assert_array_equal(unit["mean"], RESNET[f"{name}.bn2.running_mean"])
    np.testing.assert_array_equal(unit["var"], RESNET[f"{name}.bn2.running_var"])
    block = convnext(CONVNEXT)["params"]["stage_1"]["block_0"]
    np.testing.assert_array_equal(
        block["expand"]["kernel"], CONVNEXT["stages.1.blocks.0.mlp.fc1.weight"].T
    )


def test_classifiers_are_not_needed():
    bare = without(RESNET, "fc.weight", "fc.bias")
    jax.tree.map(np.testing.assert_array_equal, resnet(bare), resnet(RESNET))
    bare = without(CONVNEXT, "head.fc.weight", "head.fc.bias")
    jax.tree.map(np.testing.assert_array_equal, convnext(bare), convnext(CONVNEXT))


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_precision_becomes_float32(dtype):
    halves = {name: tensor.astype(dtype) for name, tensor in RESNET.items()}
    variables = resnet(halves)
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {np.dtype("float32")}
    kernel = variables["params"]["stem"]["convolution"]["kernel"]
    np.testing.assert_allclose(kernel, RESNET["conv1.weight"].transpose(2, 3, 1, 0), rtol=1e-2)


@pytest.mark.parametrize(
    "load, tensors, message",
    [
        (resnet, without(RESNET, "layer2.1.bn3.bias"), "^layer2.1.bn3.bias is missing$"),
        (resnet, {**RESNET, "layer9.0.conv1.weight": np.zeros(3)},
         "^layer9.0.conv1.weight is not expected$"),
        (resnet, {**RESNET, "conv1.weight": np.zeros((8, 3, 3, 3))},
         r"^conv1.weight has shape \(8, 3, 3, 3\), expected \(8, 3, 7, 7\)$"),
        (convnext, {**CONVNEXT, "stages.0.blocks.0.mlp.fc1.weight": np.zeros((8, 32))},
         r"fc1.weight has shape \(8, 32\), expected \(32, 8\)$"),
        (convnext, without(torch_tensors.as_torchvision(CONVNEXT), "features.1.0.layer_scale"),
         "^features.1.0.layer_scale is missing$"),
        (convnext, without(torch_tensors.as_torchvision(CONVNEXT), "classifier.0.weight"),
         "^classifier.0.weight is missing$"),
        (resnet, CONVNEXT, "is missing; .*is missing; .* and [0-9]+ more$"),
    ],
)
def test_what_does_not_fit_is_named(load, tensors, message):
    with pytest.raises(MisfitError, match=message):
        load(tensors)
