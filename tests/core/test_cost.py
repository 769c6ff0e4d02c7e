import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest
from jax import lax
from jax.sharding import AxisType, PartitionSpec

from kc_jax.core import cost


def f32(*shape):
    return jax.ShapeDtypeStruct(shape, jnp.float32)


def matrix_product(x, y):
    return x @ y


class Block(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(5, name="first")(x) + self.second(x)

    @nn.compact
    def second(self, x):
        return nn.Dense(5, name="second")(x)


class Step(nn.Module):
    @nn.compact
    def __call__(self, carry, _):
        return nn.Dense(4, name="dense")(carry), None


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.Dense(4, name="stem")(x)
        x = nn.LayerNorm(name="norm")(x)
        steps = nn.scan(Step, variable_axes={"params": 0}, split_rngs={"params": True}, length=3)
        x, _ = steps(name="steps")(x, None)
        return nn.remat(Block)(name="block")(x)


def apply_abstractly(model, *inputs):
    variables = jax.eval_shape(model.init, jax.random.key(0), *inputs)
    return cost.multiply_adds(model.apply, variables, *inputs), variables["params"]


def test_dense_layer():
    counts, params = apply_abstractly(nn.Dense(512), f32(1, 4096))
    assert counts == {"": 2_097_152}
    assert cost.parameters(params) == {"": 4096 * 512 + 512}


def test_batched_matrix_product():
    function = functools.partial(jnp.einsum, "bij,bjk->bik")
    assert cost.multiply_adds(function, f32(2, 3, 5), f32(2, 5, 7)) == {"": 2 * 3 * 5 * 7}


@pytest.mark.parametrize("groups, inputs_per_filter", [(1, 8), (4, 2), (8, 1)])
def test_convolution_with_groups(groups, inputs_per_filter):
    layer = nn.Conv(16, (3, 5), strides=2, feature_group_count=groups, use_bias=False)
    counts, params = apply_abstractly(layer, f32(2, 32, 32, 8))
    assert counts == {"": 2 * 16 * 16 * 16 * 3 * 5 * inputs_per_filter}
    assert cost.parameters(params) == {"": 3 * 5 * inputs_per_filter * 16}


def test_convolution_in_another_layout():
    def function(images, kernel):
        return lax.conv_general_dilated(images, kernel, (1, 1), "VALID")  # NCHW, OIHW

    assert cost.multiply_adds(function, f32(1, 3, 8, 8), f32(4, 3, 3, 3)) == {"": 6 * 6 * 4 * 27}


def test_scan_counts_its_length():
    def function(x):
        return lax.scan(lambda carry, _: (carry @ carry, None), x, None, length=10)[0]

    assert cost.multiply_adds(function, f32(4, 4)) == {"": 10 * 64}


def test_loop_with_constant_bounds_counts_like_a_scan():
    def function(x):
        return lax.fori_loop(0, 6, lambda _, y: y @ y, x)

    assert cost.multiply_adds(function, f32(4, 4)) == {"": 6 * 64}


def test_cond_counts_its_dearest_branch():
    def function(chosen, x):
        return lax.cond(chosen, lambda y: y @ y @ y, lambda y: y @ y, x)

    assert cost.multiply_adds(function, jax.ShapeDtypeStruct((), bool), f32(4, 4)) == {"": 128}


def test_while_loop_is_refused_only_with_multiply_adds():
    def function(body, x):
        return lax.while_loop(lambda y: y[0, 0] > 0, body, x)

    with pytest.raises(ValueError, match="while"):
        cost.multiply_adds(functools.partial(function, lambda y: y @ y), f32(4, 4))
    assert cost.multiply_adds(functools.partial(function, lambda y: -y), f32(4, 4)) == {}


def test_custom_derivatives_jit_and_remat_are_entered():
    custom_vjp = jax.custom_vjp(matrix_product)
    custom_vjp.defvjp(lambda x, y: (x @ y, None), lambda _, g: (g, g))
    custom_jvp = jax.custom_jvp(matrix_product)
    custom_jvp.defjvp(lambda primals, tangents: (matrix_product(*primals), tangents[0]))
    for function in (custom_vjp, custom_jvp, jax.jit(matrix_product), jax.remat(matrix_product)):
        assert cost.multiply_adds(function, f32(4, 4), f32(4, 4)) == {"": 64}


def test_gradient_of_a_matrix_product_costs_three():
    gradient = jax.value_and_grad(lambda x, y: jnp.sum(x @ y), argnums=(0, 1))
    assert sum(cost.multiply_adds(gradient, f32(4, 4), f32(4, 4)).values()) == 3 * 64


def test_shard_map_sums_over_the_devices():
    mesh = jax.sharding.AbstractMesh((4,), ("data",), axis_types=(AxisType.Auto,))
    rows = PartitionSpec("data")
    function = jax.shard_map(
        matrix_product, mesh=mesh, in_specs=(rows, PartitionSpec()), out_specs=rows
    )
    assert cost.multiply_adds(function, f32(8, 4), f32(4, 4)) == {"": 8 * 4 * 4}


def test_paths_are_those_of_the_parameter_tree():
    counts, params = apply_abstractly(Net(), f32(2, 4))
    assert counts == {
        "stem": 32, "steps/dense": 96, "block/first": 40, "block/second": 40
    }
    parameters = cost.parameters(params)
    assert parameters == {
        "stem": 20, "norm": 8, "steps/dense": 60, "block/first": 25, "block/second": 25
    }


def test_gradients_keep_the_paths():
    model = Net()
    variables = jax.eval_shape(model.init, jax.random.key(0), f32(2, 4))
    gradient = jax.grad(lambda variables, x: jnp.sum(model.apply(variables, x)))
    paths = set(cost.multiply_adds(gradient, variables, f32(2, 4)))
    assert paths == {"stem", "steps/dense", "block/first", "block/second"}


def test_root_is_left_off_only_where_it_is_shared():
    def two(x):
        with jax.named_scope("teacher"):
            x = x @ x
        with jax.named_scope("student"), jax.named_scope("stem"):
            return x @ x

    assert cost.multiply_adds(two, f32(4, 4)) == {"teacher": 64, "student/stem": 64}
    counts = cost.multiply_adds(two, f32(4, 4), root="student")
    assert counts == {"teacher": 64, "stem": 64}


def test_layer_table_merges_truncates_and_keeps_the_total():
    counts, params = apply_abstractly(Net(), f32(2, 4))
    parameters = cost.parameters(params)
    table = cost.layer_table(counts, parameters)
    assert [row["layer"] for row in table] == [
        "stem", "steps/dense", "block/first", "block/second", "norm"
    ]
    assert cost.layer_table(counts, parameters, depth=1) == [
        {"layer": "stem", "params": 20, "multiply_adds": 32},
        {"layer": "steps", "params": 60, "multiply_adds": 96},
        {"layer": "block", "params": 50, "multiply_adds": 80},
        {"layer": "norm", "params": 8, "multiply_adds": 0},
    ]
    total = {"layer": "", "params": 138, "multiply_adds": 208}
    assert cost.layer_table(counts, parameters, depth=0) == [total]


def test_layer_table_refuses_a_negative_depth():
    with pytest.raises(ValueError, match="depth"):
        cost.layer_table({}, {}, depth=-1)
