"""One shard's part of a tiled head: logits, pace, loss and best classes, tile by tile.

These run inside `jax.shard_map` over the ``model`` axis, or, with the axis None, on all there is.
T is the shard's number of tiles, G its number of groups: its slots, then the verticals that are
split over shards.
"""

import jax
import jax.numpy as jnp

from kc_jax.core import losses, self_paced

# Of a padding column: its softplus and all its gradients are exactly 0.
PADDING = -1e30


def grouped_inputs(slots: jax.Array, slot_of_split: jax.Array, axis: str | None) -> jax.Array:
    """Gathers the bottlenecks that a shard's tiles need.

    Args:
      slots: f32[B, S, D], of the verticals at home here.
      slot_of_split: i32[n], the slot here of each split vertical, −1 where it is not at home.
      axis: mesh axis over which verticals are split.

    Returns:
      f32[B, G, D].
    """
    if not slot_of_split.size:
        return slots
    here = (slot_of_split >= 0)[None, :, None]
    own = jnp.where(here, jnp.take(slots, jnp.maximum(slot_of_split, 0), axis=1), 0)
    return jnp.concatenate([slots, _sum_over_shards(own, axis)], axis=1)


def tile_logits(
    inputs: jax.Array, group_of_tile: jax.Array, kernel: jax.Array, bias: jax.Array, dtype
) -> jax.Array:
    """Multiplies each tile's kernel with the bottleneck of its vertical.

    Args:
      inputs: f32[B, G, D], or f32[B, D] where all verticals share it.
      group_of_tile: i32[T].
      kernel: f32[T, tile, D].
      bias: f32[T, tile].
      dtype: of the product, which adds up in f32.

    Returns:
      f32[B, T, tile].
    """
    if inputs.ndim == 3:
        inputs = jnp.take(inputs, group_of_tile, axis=1)
    formula = "bd,tcd->btc" if inputs.ndim == 2 else "btd,tcd->btc"
    product = jnp.einsum(
        formula, inputs.astype(dtype), kernel.astype(dtype), preferred_element_type=jnp.float32
    )
    return product + bias[None]


def pace_tiles(
    logits: jax.Array, pace: jax.Array, group_of_tile: jax.Array, valid: jax.Array,
    num_slots: int, num_groups: int, axis: str | None,
) -> jax.Array:
    """Paces logits whose verticals lie in several tiles, or on several shards.

    Gao et al. (2017), Eq. 3 and Eq. 4; `self_paced.pace_logits` is the same on whole verticals.

    Args:
      logits: f32[B, T, tile].
      pace: f32[T, 1] or f32[T, tile], the scaling factor of each tile or class.
      group_of_tile: i32[T].
      valid: bool[T, tile], False = padding, which no norm counts.
      num_slots: S; the groups after these are split over shards.
      num_groups: G.
      axis: mesh axis over which verticals are split.

    Returns:
      f32[B, T, tile].
    """
    logits = jnp.where(valid[None], logits, 0.0)
    of_tile = jnp.sum(jnp.square(logits), axis=-1)
    of_group = jax.ops.segment_sum(of_tile.T, group_of_tile, num_groups)
    if num_groups > num_slots:
        shared = _sum_over_shards(of_group[num_slots:], axis)
        of_group = jnp.concatenate([of_group[:num_slots], shared])
    scale = self_paced.inverse_norm(of_group)[group_of_tile].T
    return logits * (scale[:, :, None] * pace[None])


def sigmoid_cross_entropy(
    logits: jax.Array, positions: jax.Array, probs: jax.Array, axis: str | None
) -> jax.Array:
    """Computes the loss of all shards' logits; see `losses.sigmoid_cross_entropy`.

    Args:
      logits: f32[B, T, tile], `PADDING` where there is no class.
      positions: i32[B, K], columns counted through all shards' tiles.
      probs: f32[B, K].
      axis: mesh axis of the shards.

    Returns:
      f32[B], the same on every shard.
    """
    num_columns = logits.shape[1] * logits.shape[2]
    local = positions - _this_shard(axis) * num_columns
    here = (local >= 0) & (local < num_columns)
    own = losses.sigmoid_cross_entropy(
        logits, jnp.where(here, local, 0), jnp.where(here, probs, 0.0)
    )
    return _sum_over_shards(own, axis)


def _sum_over_shards(values: jax.Array, axis: str | None) -> jax.Array:
    return values if axis is None else jax.lax.psum(values, axis)


def _this_shard(axis: str | None):
    return 0 if axis is None else jax.lax.axis_index(axis)
