"""One training step with dense targets on one device: Eq. 2, Eq. 3, Eq. 4 and Adagrad."""

import jax
import jax.numpy as jnp
import numpy as np

from tests.reference.adagrad import EPSILON


def logits(params, features, sizes):
    """Gives f32[B, C] from a head's logical parameters."""
    outputs, first = [], 0
    for v, size in enumerate(sizes):
        seen = features
        for part in ("trunk", "bottleneck"):
            seen = _units(params[part], seen, v) if part in params else seen
        layer = params["logits"][f"vertical_{v}"]
        own = seen @ layer["kernel"].T + layer["bias"][None]
        if "pace" in params:
            gamma = params["pace"]["gamma"]
            pace = gamma[v] if len(gamma) == len(sizes) else gamma[None, first : first + size]
            own = pace * own / jnp.sqrt(jnp.sum(own * own, axis=1, keepdims=True))
        outputs.append(own)
        first += size
    return jnp.concatenate(outputs, axis=1)


def _units(layer, inputs, vertical):
    parts = []
    if "shared" in layer:
        parts.append(inputs @ layer["shared"]["kernel"] + layer["shared"]["bias"][None])
    if "individual" in layer:
        own = jax.tree.map(lambda x: x[vertical], layer["individual"])
        parts.append(inputs @ own["kernel"].T + own["bias"][None])
    return jnp.maximum(jnp.concatenate(parts, axis=1), 0.0)


def loss(params, features, targets, mask, sizes):
    """Averages Eq. 2, with targets f32[B, C], over the examples that are not padding."""
    x = logits(params, features, sizes)
    per_class = -targets * jax.nn.log_sigmoid(x) - (1.0 - targets) * jax.nn.log_sigmoid(-x)
    return jnp.sum(jnp.sum(per_class, axis=1) * mask) / jnp.sum(mask)


def adagrad_step(params, accumulators, rate, *inputs):
    """Gives loss, parameters and accumulators after a step."""
    value, gradients = jax.value_and_grad(loss)(params, *inputs)
    accumulators = jax.tree.map(lambda a, g: a + np.square(g), accumulators, gradients)
    params = jax.tree.map(
        lambda p, g, a: p - rate * g / np.sqrt(a + np.float32(EPSILON)),
        params, gradients, accumulators,
    )
    return value, params, accumulators
