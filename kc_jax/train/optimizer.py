"""The optax transform that a config describes."""

import dataclasses
import math
from collections.abc import Callable

import jax
import optax

from kc_jax import config as config_lib


def make_schedule(options: config_lib.Optimizer, num_steps: int) -> Callable[[int], float]:
    """Makes the learning rate by step: a linear warm-up, then the decay to 0.

    It computes on the host: an optax schedule would put a value on the device each step, and
    reading that would wait for the steps before it.

    Args:
      options: rate, schedule and warm-up share.
      num_steps: of the whole training.

    Returns:
      A function of the number of steps done.
    """
    warmup_steps = round(options.warmup * num_steps)
    rest = max(num_steps - warmup_steps, 1)
    decay = {
        "constant": lambda share: 1.0,
        "linear": lambda share: 1.0 - share,
        "cosine": lambda share: 0.5 * (1.0 + math.cos(math.pi * share)),
    }[options.schedule]

    def schedule(step: int) -> float:
        if step < warmup_steps:
            return options.learning_rate * step / warmup_steps
        return options.learning_rate * decay(min((step - warmup_steps) / rest, 1.0))

    return schedule


def make_optimizer(options: config_lib.Optimizer) -> optax.GradientTransformationExtraArgs:
    """Makes Adagrad with a multiplier for each part of the network.

    The learning rate is an argument of its `update`, so that trainings which differ in nothing but
    their length share one compiled step.

    Args:
      options: of the optimiser.

    Returns:
      The transform of a parameter tree whose first level is the network's parts.
    """
    adagrad = optax.adagrad(1.0, initial_accumulator_value=options.initial_accumulator)
    return optax.chain(
        adagrad, scale_by_part(dataclasses.asdict(options.multipliers)), scale_by_argument()
    )


def scale_by_argument() -> optax.GradientTransformationExtraArgs:
    """Multiplies updates by the argument ``learning_rate`` of `update`, f32[]."""

    def update(updates, state, params=None, *, learning_rate, **_):
        del params
        return jax.tree.map(lambda u: u * learning_rate, updates), state

    return optax.GradientTransformationExtraArgs(lambda _: optax.EmptyState(), update)


def scale_by_part(multipliers: dict[str, float]) -> optax.GradientTransformation:
    """Multiplies the updates of each part of the network by that part's number.

    Args:
      multipliers: by the name of the part, the first level of the parameter tree.
    """

    def scale(updates, params=None):
        del params
        return {
            part: tree
            if multipliers[part] == 1.0
            else jax.tree.map(lambda u, m=multipliers[part]: u * m, tree)
            for part, tree in updates.items()
        }

    return optax.stateless(scale)
