"""What a training step reads and writes."""

import hashlib
from collections.abc import Collection
from typing import Any

import flax
import jax
import jax.numpy as jnp
import numpy as np


@flax.struct.dataclass
class TrainState:
    """Holds the state of a training.

    Attributes:
      step: i32[], steps done.
      params: parameters, f32.
      model_state: other variables of the model, such as ``batch_stats``.
      opt_state: the optimiser's state, of the parts that learn.
    """

    step: jax.Array
    params: Any
    model_state: Any
    opt_state: Any

    @property
    def variables(self) -> dict[str, Any]:
        return {"params": self.params, **self.model_state}


def make_state(variables, tx, frozen: Collection[str] = ()) -> TrainState:
    """Makes the state before the first step.

    Args:
      variables: the model's, as `init` returns them.
      tx: optax transform.
      frozen: parts that do not learn; the optimiser holds nothing of them.
    """
    variables = dict(variables)
    params = variables.pop("params")
    learning, _ = split(params, frozen)
    return TrainState(jnp.zeros((), jnp.int32), params, variables, tx.init(learning))


def split(params, frozen: Collection[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Splits parameters, whose first level is the network's parts, into learning and frozen."""
    learning = {part: tree for part, tree in params.items() if part not in frozen}
    return learning, {part: tree for part, tree in params.items() if part in frozen}


def digest(tree) -> str:
    """Hashes names, shapes, types and bytes of a tree of arrays."""
    hasher = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        array = np.ascontiguousarray(leaf)
        hasher.update(f"{jax.tree_util.keystr(path)}{array.shape}{array.dtype}".encode())
        hasher.update(array)
    return hasher.hexdigest()[:16]


def count(params) -> int:
    """Counts the parameters of a tree."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))
