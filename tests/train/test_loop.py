import dataclasses
import functools

import numpy as np
import pytest

from kc_jax.train import loop


@dataclasses.dataclass(frozen=True)
class State:
    step: int = 0
    total: int = 0


def train_step(state, batch, learning_rate):
    assert learning_rate.dtype == np.float32
    return State(state.step + 1, state.total + batch), {"batch": batch, "rate": learning_rate}


fit = functools.partial(loop.fit, learning_rate=lambda step: 0.5**step)


def test_every_step_gets_its_batch():
    assert fit(State(), [1, 2, 4], train_step, num_steps=3) == State(3, 7)


def test_it_goes_on_at_the_states_step():
    assert fit(State(2, 10), [1, 2, 4], train_step, num_steps=4) == State(4, 13)


@pytest.mark.parametrize("step", [3, 5])
def test_a_finished_training_is_left_alone(step):
    assert fit(State(step), [], train_step, num_steps=3) == State(step)


def test_no_batch_is_drawn_beyond_the_last_step():
    batches = iter(range(10))
    fit(State(), batches, train_step, num_steps=3)
    assert next(batches) == 3


def test_hooks_see_every_step_in_order_and_the_rate_goes_by_the_steps_done():
    calls = []
    hooks = [lambda *call, name=name: calls.append((name, *call)) for name in "ab"]
    fit(State(1), [5, 6], train_step, num_steps=3, hooks=hooks)
    assert calls == [
        (name, step, State(step, total), {"batch": batch, "rate": 0.5 ** (step - 1)})
        for step, total, batch in ((2, 5, 5), (3, 11, 6))
        for name in "ab"
    ]


def test_too_few_batches():
    with pytest.raises(ValueError, match="the batches ended after step 3; 5 steps were asked for"):
        fit(State(1), [1, 2], train_step, num_steps=5)


def test_a_steps_own_errors_pass_through():
    def broken(state, batch, learning_rate):
        raise ValueError("broken")

    with pytest.raises(ValueError, match="^broken$"):
        fit(State(), [1], broken, num_steps=1)
