import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kc_jax.core import cost
from kc_jax.models.resnet import ResidualBlock, ResNet, ResNet18
from kc_jax.models.torch_names import NAMINGS
from kc_jax.train.torch_weights import from_torch
from tests.models import torch_tensors
from tests.models.abstract import abstract, images_of
from tests.reference import backbones as reference

TINY = ResNet(stage_sizes=(1, 2), width=8)
TENSORS = torch_tensors.random_tensors(torch_tensors.resnet((1, 2), 8))
BASIC = ResNet(stage_sizes=(1, 2), width=8, block="basic")
BASIC_TENSORS = torch_tensors.random_tensors(torch_tensors.resnet((1, 2), 8, "basic"))


def images(size=32, batch=2, channels=3):
    rng = np.random.default_rng(3)
    return rng.uniform(-1, 1, (batch, size, size, channels)).astype(np.float32)


def variables(model=TINY, tensors=TENSORS):
    return from_torch(NAMINGS["resnet50"], tensors, abstract(model, images_of(32))[1])


def count(tree):
    return sum(cost.parameters(tree).values())


@pytest.mark.parametrize("size", [32, 45])
@pytest.mark.parametrize("model, tensors, width", [(TINY, TENSORS, 64), (BASIC, BASIC_TENSORS, 16)])
def test_features_equal_the_reference(size, model, tensors, width):
    apply = jax.jit(functools.partial(model.apply, train=False))
    features = apply(variables(model, tensors), images(size))
    expected = reference.resnet(images(size), tensors, (1, 2))
    assert features.shape == (2, width) and expected.std() > 0.1
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-4)


def test_size_of_resnet_50():
    output, shapes = abstract(ResNet(), images_of(224))
    assert output.shape == (2, 2048) and output.dtype == jnp.float32
    assert count(shapes["params"]) == 23_508_032
    # Mean and variance of every normalized channel.
    named = torch_tensors.resnet((3, 4, 6, 3), 64)
    running = sum(shape[0] for name, shape in named.items() if "running" in name)
    assert count(shapes["batch_stats"]) == running == 53_120


def test_size_of_resnet_18():
    """With a classifier of 1,000 classes, the 11.69 million that torchvision states."""
    output, shapes = abstract(ResNet18(), images_of(224))
    assert output.shape == (2, 512) and output.dtype == jnp.float32
    assert count(shapes["params"]) + 512 * 1000 + 1000 == 11_689_512


def test_multiply_adds_of_resnet_50():
    """The sum, with a classifier of 1,000 classes, is the 4.089 billion that torchvision states."""
    picture = images_of(224, batch=1)
    _, shapes = abstract(ResNet(), picture)
    counts = cost.multiply_adds(functools.partial(ResNet().apply, train=False), shapes, picture)
    assert sum(counts.values()) + 2048 * 1000 == 4_089_184_256
    assert counts["stem/convolution"] == 112 * 112 * 64 * 3 * 49
    assert counts["stage_2/block_0/unit_2/convolution"] == 28 * 28 * 128 * 128 * 9


def test_batch_statistics_change_only_in_training_and_at_pytorchs_rate():
    before = variables()
    apply = jax.jit(functools.partial(TINY.apply, mutable=["batch_stats"]), static_argnames="train")
    _, kept = apply(before, images(), train=False)
    jax.tree.map(np.testing.assert_array_equal, kept["batch_stats"], before["batch_stats"])
    _, after = apply(before, images(), train=True)
    convolved = reference.convolve(
        reference.normalised(images()), TENSORS["conv1.weight"], stride=2, padding=3
    )
    stem = after["batch_stats"]["stem"]["batch_norm"]
    expected = 0.9 * TENSORS["bn1.running_mean"] + 0.1 * convolved.mean((0, 2, 3))
    np.testing.assert_allclose(stem["mean"], expected, rtol=1e-4, atol=1e-5)
    expected = 0.9 * TENSORS["bn1.running_var"] + 0.1 * convolved.var((0, 2, 3))
    np.testing.assert_allclose(stem["var"], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind, features", [("bottleneck", 2), ("basic", 8)])
def test_a_block_begins_as_its_shortcut(kind, features):
    block = ResidualBlock(kind, features, 1, projects=True, dtype=jnp.float32)
    inputs = np.random.default_rng(0).normal(size=(2, 3, 3, 8)).astype(np.float32)
    drawn = block.init(jax.random.key(0), inputs, train=False)
    outputs = block.apply(drawn, inputs, train=False)
    np.testing.assert_allclose(outputs, np.maximum(inputs, 0), atol=1e-6)
    # He's initialisation: a variance of 2 by the outputs of a place.
    kernel = np.asarray(drawn["params"]["unit_2"]["convolution"]["kernel"])
    assert kernel.std() == pytest.approx((2 / (features * 9)) ** 0.5, rel=0.4)


def test_grey_images_are_seen_in_all_colours():
    grey = images(channels=1)
    apply = jax.jit(functools.partial(TINY.apply, train=False))
    features, coloured = (apply(variables(), x) for x in (grey, np.repeat(grey, 3, axis=-1)))
    np.testing.assert_allclose(features, coloured, rtol=1e-5, atol=1e-5)


def test_low_precision_keeps_parameters_and_features_in_float32():
    model = ResNet((1, 2), 8, dtype=jnp.bfloat16)
    for train in (False, True):
        output, shapes = abstract(model, images_of(32), train)
        assert {leaf.dtype for leaf in jax.tree.leaves(shapes)} == {jnp.dtype("float32")}
        assert output.dtype == jnp.float32
    features = jax.jit(functools.partial(model.apply, train=False))(variables(), images())
    expected = reference.resnet(images(), TENSORS, (1, 2))
    np.testing.assert_allclose(features, expected, atol=0.05 * expected.std())


@pytest.mark.parametrize("sizes", [(), (3, 0)])
def test_stages_must_have_blocks(sizes):
    with pytest.raises(ValueError, match="stage_sizes must be positive"):
        ResNet(stage_sizes=sizes)


def test_unknown_blocks():
    with pytest.raises(ValueError, match="unknown block 'wide'; the choices are basic, bottleneck"):
        ResNet(block="wide")
