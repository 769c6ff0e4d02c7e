import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kc_jax.core import cost
from kc_jax.models.densenet import DenseNet
from kc_jax.models.inception import ImageSizeError
from kc_jax.train.torch_weights import from_torch
from tests.models import learning, torch_tensors
from tests.models.abstract import abstract, images_of
from tests.reference import backbones as reference

SMALL = DenseNet(16, 4)
TENSORS = torch_tensors.random_tensors(torch_tensors.densenet(16, 4))
SAME_NAMES = ()


def images(size=16):
    rng = np.random.default_rng(3)
    return rng.uniform(-1, 1, (4, size, size, 3)).astype(np.float32)


def variables():
    return from_torch([SAME_NAMES], TENSORS, abstract(SMALL, images_of(32))[1])


@pytest.mark.parametrize("size", [16, 19])
def test_features_equal_the_reference(size):
    features = jax.jit(functools.partial(SMALL.apply, train=False))(variables(), images(size))
    expected = reference.densenet(images(size), TENSORS, 16)
    # A stem of 8, then three blocks of two layers each, halved between them.
    assert features.shape == (4, ((8 + 8) // 2 + 8) // 2 + 8) and expected.std() > 0.1
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "depth, growth, features, millions", [(100, 12, 342, "0.77"), (190, 40, 2190, "25.62")]
)
def test_parameters_agree_with_table_2_of_huang(depth, growth, features, millions):
    """Huang et al. (2017) state 0.8 and 25.6 millions, with a classifier of 10 classes."""
    output, shapes = abstract(DenseNet(depth, growth), images_of(32))
    assert output.shape == (2, features) and output.dtype == jnp.float32
    parameters = sum(cost.parameters(shapes["params"]).values()) + 10 * features + 10
    assert f"{parameters / 1e6:.2f}" == millions


def test_every_parameter_learns_and_batch_statistics_move():
    learning.check_every_parameter_learns(SMALL, variables(), images())


def test_low_precision_keeps_parameters_and_features_in_float32():
    expected = reference.densenet(images(), TENSORS, 16)
    learning.check_low_precision(DenseNet(16, 4, jnp.bfloat16), variables(), images(), expected)


@pytest.mark.parametrize("depth", [4, 99, 101, -2])
def test_the_depth_must_fit(depth):
    with pytest.raises(ValueError, match=rf"depth must be 6·n \+ 4, as 40.*190 are: {depth}$"):
        DenseNet(depth)


def test_the_growth_must_be_positive():
    with pytest.raises(ValueError, match="growth must be positive: 0"):
        DenseNet(growth=0)


def test_small_images_are_refused():
    with pytest.raises(ImageSizeError, match="images are 3×3; 3 blocks need at least 4 pixels"):
        abstract(SMALL, images_of(3))
