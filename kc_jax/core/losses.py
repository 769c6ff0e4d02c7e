"""Losses, one value an example, targets in sparse form."""

import jax
import jax.numpy as jnp


def sigmoid_cross_entropy(
    logits: jax.Array, target_ids: jax.Array, target_probs: jax.Array
) -> jax.Array:
    r"""Computes the sigmoid cross-entropy of Gao et al. (2017), Eq. 1 and Eq. 2.

    .. math:: L_b = \sum_j \mathrm{softplus}(x_{bj}) - \sum_k z_{bk} x_{b,\mathrm{id}(k)}

    equals the papers' sum over all classes with every target that is not listed being 0, and
    needs no [B, C] array of targets. One formula serves hard labels (probability 1), several or
    smeared positives, and soft targets; targets of the same id add up.

    Args:
      logits: f32[B, C], unnormalised log-odds; or f32[B, T, tile], classes counted through tiles.
      target_ids: i32[B, K], class ids in 0..C-1; checked on the host, where data enters.
      target_probs: f32[B, K] in [0, 1]; 0 is padding.

    Returns:
      f32[B], the loss of each example, summed over classes.
    """
    rows = jnp.arange(logits.shape[0], dtype=target_ids.dtype)[:, None]
    columns = (target_ids,) if logits.ndim == 2 else jnp.divmod(target_ids, logits.shape[-1])
    listed = jnp.asarray(logits).at[(rows, *columns)].get(mode="fill", fill_value=jnp.nan)
    class_axes = tuple(range(1, logits.ndim))
    return jnp.sum(jax.nn.softplus(logits), class_axes) - jnp.sum(target_probs * listed, axis=-1)
