"""Where backbones start: a file of PyTorch's weights, or a network trained here."""

import functools
import hashlib
import pathlib
from typing import Any

import safetensors
import safetensors.numpy

from kc_jax import artifacts
from kc_jax.config import Model
from kc_jax.errors import UserError
from kc_jax.models.torch_names import NAMINGS
from kc_jax.stages import networks
from kc_jax.train import shapes
from kc_jax.train.shapes import MisfitError
from kc_jax.train.torch_weights import from_torch

OPTION = "config.model.backbone_init_from"
MADE_BY = "that trains it"


class BackboneWeightsError(UserError, ValueError):
    """Says which weights cannot start a backbone, and why."""


def fingerprint(origin: str) -> str:
    """Fingerprints the content of a file or of a network; empty where there is no origin.

    Args:
      origin: `config.model.backbone_init_from`.

    Raises:
      BackboneWeightsError: there is neither a file nor a network.
    """
    if not origin:
        return ""
    path = pathlib.Path(origin)
    if (path / artifacts.MANIFEST).is_file():
        return artifacts.fingerprint_of(path, MADE_BY)
    if not path.is_file():
        raise BackboneWeightsError(
            f"{OPTION} is {origin!r}, which is neither a file nor a trained network; expected a "
            "safetensors file or a directory such as runs/…/generalist"
        )
    facts = path.stat()
    return _hash_file(path, facts.st_size, facts.st_mtime_ns)


@functools.lru_cache(maxsize=16)
def _hash_file(path: pathlib.Path, size: int, modified: int) -> str:
    """Hashes a file once for all networks; size and time tell whether it is still the same."""
    del size, modified
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def put(model: Model, variables: dict[str, Any]) -> dict[str, Any]:
    """Puts the weights that a configuration names into a network's variables.

    Args:
      model: names backbone and weights.
      variables: of the network at its random start.

    Returns:
      The variables; unchanged where no weights are named.

    Raises:
      BackboneWeightsError: the weights cannot be read or do not fit the backbone.
    """
    if not model.backbone_init_from:
        return variables
    path, drawn = pathlib.Path(model.backbone_init_from), _backbone_of(variables)
    load = _load_network if path.is_dir() else _load_file
    try:
        found = load(path, model.backbone, drawn)
    except MisfitError as error:
        raise BackboneWeightsError(
            f"{path} does not fit backbone {model.backbone!r}: {error}; give weights of the same "
            "architecture, or change config.model.backbone or its options"
        ) from None
    return {
        collection: {**tree, "backbone": found[collection]} if collection in found else tree
        for collection, tree in variables.items()
    }


def _backbone_of(variables: dict[str, Any]) -> dict[str, Any]:
    return {name: tree["backbone"] for name, tree in variables.items() if "backbone" in tree}


def _load_network(path: pathlib.Path, backbone: str, like: dict[str, Any]) -> dict[str, Any]:
    del backbone
    found = _backbone_of(networks.load_variables(path, MADE_BY))
    shapes.check(shapes.shapes_of(found), shapes.shapes_of(like))
    return found


def _load_file(path: pathlib.Path, backbone: str, like: dict[str, Any]) -> dict[str, Any]:
    if backbone not in NAMINGS:
        raise BackboneWeightsError(
            f"{OPTION} is the file {path}, but PyTorch's names are known only for the backbones "
            f"{', '.join(NAMINGS)}; give the directory of a trained network, or add the names of "
            f"{backbone!r} to kc_jax.models.torch_names.NAMINGS"
        )
    try:
        tensors = safetensors.numpy.load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise BackboneWeightsError(
            f"{OPTION} is {str(path)!r}, which cannot be read as safetensors ({error}); "
            "docs/backbones.md has the lines that write one from PyTorch"
        ) from None
    return from_torch(NAMINGS[backbone], tensors, like)
