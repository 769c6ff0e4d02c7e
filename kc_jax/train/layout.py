"""From checkpoints, which hold every vertical's own parameters, to where they lie on devices."""

import functools
from collections.abc import Callable

import jax
from jax.sharding import Mesh

from kc_jax import sharding
from kc_jax.models import classifier
from kc_jax.models.classifier import Classifier


def place(model: Classifier, mesh: Mesh, tree):
    """Puts a logical tree onto the devices, as the model computes with it.

    Args:
      model: for the layout.
      mesh: of the devices.
      tree: variables or a training state, of host or device arrays.
    """
    tree = jax.device_put(tree, sharding.head_shardings(mesh, tree))
    return tree if model.layout is None else _converter(model, classifier.from_logical)(tree)


def logical(model: Classifier, tree):
    """Undoes `place`; the arrays stay spread over the devices."""
    return tree if model.layout is None else _converter(model, classifier.to_logical)(tree)


@functools.lru_cache(maxsize=16)
def _converter(model: Classifier, convert: Callable) -> Callable:
    def converted(tree):
        tree = convert(model, tree)
        return jax.lax.with_sharding_constraint(
            tree, sharding.head_shardings(model.mesh, tree)
        )

    return jax.jit(converted)
