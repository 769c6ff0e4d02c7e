import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kc_jax.core import cost
from kc_jax.models.convnext import Block, ConvNeXt
from kc_jax.models.inception import ImageSizeError
from kc_jax.models.torch_names import NAMINGS
from kc_jax.train.torch_weights import from_torch
from tests.models import torch_tensors
from tests.models.abstract import abstract, images_of
from tests.reference import backbones as reference

TINY = ConvNeXt(stage_sizes=(1, 2), widths=(8, 16))
TENSORS = torch_tensors.random_tensors(torch_tensors.convnext((1, 2), (8, 16)))


def images(size=32):
    return np.random.default_rng(3).uniform(-1, 1, (2, size, size, 3)).astype(np.float32)


def variables(tensors=TENSORS):
    return from_torch(NAMINGS["convnext_tiny"], tensors, abstract(TINY, images_of(32))[1])


def apply(model, size=32):
    return jax.jit(functools.partial(model.apply, train=False))(variables(), images(size))


@pytest.mark.parametrize("size", [32, 45])
def test_features_equal_the_reference(size):
    expected = reference.convnext(images(size), TENSORS, (1, 2))
    assert expected.shape == (2, 16) and expected.std() > 0.5
    np.testing.assert_allclose(apply(TINY, size), expected, rtol=1e-4, atol=1e-4)


def test_torchvisions_names_give_the_same_variables():
    renamed = variables(torch_tensors.as_torchvision(TENSORS))
    jax.tree.map(np.testing.assert_array_equal, renamed, variables())


def test_size_of_convnext_t():
    output, shapes = abstract(ConvNeXt(), images_of(224))
    assert output.shape == (2, 768) and output.dtype == jnp.float32
    assert set(shapes) == {"params"}
    assert sum(cost.parameters(shapes["params"]).values()) == 27_820_128


def test_multiply_adds_of_convnext_t():
    """The sum, with a classifier of 1,000 classes, is the 4.456 billion that torchvision states."""
    picture = images_of(224, batch=1)
    _, shapes = abstract(ConvNeXt(), picture)
    counts = cost.multiply_adds(functools.partial(ConvNeXt().apply, train=False), shapes, picture)
    total, side = 56 * 56 * 96 * 3 * 16, 56
    for stage, (size, width) in enumerate(zip((3, 3, 9, 3), (96, 192, 384, 768), strict=True)):
        if stage:
            side //= 2
            total += side * side * width * (width // 2) * 4
        total += size * side * side * width * (49 + 8 * width)
    assert sum(counts.values()) == total
    assert total + 768 * 1000 == 4_455_531_264
    assert counts["stage_0/block_0/depthwise"] == 56 * 56 * 96 * 49
    assert counts["stage_0/block_0/expand"] == 56 * 56 * 96 * 384


def test_a_block_begins_near_its_shortcut():
    inputs = np.random.default_rng(0).normal(size=(1, 3, 3, 8)).astype(np.float32)
    params = Block(jnp.float32).init(jax.random.key(0), inputs)["params"]
    np.testing.assert_allclose(params["layer_scale"], np.full(8, 1e-6), rtol=1e-6)
    kernel = np.asarray(params["expand"]["kernel"])
    assert kernel.std() == pytest.approx(0.02, rel=0.15) and np.abs(kernel).max() < 0.06


def test_low_precision_keeps_parameters_and_features_in_float32():
    model = ConvNeXt((1, 2), (8, 16), dtype=jnp.bfloat16)
    output, shapes = abstract(model, images_of(32), train=True)
    assert {leaf.dtype for leaf in jax.tree.leaves(shapes)} == {jnp.dtype("float32")}
    assert output.dtype == jnp.float32
    expected = reference.convnext(images(), TENSORS, (1, 2))
    np.testing.assert_allclose(apply(model), expected, atol=0.1 * expected.std())


def test_too_small_images_are_refused():
    with pytest.raises(ImageSizeError, match="images are 31×31; 4 stages need at least 32 pixels"):
        abstract(ConvNeXt(), images_of(31))
    assert abstract(ConvNeXt(), images_of(32))[0].shape == (2, 768)


@pytest.mark.parametrize("sizes, widths", [((), ()), ((1, 2), (8,)), ((1, 0), (8, 16))])
def test_stages_and_widths_must_agree(sizes, widths):
    with pytest.raises(ValueError, match="equally many positive numbers"):
        ConvNeXt(sizes, widths)
