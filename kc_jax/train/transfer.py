"""Starting one network from another's parts."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kc_jax.core.alignment import NEW, Alignment
from kc_jax.errors import UserError


class TransferError(UserError, ValueError):
    """Says which part does not fit, and what to do."""


def transfer(
    target: Mapping[str, Any],
    source: Mapping[str, Any],
    parts: Sequence[str],
    alignment: Alignment,
) -> dict[str, Any]:
    """Copies parts of one network's variables into another's.

    A shared layer spreads to the verticals' own layers, so that a structured head begins as the
    same function as the fully connected one it is started from. Verticals and classes that the
    source has not keep the target's start.

    Args:
      target: variables to start, ``params`` and others.
      source: variables to start from.
      parts: of backbone, trunk, bottleneck, logits, those to copy; what neither network
        has, as linear heads have no trunk, is passed over.
      alignment: of the target's label space with the source's.

    Returns:
      The target's variables with those parts replaced.

    Raises:
      TransferError: a part has other layers or shapes.
    """
    params = dict(target["params"])
    for part in parts:
        given, wanted = (variables["params"].get(part, {}) for variables in (source, target))
        if not given and not wanted:
            continue
        if part == "logits":
            given = _aligned_logits(given, wanted, alignment)
        elif set(given) == {"shared"} and "individual" in wanted:
            given = _spread(given, wanted, len(alignment.verticals))
        elif "individual" in given and "individual" in wanted:
            own = _aligned_rows(given["individual"], wanted["individual"], alignment.verticals)
            given = {**given, "individual": own}
        params[part] = _fitting(given, wanted, part)
    others = {
        collection: {**tree, **{p: source[collection][p] for p in parts if p in tree}}
        for collection, tree in target.items() if collection != "params"
    }
    return {"params": params, **others}


def _aligned_rows(given, wanted, places: Sequence[int]):
    """Takes rows of arrays from their places, or where these are new those of the target."""
    places = np.asarray(places)
    is_new = places == NEW

    def rows(found, own):
        if found.shape[1:] != own.shape[1:]:
            return found  # Of other widths, which `_fitting` names.
        new = is_new.reshape(-1, *[1] * (found.ndim - 1))
        return jnp.where(new, own, jnp.asarray(found)[np.maximum(places, 0)])

    return jax.tree.map(rows, given, wanted)


def _aligned_logits(given, wanted, alignment: Alignment):
    own = {}
    for v, (found, places) in enumerate(
        zip(alignment.verticals, alignment.classes, strict=True)
    ):
        name = f"vertical_{v}"
        own[name] = wanted[name] if found == NEW else _aligned_rows(
            given[f"vertical_{found}"], wanted[name], places
        )
    return own


def _spread(given, wanted, num_verticals: int):
    """Cuts a shared layer's units into the generic part and a copy for every vertical."""
    generic = wanted["shared"]["bias"].shape[0] if "shared" in wanted else 0
    shared = given["shared"]
    own = {"kernel": shared["kernel"][:, generic:].T, "bias": shared["bias"][generic:]}
    individual = jax.tree.map(lambda x: jnp.broadcast_to(x, (num_verticals, *x.shape)), own)
    if not generic:
        return {"individual": individual}
    return {"shared": jax.tree.map(lambda x: x[..., :generic], shared),
            "individual": individual}


def _fitting(given, wanted, part: str):
    found, expected = (jax.tree.map(jnp.shape, tree) for tree in (given, wanted))
    if found != expected:
        raise TransferError(
            f"{part} cannot start from the other network's: that has the shapes {found}, expected "
            f"{expected}; leave it out of init_parts or give both heads the same widths"
        )
    return given
