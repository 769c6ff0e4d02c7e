"""The optax transform that a config describes."""

import bisect
import dataclasses
import math
from collections.abc import Callable

import jax
import optax

from kc_jax import config as config_lib


def make_schedule(options: config_lib.Optimizer, num_steps: int) -> Callable[[int], float]:
    """Makes the learning rate by step: a linear warm-up, then the decay.

    It computes on the host: an optax schedule would put a value on the device each step, and
    reading that would wait for the steps before it.

    Args:
      options: rate, schedule, warm-up share and milestones.
      num_steps: of the whole training.

    Returns:
      A function of the number of steps done.
    """
    warmup_steps = round(options.warmup * num_steps)
    rest = max(num_steps - warmup_steps, 1)

    def share(step: int) -> float:
        return min((step - warmup_steps) / rest, 1.0)

    decay = {
        "constant": lambda step: 1.0,
        "linear": lambda step: 1.0 - share(step),
        "cosine": lambda step: 0.5 * (1.0 + math.cos(math.pi * share(step))),
        "steps": lambda step: 10.0 ** -bisect.bisect(options.milestones, step / num_steps),
    }[options.schedule]

    def schedule(step: int) -> float:
        if step < warmup_steps:
            return options.learning_rate * step / warmup_steps
        return options.learning_rate * decay(step)

    return schedule


def make_optimizer(options: config_lib.Optimizer) -> optax.GradientTransformationExtraArgs:
    r"""Makes Adagrad, or SGD with momentum, with a multiplier for each part of the network.

    The learning rate is an argument of its `update`, so that trainings which differ in nothing but
    their length share one compiled step. Momentum adds up gradients, not steps, so a change of the
    rate counts at once:

    .. math::

       g = \nabla L + \lambda p, \quad v \leftarrow \mu v + g, \quad
       p \leftarrow p - \eta (g + \mu v)

    Args:
      options: of the optimiser.

    Returns:
      The transform of a parameter tree whose first level is the network's parts.
    """
    moves = {
        "adagrad": lambda: optax.adagrad(
            1.0, initial_accumulator_value=options.initial_accumulator
        ),
        "sgd": lambda: optax.sgd(1.0, momentum=options.momentum, nesterov=True),
    }[options.kind]()
    clip = [optax.clip_by_global_norm(options.clip_norm)] if options.clip_norm else []
    decay = [optax.add_decayed_weights(options.weight_decay)] if options.weight_decay else []
    return optax.chain(
        *clip, *decay, moves,
        scale_by_part(dataclasses.asdict(options.multipliers)), scale_by_argument(),
    )


def scale_by_argument() -> optax.GradientTransformationExtraArgs:
    """Multiplies updates by the argument ``learning_rate`` of `update`, f32[]."""

    def update(updates, state, params=None, *, learning_rate, **_):
        del params
        return jax.tree.map(lambda u: u * learning_rate, updates), state

    return optax.GradientTransformationExtraArgs(lambda _: optax.EmptyState(), update)


def kind_of(part: str) -> str:
    """Gives what the parts of several auxiliary heads share, or the part itself."""
    return part.partition("_")[0]


def scale_by_part(multipliers: dict[str, float]) -> optax.GradientTransformation:
    """Multiplies the updates of each part of the network by that part's number.

    Args:
      multipliers: by the name of the part, the first level of the parameter tree.
    """

    def scale(updates, params=None):
        del params
        factors = {part: multipliers[kind_of(part)] for part in updates}
        return {
            part: tree
            if factors[part] == 1.0
            else jax.tree.map(lambda u, m=factors[part]: u * m, tree)
            for part, tree in updates.items()
        }

    return optax.stateless(scale)
