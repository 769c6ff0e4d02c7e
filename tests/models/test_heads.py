import copy
import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kc_jax.core import cost
from kc_jax.core.head_spec import HeadSpec
from kc_jax.models.heads import Bottleneck, Logits, Pace, StructuredDense, Trunk
from tests.models.random_variables import random_variables
from tests.reference import heads as reference
from tests.reference import self_paced as reference_pace

SIZES = (3, 5, 2)
FEATURES = 7
# By the letters of Figure 3, and without top layers.
KINDS = {"a": "FC6-FC4", "b": "FC6-SC4", "c": "SC6-SC4", "d": "FC6-SC(4,1)", "linear": "linear"}
EVERY_KIND = pytest.mark.parametrize("kind", KINDS)
STRUCTURED = pytest.mark.parametrize("kind", ["b", "c", "d"])


class Head(nn.Module):
    spec: HeadSpec
    dtype: jnp.dtype = jnp.float32
    kernel_stddev: float = 1.0

    @nn.compact
    def __call__(self, features):
        trunk = Trunk(self.spec, len(SIZES), self.dtype, name="trunk")(features)
        bottleneck = Bottleneck(self.spec, len(SIZES), self.dtype, name="bottleneck")(trunk)
        return Logits(SIZES, self.kernel_stddev, 0.1, self.dtype, name="logits")(bottleneck)


def features(seed=0):
    return np.random.default_rng(seed).normal(size=(4, FEATURES)).astype(np.float32)


def make(kind, **options):
    head = Head(HeadSpec.parse(KINDS.get(kind, kind)), **options)
    return head, random_variables(head, features())["params"]


@functools.partial(jax.jit, static_argnums=0)
def apply(head, params):
    return head.apply({"params": params}, features())


@functools.partial(jax.jit, static_argnums=0)
def gradients(head, params):
    """Gives the gradient of each vertical's summed logits, verticals first."""
    def sums(params):
        return jnp.stack([jnp.sum(x) for x in head.apply({"params": params}, features())])

    return jax.jacrev(sums)(params)


@pytest.mark.parametrize("kind", [*KINDS, "FC6-SC(4,4)"])
def test_logits_equal_the_reference(kind):
    head, params = make(kind)
    logits = apply(head, params)
    assert [x.shape for x in logits] == [(4, size) for size in SIZES]
    for given, expected in zip(
        logits, reference.logits(features(), params, len(SIZES)), strict=True
    ):
        np.testing.assert_allclose(given, expected, rtol=1e-5, atol=1e-5)


@EVERY_KIND
def test_the_reference_takes_part_of_every_layer(kind):
    _, params = make(kind)
    before = reference.logits(features(), params, len(SIZES))
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        changed = jax.tree_util.tree_map_with_path(
            lambda p, x, path=path, leaf=leaf: leaf + 1.0 if p == path else x, params
        )
        after = reference.logits(features(), changed, len(SIZES))
        assert any(np.any(a != b) for a, b in zip(before, after, strict=True)), path


@EVERY_KIND
def test_kernel_parameters_follow_the_papers_formulas(kind):
    _, params = make(kind)
    leaves = jax.tree_util.tree_leaves_with_path(params)
    kernels = sum(leaf.size for path, leaf in leaves if path[-1].key == "kernel")
    biases = sum(leaf.size for path, leaf in leaves if path[-1].key == "bias")
    assert kernels == reference.kernel_parameters(
        kind, s1=6, s2=4, sg=1, num_classes=10, num_verticals=3, features=FEATURES
    )
    assert biases == 10 + {
        "a": 4 + 6, "b": 3 * 4 + 6, "c": 3 * 4 + 3 * 6, "d": 3 * 3 + 1 + 6, "linear": 0,
    }[kind]
    assert kernels + biases == sum(cost.parameters(params).values())


@STRUCTURED
@pytest.mark.parametrize("vertical", range(3))
def test_a_structured_bottleneck_moves_its_vertical_alone(kind, vertical):
    head, params = make(kind)
    changed = copy.deepcopy(params)
    changed["bottleneck"]["individual"]["kernel"][vertical] *= 1.5
    before, after = apply(head, params), apply(head, changed)
    moved = [bool(np.any(a != b)) for a, b in zip(before, after, strict=True)]
    assert moved == [v == vertical for v in range(3)]


@STRUCTURED
def test_gradients_by_other_verticals_parameters_are_zero(kind):
    slopes = gradients(*make(kind))
    kernels = [slopes["logits"][f"vertical_{v}"]["kernel"] for v in range(3)]
    structured = [slopes[part]["individual"] for part in ("trunk", "bottleneck")[kind != "c":]]
    for vertical in range(3):
        own = [kernel[vertical] for kernel in kernels]
        arrays = [layer[leaf][vertical] for layer in structured for leaf in ("kernel", "bias")]
        for array in [own, *arrays]:
            assert [bool(np.any(part != 0)) for part in array] == [v == vertical for v in range(3)]


def test_a_shared_bottleneck_moves_every_vertical():
    head, params = make("a")
    changed = copy.deepcopy(params)
    changed["bottleneck"]["shared"]["kernel"] *= 1.5
    before, after = apply(head, params), apply(head, changed)
    assert all(np.any(a != b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("structured", [False, True])
def test_zero_kernels_start_at_the_prior(structured):
    inputs = np.ones((4, 3, 6) if structured else (4, 6), np.float32)
    logits, _ = Logits(SIZES, 0.0, 0.1).init_with_output(jax.random.key(0), inputs)
    for x in logits:
        np.testing.assert_allclose(x, np.full(x.shape, reference.prior_log_odds(0.1)), rtol=1e-6)


def test_kernels_start_with_the_wished_deviation():
    logits = Logits((400,), kernel_stddev=0.5, prior=0.1)
    params = jax.jit(logits.init)(jax.random.key(0), jnp.zeros((1, 100)))["params"]
    np.testing.assert_allclose(np.std(params["vertical_0"]["kernel"]), 0.5 / 10, rtol=0.05)


@pytest.mark.parametrize("shared", [True, False])
def test_structured_layers_start_like_a_layer_of_one_vertical(shared):
    inputs = jnp.zeros((1, 50) if shared else (1, 40, 50))
    params = StructuredDense(40, 60).init(jax.random.key(0), inputs)["params"]
    assert params["kernel"].shape == (40, 60, 50)
    np.testing.assert_allclose(np.std(params["kernel"]), np.sqrt(2 / 50), rtol=0.02)
    np.testing.assert_array_equal(params["bias"], np.zeros((40, 60)))


@EVERY_KIND
def test_low_precision_keeps_parameters_and_logits(kind):
    head, params = make(kind, dtype=jnp.bfloat16)
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}
    low = np.concatenate(apply(head, params), axis=1)
    full = np.concatenate(apply(make(kind)[0], params), axis=1)
    assert low.dtype == np.float32
    difference = np.max(np.abs(low - full)) / np.max(np.abs(full))
    assert 0 < difference < 4 * 2**-8  # Three layers, each rounded to 8 bits.


@pytest.mark.parametrize("level", ["vertical", "class"])
def test_pace_normalises_every_vertical_by_itself(level):
    rng = np.random.default_rng(2)
    logits = [rng.normal(size=(4, size)).astype(np.float32) for size in SIZES]
    pace = Pace(SIZES, level=level, initial="sqrt_size", scale=2.0, deviation=0.1)
    paced, variables = pace.init_with_output(jax.random.key(0), logits)
    gamma = np.asarray(variables["params"]["gamma"])
    assert gamma.shape == ((3,) if level == "vertical" else (10,))
    factors = gamma if level == "vertical" else np.split(gamma, [3, 8])
    for given, x, factor in zip(paced, logits, factors, strict=True):
        np.testing.assert_allclose(given, reference_pace.pace_logits(x, factor), rtol=1e-5)


def test_pace_starts_by_its_seed():
    def gamma(seed):
        pace = Pace(SIZES, level="class", initial="constant", scale=1.0, deviation=0.1, seed=seed)
        logits = [jnp.ones((1, size)) for size in SIZES]
        return pace.init(jax.random.key(seed), logits)["params"]["gamma"]

    np.testing.assert_array_equal(gamma(1), gamma(1))
    assert not np.any(gamma(1) == gamma(2))
