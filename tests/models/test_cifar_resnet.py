import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kc_jax.core import cost
from kc_jax.models.cifar_resnet import CifarResNet
from kc_jax.models.torch_names import RESNET
from kc_jax.train.torch_weights import from_torch
from tests.models import learning, torch_tensors
from tests.models.abstract import abstract, images_of
from tests.reference import backbones as reference

SMALL = CifarResNet(14)
TENSORS = torch_tensors.random_tensors(torch_tensors.cifar_resnet(14))


def images(size=16, seed=3):
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, (4, size, size, 3)).astype(np.float32)


def variables():
    return from_torch((RESNET,), TENSORS, abstract(SMALL, images_of(32))[1])


@pytest.mark.parametrize("size", [16, 19])
def test_features_equal_the_reference(size):
    features = jax.jit(functools.partial(SMALL.apply, train=False))(variables(), images(size))
    expected = reference.cifar_resnet(images(size), TENSORS, 14)
    assert features.shape == (4, 64) and expected.std() > 0.1
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "depth, millions",
    [(20, "0.27"), (32, "0.46"), (44, "0.66"), (56, "0.85"), (110, "1.73")],
)
def test_parameters_agree_with_table_6_of_he(depth, millions):
    """He et al. (2016) round 1.73 to 1.7."""
    output, shapes = abstract(CifarResNet(depth), images_of(32))
    assert output.shape == (2, 64) and output.dtype == jnp.float32
    classifier = 64 * 10 + 10
    parameters = sum(cost.parameters(shapes["params"]).values()) + classifier
    assert f"{parameters / 1e6:.2f}" == millions


@pytest.mark.parametrize("depth", [20, 74, 92])
def test_parameters_are_those_of_the_tensors(depth):
    _, shapes = abstract(CifarResNet(depth), images_of(32))
    tensors = torch_tensors.cifar_resnet(depth)
    layers = {name: shape for name, shape in tensors.items() if not name.startswith("fc.")}
    learned = sum(
        int(np.prod(shape)) for name, shape in layers.items()
        if name.endswith(("weight", "bias"))
    )
    assert sum(cost.parameters(shapes["params"]).values()) == learned


def test_shortcuts_that_change_sizes_have_no_parameters():
    params = abstract(SMALL, images_of(32))[1]["params"]
    assert set(params["stage_2"]["block_0"]) == {"unit_1", "unit_2"}


def test_every_parameter_learns_and_batch_statistics_move():
    learning.check_every_parameter_learns(SMALL, variables(), images())


def test_low_precision_keeps_parameters_and_features_in_float32():
    expected = reference.cifar_resnet(images(), TENSORS, 14)
    learning.check_low_precision(CifarResNet(14, jnp.bfloat16), variables(), images(), expected)


@pytest.mark.parametrize("depth", [2, 18, 51, 101, -4])
def test_the_depth_must_fit(depth):
    with pytest.raises(ValueError, match=rf"depth must be 6·n \+ 2, as 20.*110 are: {depth}$"):
        CifarResNet(depth)
