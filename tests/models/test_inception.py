import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kc_jax.core import cost
from kc_jax.models import inception
from kc_jax.models.inception import InceptionBlock, InceptionV2


def images_of(size, batch=2):
    return jax.ShapeDtypeStruct((batch, size, size, 3), jnp.float32)


def abstract(model, images):
    init = functools.partial(model.init_with_output, train=False)
    return jax.eval_shape(init, jax.random.key(0), images)


def numbers(tree):
    """Fills a tree of shapes with numbers; Flax's initializers take seconds to compile."""
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda leaf: rng.uniform(-0.5, 0.5, leaf.shape).astype(leaf.dtype), tree)


def filled(shapes):
    ones = jax.tree.map(lambda leaf: np.ones(leaf.shape, leaf.dtype), shapes["batch_stats"])
    return {"params": numbers(shapes["params"]), "batch_stats": ones}


def count(tree):
    return sum(cost.parameters(tree).values())


def kernels_of_the_table(last):
    """The trunk's parameters, summed from the layer table without building the network."""
    depthwise = 7 * 7 * 3 * 8
    total = depthwise + 24 * 64 + 64 * 64 + 9 * 64 * 192
    betas = 64 + 64 + 192
    channels = 192
    for name, block in inception.MIXED_BLOCKS.items():
        out = block.projection or channels
        total += channels * block.projection
        betas += block.projection
        for branch in block.branches:
            previous, size = channels, 1
            for features in branch:
                total += size * previous * features
                betas += features
                previous, size = features, 9
            out += branch[-1]
        channels = out
        if name == last:
            break
    return total, betas, channels


@pytest.mark.parametrize("base, features, params", [
    ("mixed_5c", 9216, 10_153_336),
    ("mixed_3c", 256, 336_312),
])
def test_features_and_parameters(base, features, params):
    output, variables = abstract(InceptionV2(base), images_of(224))
    assert output.shape == (2, features)
    assert output.dtype == jnp.float32
    assert count(variables["params"]) == params
    kernels, betas, _ = kernels_of_the_table(inception.LAST_BLOCKS[base])
    assert kernels + betas == params
    assert count(variables["batch_stats"]) == 2 * betas


def test_size_agrees_with_tf_slim():
    # TF-Slim's own test counts 10,173,112 model variables: parameters and running statistics. Its
    # first convolution has a bias of 64 in place of a batch normalization (beta, mean, variance).
    _, variables = abstract(InceptionV2("mixed_5c"), images_of(224))
    statistics = count(variables["batch_stats"]) - 2 * 64
    assert count(variables["params"]) + statistics == 10_173_112


def test_block_output_channels_are_those_of_tf_slim():
    channels = [kernels_of_the_table(name)[2] for name in inception.MIXED_BLOCKS]
    assert channels == [256, 320, 576, 576, 576, 576, 576, 1024, 1024, 1024]


def test_multiply_adds():
    model = InceptionV2("mixed_5c")
    images = images_of(224, batch=1)
    _, variables = abstract(model, images)
    counts = cost.multiply_adds(functools.partial(model.apply, train=False), variables, images)
    assert sum(counts.values()) == 1_933_833_216
    assert counts["Mixed_3b/Branch_0/Conv2d_0a_1x1/convolution"] == 28 * 28 * 192 * 64
    assert counts["Conv2d_1a_7x7/depthwise"] == 112 * 112 * 24 * 49


@pytest.mark.parametrize("size, features", [(65, 1024), (160, 4 * 1024), (299, 16 * 1024)])
def test_other_image_sizes(size, features):
    output, _ = abstract(InceptionV2("mixed_5c"), images_of(size))
    assert output.shape == (2, features)


def test_too_small_images_are_refused():
    with pytest.raises(ValueError, match="2×2, smaller than the 3×3"):
        abstract(InceptionV2("mixed_5c"), images_of(64))


def test_unknown_base_names_the_choices():
    with pytest.raises(ValueError, match="mixed_3c, mixed_5c"):
        InceptionV2("mixed_4e")


def test_low_precision_keeps_parameters_and_features_in_float32():
    model = InceptionV2("mixed_5c", dtype=jnp.bfloat16)
    for train in (False, True):
        init = functools.partial(model.init_with_output, train=train)
        output, variables = jax.eval_shape(init, jax.random.key(0), images_of(96))
        assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
        assert output.dtype == jnp.float32


def test_batch_statistics_change_only_in_training():
    model = InceptionV2("mixed_3c", momentum=0.9)
    images = numbers(images_of(16, batch=4))
    _, shapes = abstract(model, images)
    variables = filled(shapes)

    @functools.partial(jax.jit, static_argnames="train")
    def run(variables, images, train):
        return model.apply(variables, images, train, mutable=["batch_stats"])

    evaluated, kept = run(variables, images, train=False)
    trained, updated = run(variables, images, train=True)
    before = variables["batch_stats"]
    jax.tree.map(np.testing.assert_array_equal, kept["batch_stats"], before)
    after = jax.device_get(updated["batch_stats"])
    changed = jax.tree.map(lambda old, new: np.any(old != new), before, after)
    assert all(jax.tree.leaves(changed))
    assert np.all(np.isfinite(evaluated)) and np.all(np.isfinite(trained))
    variance = after["Conv2d_2b_1x1"]["batch_norm"]["var"]
    assert np.all(variance > 0.9 - 1e-6)  # 0.9 · 1 + 0.1 · variance of the batch


def test_reduction_block_ends_with_the_pooled_input():
    block = InceptionBlock(inception.Mixed(((4, 6), (2, 3, 5)), "max", 0, 2))
    images = np.random.default_rng(0).normal(size=(2, 6, 6, 3)).astype(np.float32)
    _, shapes = abstract(block, images)
    variables = filled(shapes)
    output = np.asarray(jax.jit(block.apply, static_argnums=2)(variables, images, False))
    assert output.shape == (2, 3, 3, 6 + 5 + 3)
    assert set(variables["params"]) == {"Branch_0", "Branch_1"}
    padded = np.pad(images, ((0, 0), (0, 1), (0, 1), (0, 0)), constant_values=-np.inf)
    for row in range(3):
        for column in range(3):
            window = padded[:, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
            np.testing.assert_array_equal(output[:, row, column, -3:], window.max(axis=(1, 2)))


@pytest.mark.parametrize("dtype, tolerance", [(jnp.float32, 1e-6), (jnp.bfloat16, 2e-2)])
def test_mean_pool_leaves_out_the_padding(dtype, tolerance):
    images = np.random.default_rng(0).normal(size=(2, 5, 4, 3)).astype(np.float32)
    output = inception.mean_pool(jnp.asarray(images, dtype), 3, 1, "SAME")
    assert output.dtype == dtype
    output = np.asarray(output.astype(jnp.float32))
    for row in range(5):
        for column in range(4):
            window = images[:, max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
            mean = window.mean(axis=(1, 2))
            np.testing.assert_allclose(output[:, row, column], mean, atol=tolerance)


def test_mean_pool_has_a_gradient():
    gradient = jax.grad(lambda images: jnp.sum(inception.mean_pool(images, 3, 2, "VALID")))(
        jnp.ones((1, 5, 5, 1))
    )
    np.testing.assert_allclose(gradient[0, 2, 2, 0], 4 / 9, rtol=1e-6)  # in all four windows
