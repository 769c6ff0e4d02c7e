"""Self-paced learning: logits of a fixed norm inside each vertical, at a learned pace."""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

EPSILON = 1e-12


def pace_logits(logits: jax.Array, pace: jax.Array) -> jax.Array:
    r"""Normalises one vertical's logits and multiplies them by their pace.

    .. math:: y_i = \gamma_i \, x_i / \lVert x \rVert_2

    Gao et al. (2017), Eq. 3 and Eq. 4. Gradients are those of this formula; Eq. 5 of the paper
    keeps only the diagonal of the normalisation's Jacobian.

    Args:
      logits: f32[B, C_v], the logits of one vertical.
      pace: f32[] (vertical level) or f32[C_v] (class level), the scaling factor gamma.

    Returns:
      f32[B, C_v]; zero logits give zeros.
    """
    squared_norm = jnp.sum(jnp.square(logits), axis=-1, keepdims=True)
    # In this order a vertical's factor needs no normalised logits to be kept for its gradient.
    return logits * (inverse_norm(squared_norm) * pace.reshape(1, -1))


def inverse_norm(squared_norm: jax.Array) -> jax.Array:
    """Gives 1/‖x‖ from ‖x‖², finite where that is 0."""
    return jax.lax.rsqrt(squared_norm + EPSILON)


def initial_pace(
    sizes: Sequence[int], *, level: str, initial: str, scale: float, deviation: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draws the scaling factors' initial values (section 3.3 and Figure 5).

    Args:
      sizes: class count of each vertical.
      level: ``vertical`` for one factor a vertical, ``class`` for one a class.
      initial: ``sqrt_size`` for a mean of scale·√N_v, ``prior`` for scale·log C·√N_v, C being all
        classes, ``constant`` for scale.
      scale: multiplies the mean. The paper has 1 (``sqrt_size``) and 10 (``constant``); 1 with
        ``prior`` makes the first paced logits equal to logits that start at the prior.
      deviation: standard deviation of the draw, the paper's 1e-3.
      rng: source of randomness.

    Returns:
      f32[V] or f32[C].
    """
    prior = math.log(sum(sizes))
    means = {
        "sqrt_size": lambda size: scale * math.sqrt(size),
        "prior": lambda size: scale * prior * math.sqrt(size),
        "constant": lambda size: scale,
    }
    repeats = {"vertical": lambda size: 1, "class": lambda size: size}
    if initial not in means:
        raise ValueError(f"self_paced.initial is {initial!r}; expected one of {', '.join(means)}")
    if level not in repeats:
        raise ValueError(f"self_paced.level is {level!r}; expected one of {', '.join(repeats)}")
    mean = np.concatenate([np.full(repeats[level](size), means[initial](size)) for size in sizes])
    return (mean + deviation * rng.standard_normal(mean.shape)).astype(np.float32)
