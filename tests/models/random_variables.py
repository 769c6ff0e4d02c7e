"""Variables of a module without compiling its initialisation."""

import jax
import numpy as np


def random_variables(module, *args, **kwargs):
    """Gives every variable of a module, biases too, normally distributed values.

    Args:
      module: a Flax module.
      *args: of its call.
      **kwargs: of its call.
    """
    shapes = jax.eval_shape(lambda key: module.init(key, *args, **kwargs), jax.random.key(0))
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda s: rng.normal(size=s.shape).astype(s.dtype), shapes)
