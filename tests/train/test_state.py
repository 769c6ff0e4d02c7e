import jax.numpy as jnp
import numpy as np
import optax
import pytest

from kc_jax.train.state import count, digest, make_state

VARIABLES = {
    "params": {"trunk": {"kernel": jnp.ones((2, 3)), "bias": jnp.zeros(3)}},
    "batch_stats": {"mean": jnp.zeros(4)},
}


def test_make_state_parts_the_variables():
    state = make_state(VARIABLES, optax.adagrad(0.1, initial_accumulator_value=0.5))
    assert state.step.dtype == jnp.int32 and int(state.step) == 0
    assert state.params is VARIABLES["params"]
    assert set(state.model_state) == {"batch_stats"}
    accumulators = state.opt_state[0].sum_of_squares["trunk"]["kernel"]
    np.testing.assert_array_equal(accumulators, np.full((2, 3), 0.5))


def test_variables_come_back_as_they_were():
    state = make_state(VARIABLES, optax.sgd(0.1))
    assert state.variables == VARIABLES
    assert set(VARIABLES) == {"params", "batch_stats"}


def test_count():
    assert count(VARIABLES["params"]) == 9
    assert count({}) == 0


BASE = {"a": np.zeros((2, 3), np.float32), "b": np.arange(4, dtype=np.int32)}


def test_digest_of_equal_trees():
    copy = {name: jnp.asarray(array) for name, array in reversed(BASE.items())}
    assert digest(copy) == digest(BASE)
    transposed = {"a": np.arange(6.0).reshape(2, 3), "b": np.arange(6.0).reshape(3, 2).T}
    contiguous = {name: np.array(array, order="C") for name, array in transposed.items()}
    assert digest(transposed) == digest(contiguous)


@pytest.mark.parametrize(
    "change",
    [
        {"a": np.zeros((3, 2), np.float32)},
        {"a": np.zeros((2, 3), np.int32)},
        {"a": np.full((2, 3), -0.0, np.float32)},
        {"b": np.array([0, 1, 3, 2], np.int32)},
        {"c": np.zeros(1, np.float32)},
    ],
)
def test_digest_of_different_trees(change):
    assert digest({**BASE, **change}) != digest(BASE)


def test_digest_knows_names():
    assert digest({"a": BASE["a"], "c": BASE["b"]}) != digest(BASE)
