"""Counts a network's parameters and multiply-adds; needs no data and no devices."""

import functools
from typing import NamedTuple

import jax
from flax import linen as nn

from kc_jax.config import Config
from kc_jax.core import cost
from kc_jax.models.classifier import Classifier
from kc_jax.stages import memory

LAYER_DEPTH = 2  # Inception's blocks are summed; heads keep a row each.


def count(config: Config, model: Classifier) -> dict:
    """Counts one network's parameters and the multiply-adds of one image.

    Args:
      config: for the size of images.
      model: in its logical form.

    Returns:
      ``params``, ``multiply_adds`` and ``layers``, rows of `cost.layer_table`.
    """
    backbone = _count(model.backbone, memory.images_shape(config, 1))
    head = _count(model.clone(backbone=_Given()), backbone.output)
    multiply_adds = _below("backbone", backbone.multiply_adds) | head.multiply_adds
    params = _below("backbone", backbone.params) | head.params
    layers = merge_verticals(cost.layer_table(multiply_adds, params, LAYER_DEPTH))
    return {
        "params": sum(row["params"] for row in layers),
        "multiply_adds": sum(row["multiply_adds"] for row in layers),
        "layers": layers,
    }


class _Given(nn.Module):
    """Takes a backbone's place where its features are given."""

    def __call__(self, features, train):
        return features


class _Counts(NamedTuple):
    """Holds parameters and multiply-adds by module path, and the shape of what comes out."""

    params: dict[str, int]
    multiply_adds: dict[str, int]
    output: jax.ShapeDtypeStruct


@functools.lru_cache(maxsize=16)  # All networks of a run have one backbone.
def _count(module: nn.Module, inputs: jax.ShapeDtypeStruct) -> _Counts:
    init = functools.partial(module.init_with_output, train=False)
    output, variables = jax.eval_shape(init, jax.random.key(0), inputs)
    apply = functools.partial(module.apply, train=False)
    multiply_adds = cost.multiply_adds(apply, variables, inputs, root=type(module).__name__)
    return _Counts(cost.parameters(variables.get("params", {})), multiply_adds, output)


def _below(name: str, counts: dict[str, int]) -> dict[str, int]:
    return {f"{name}/{path}".rstrip("/"): count for path, count in counts.items()}


def merge_verticals(layers: list[dict]) -> list[dict]:
    """Sums the logits of all verticals, and those of all clusters, into one row."""
    merged: dict[str, dict] = {}
    for row in layers:
        part = row["layer"].partition("/")[0]
        name = part if part.endswith("logits") else row["layer"]
        total = merged.setdefault(name, {"layer": name, "params": 0, "multiply_adds": 0})
        total["params"] += row["params"]
        total["multiply_adds"] += row["multiply_adds"]
    return list(merged.values())
