import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kc_jax.core import cost
from kc_jax.models.backbones import BACKBONES, SmallConvNet, make_backbone
from kc_jax.models.inception import InceptionV2


def abstract(model, size):
    init = functools.partial(model.init_with_output, train=False)
    images = jax.ShapeDtypeStruct((2, size, size, 3), jnp.float32)
    return jax.eval_shape(init, jax.random.key(0), images)


def test_small_conv_features_and_parameters():
    output, variables = abstract(SmallConvNet(), 32)
    assert output.shape == (2, 1536)
    assert set(variables) == {"params"}
    expected = 64 * 3 * 64 + 9 * 64 * 96 + 9 * 96 * 96 + 2 * (64 + 96 + 96)
    assert sum(cost.parameters(variables["params"]).values()) == expected


def test_small_conv_is_finite_and_depends_neither_on_train_nor_on_the_other_examples():
    model = SmallConvNet((8, 16))
    rng = np.random.default_rng(0)
    images = rng.normal(size=(3, 32, 32, 3)).astype(np.float32)
    variables = jax.tree.map(
        lambda leaf: rng.normal(size=leaf.shape).astype(np.float32), abstract(model, 32)[1]
    )
    apply = jax.jit(model.apply, static_argnames="train")
    features = apply(variables, images, train=True)
    assert features.shape == (3, 4 * 4 * 16)
    assert np.all(np.isfinite(features)) and np.ptp(features) > 0
    np.testing.assert_allclose(apply(variables, images, train=False), features, atol=1e-5)
    images[:2] = 0
    np.testing.assert_allclose(apply(variables, images, train=True)[2], features[2], atol=1e-5)


def test_small_conv_in_low_precision():
    output, variables = abstract(SmallConvNet(dtype=jnp.bfloat16), 32)
    assert output.dtype == jnp.float32
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}


@pytest.mark.parametrize("size, features", [(5, 96), (64, 8 * 8 * 96)])
def test_small_conv_at_other_image_sizes(size, features):
    assert abstract(SmallConvNet(), size)[0].shape == (2, features)


def test_small_conv_refuses_too_small_images():
    with pytest.raises(ValueError, match="1×1, smaller than the 2×2"):
        abstract(SmallConvNet(), 4)


@pytest.mark.parametrize("features", [(), (64, 90), (0,)])
def test_small_conv_refuses_widths_that_do_not_divide_into_groups(features):
    with pytest.raises(ValueError, match="multiples of 8"):
        SmallConvNet(features)


def test_make_backbone_passes_the_options_on():
    assert make_backbone("inception_v2", base="mixed_3c") == InceptionV2("mixed_3c")
    assert make_backbone("small_conv", features=[8, 16]) == SmallConvNet((8, 16))


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_every_backbone_shares_the_signature(name):
    output, _ = abstract(make_backbone(name, dtype=jnp.bfloat16), 96)
    assert output.ndim == 2 and output.dtype == jnp.float32


def test_unknown_names_and_options():
    with pytest.raises(ValueError, match="resnet50, small_conv; did you mean 'small_conv'"):
        make_backbone("small_cnov")
    with pytest.raises(ValueError, match="base, dtype, momentum; did you mean 'base'"):
        make_backbone("inception_v2", bases="mixed_3c")
    with pytest.raises(ValueError, match="dtype, features$"):
        make_backbone("small_conv", parent=None)
    with pytest.raises(ValueError, match="mixed_3c, mixed_5c"):
        make_backbone("inception_v2", base="mixed_3z")


@pytest.mark.parametrize("name, option, value", [
    ("small_conv", "features", ("wide",)), ("small_conv", "features", 8),
    ("resnet50", "width", 8.0), ("resnet50", "width", True), ("inception_v2", "base", 3),
    ("inception_v2", "momentum", "0.9"),
])
def test_options_of_another_kind(name, option, value):
    with pytest.raises(ValueError, match=f"option '{option}' of backbone '{name}' is .*; expected"):
        make_backbone(name, **{option: value})


def test_whole_numbers_serve_as_fractions():
    assert make_backbone("inception_v2", momentum=0) == InceptionV2(momentum=0)
