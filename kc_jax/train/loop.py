"""The training loop: it knows iterators and callables, not papers."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from kc_jax.train.state import TrainState

Hook = Callable[[int, TrainState, dict], None]


def fit(
    state: TrainState,
    batches: Iterable,
    train_step: Callable,
    *,
    learning_rate: Callable[[int], float],
    num_steps: int,
    hooks: Sequence[Hook] = (),
) -> TrainState:
    """Trains until ``num_steps`` steps are done.

    Args:
      state: from which to go on; its step says how many were done.
      batches: the first is that of the next step.
      train_step: (state, batch, learning rate) → (state, metrics).
      learning_rate: by the number of steps done.
      num_steps: of the whole training.
      hooks: called after each step with the steps done, the state and the metrics.

    Returns:
      The state after the last step.

    Raises:
      ValueError: there are fewer batches than steps.
    """
    batches = iter(batches)
    for step in range(int(state.step), num_steps):
        try:
            batch = next(batches)
        except StopIteration:
            raise ValueError(
                f"the batches ended after step {step}; {num_steps} steps were asked for"
            ) from None
        state, metrics = train_step(state, batch, np.float32(learning_rate(step)))
        for hook in hooks:
            hook(step + 1, state, metrics)
    return state
