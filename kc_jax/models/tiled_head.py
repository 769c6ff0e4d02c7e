"""The logit layer and its pace in tiles over the mesh's ``model`` axis, and the way there and back.

Networks begin and are saved as `heads` has them, a kernel for each vertical; `from_logical` and
`to_logical` convert, so that any layout and mesh can load any other's checkpoint.
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from kc_jax import sharding
from kc_jax.core import tiles
from kc_jax.core.products import kernel_last
from kc_jax.core.tiled_layout import TiledLayout
from kc_jax.sharding import DATA_AXIS, MODEL_AXIS


class TiledLogits(nn.Module):
    """Is `heads.Logits` in tiles.

    Attributes:
      layout: of the tiles.
      mesh: its ``model`` axis has the layout's shards.
      dtype: type of the matrix product; logits are f32.
    """

    layout: TiledLayout
    mesh: Mesh
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, bottleneck: jax.Array) -> jax.Array:
        """Maps f32[B, s2], or f32[B, slots, s2], to f32[B, tiles, tile]; padding is −1e30."""
        layout, dtype = self.layout, self.dtype
        shape = (*layout.valid.shape, bottleneck.shape[-1])
        kernel = self.param("kernel", nn.initializers.zeros, shape, jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, shape[:2], jnp.float32)
        bottleneck, kernel = kernel_last(bottleneck, kernel)

        def local(bottleneck, kernel, bias, group_of_tile, slot_of_split, valid, axis):
            inputs = bottleneck
            if bottleneck.ndim == 3:
                inputs = tiles.grouped_inputs(bottleneck, slot_of_split[0], axis)
            logits = tiles.tile_logits(inputs, group_of_tile[0], kernel, bias, dtype)
            return jnp.where(valid[None], logits, tiles.PADDING)

        slots = P(DATA_AXIS, MODEL_AXIS) if bottleneck.ndim == 3 else P(DATA_AXIS)
        return sharding.map_shards(
            self.mesh, local, (slots, *[P(MODEL_AXIS)] * 5), P(DATA_AXIS, MODEL_AXIS)
        )(bottleneck, kernel, bias, layout.group_of_tile, layout.slot_of_split, layout.valid)


class TiledPace(nn.Module):
    """Is `heads.Pace` on tiles.

    Attributes:
      layout: of the tiles.
      mesh: its ``model`` axis has the layout's shards.
      level: ``vertical`` or ``class``.
    """

    layout: TiledLayout
    mesh: Mesh
    level: str

    @nn.compact
    def __call__(self, logits: jax.Array) -> jax.Array:
        """Paces f32[B, tiles, tile]."""
        layout = self.layout
        num_slots = layout.slots_per_shard
        num_groups = num_slots + len(layout.split)
        if self.level == "vertical":
            gamma = self.param("gamma", nn.initializers.ones, (len(layout.sizes),), jnp.float32)
            pace = gamma[layout.vertical_of_tile.ravel()][:, None]
        else:
            pace = self.param("gamma", nn.initializers.ones, layout.valid.shape, jnp.float32)

        def local(logits, pace, group_of_tile, valid, axis):
            paced = tiles.pace_tiles(
                logits, pace, group_of_tile[0], valid, num_slots, num_groups, axis
            )
            return jnp.where(valid[None], paced, tiles.PADDING)

        spec = P(DATA_AXIS, MODEL_AXIS)
        return sharding.map_shards(self.mesh, local, (spec, *[P(MODEL_AXIS)] * 3), spec)(
            logits, pace, layout.group_of_tile, layout.valid
        )


def from_logical(layout: TiledLayout, params: dict, level: str | None) -> dict:
    """Lays a head's parameters, or anything of their shapes, out in tiles and slots.

    Args:
      layout: of the tiles.
      params: by part, as `heads` has them.
      level: of the pace, or None where there is none.

    Returns:
      The parameters by part; padding is 0.
    """
    params = dict(params)
    for part in ("trunk", "bottleneck"):
        if "individual" in params.get(part, {}):
            own = jax.tree.map(lambda x: _slots(layout, x), params[part]["individual"])
            params[part] = {**params[part], "individual": own}
    verticals = [params["logits"][f"vertical_{v}"] for v in range(len(layout.sizes))]
    params["logits"] = {
        name: _tiles(layout, jnp.concatenate([vertical[name] for vertical in verticals]))
        for name in ("kernel", "bias")
    }
    if level == "class":
        params["pace"] = {"gamma": _tiles(layout, params["pace"]["gamma"])}
    return params


def to_logical(layout: TiledLayout, params: dict, level: str | None) -> dict:
    """Undoes `from_logical`; padding is dropped."""
    params = dict(params)
    for part in ("trunk", "bottleneck"):
        if "individual" in params.get(part, {}):
            own = jax.tree.map(lambda x: x[layout.slot_of_vertical], params[part]["individual"])
            params[part] = {**params[part], "individual": own}
    ends = np.cumsum(layout.sizes)[:-1].tolist()
    split = {
        name: jnp.split(_classes(layout, params["logits"][name]), ends)
        for name in ("kernel", "bias")
    }
    params["logits"] = {
        f"vertical_{v}": {name: parts[v] for name, parts in split.items()}
        for v in range(len(layout.sizes))
    }
    if level == "class":
        params["pace"] = {"gamma": _classes(layout, params["pace"]["gamma"])}
    return params


def _slots(layout: TiledLayout, values: jax.Array) -> jax.Array:
    slots = jnp.zeros((layout.num_slots, *values.shape[1:]), values.dtype)
    return slots.at[layout.slot_of_vertical].set(values)


def _tiles(layout: TiledLayout, values: jax.Array) -> jax.Array:
    """Lays [C, …] out as [tiles, tile, …]."""
    columns = jnp.zeros((layout.valid.size, *values.shape[1:]), values.dtype)
    columns = columns.at[layout.position_of_class].set(values)
    return columns.reshape(*layout.valid.shape, *values.shape[1:])


def _classes(layout: TiledLayout, values: jax.Array) -> jax.Array:
    """Undoes `_tiles`."""
    return values.reshape(-1, *values.shape[2:])[layout.position_of_class]
