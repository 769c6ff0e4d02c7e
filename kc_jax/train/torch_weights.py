"""Turning the weights of a PyTorch network into the variables of one of our backbones."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from flax import traverse_util

from kc_jax.models.torch_names import IGNORED, Naming
from kc_jax.train import shapes

LEAVES = {
    "kernel": "weight", "scale": "weight", "bias": "bias",
    "mean": "running_mean", "var": "running_var",
}
# From [out, in, height, width] and [out, in] to ours, and back.
TO_OURS = {4: (2, 3, 1, 0), 2: (1, 0)}
TO_TORCH = {4: (3, 2, 0, 1), 2: (1, 0)}


def torch_name(name: str, naming: Naming) -> str:
    """Gives the name of a tensor in a naming.

    Args:
      name: ours, such as ``stage_1/block_0/unit_1/convolution/kernel``.
      naming: a table of `models.torch_names`.
    """
    for pattern, replacement in naming:
        name = re.sub(pattern, replacement, name)
    *layer, leaf = name.split("/")
    return ".".join([*layer, LEAVES.get(leaf, leaf)])


def from_torch(
    namings: Sequence[Naming], tensors: Mapping[str, np.ndarray], like: Mapping[str, Any]
) -> dict[str, Any]:
    """Converts the tensors of a PyTorch network.

    Args:
      namings: what its tensors may be called; that which fits most of them counts.
      tensors: by name; those of a classifier are left out.
      like: variables of the backbone, of the shapes wanted: ``params`` and perhaps ``batch_stats``.

    Returns:
      Variables like ``like``, f32 on the host.

    Raises:
      MisfitError: a tensor is missing, not expected or of another shape.
    """
    ours = {
        (collection, *path): leaf
        for collection, tree in like.items()
        for path, leaf in traverse_util.flatten_dict(tree).items()
    }
    named = [{torch_name("/".join(path[1:]), table): path for path in ours} for table in namings]
    paths = max(named, key=lambda names: len(names.keys() & tensors.keys()))
    given = {
        name: _without_places(tensor) for name, tensor in tensors.items()
        if name in paths or not re.search(IGNORED, name)
    }
    shapes.check(
        {name: tensor.shape for name, tensor in given.items()},
        {name: _transposed(ours[path].shape, TO_TORCH) for name, path in paths.items()},
    )
    return traverse_util.unflatten_dict({
        path: np.ascontiguousarray(
            given[name].transpose(_transposed(range(given[name].ndim), TO_OURS)), np.float32
        )
        for name, path in paths.items()
    })


def _transposed(axes: Sequence[int], orders: Mapping[int, tuple[int, ...]]) -> tuple[int, ...]:
    """Puts a kernel's axes into another order; others stay as they are."""
    return tuple(axes[axis] for axis in orders.get(len(axes), range(len(axes))))


def _without_places(tensor: np.ndarray) -> np.ndarray:
    """Makes [C] of torchvision's layer scales, which are [C, 1, 1]."""
    return tensor[:, 0, 0] if tensor.shape[1:] == (1, 1) else tensor
