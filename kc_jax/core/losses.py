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
      logits: f32[B, C], unnormalised log-odds.
      target_ids: i32[B, K], class ids in 0..C-1; checked on the host, where data enters.
      target_probs: f32[B, K] in [0, 1]; 0 is padding.

    Returns:
      f32[B], the loss of each example, summed over classes.
    """
    listed = jnp.take_along_axis(logits, target_ids, axis=-1)
    return jnp.sum(jax.nn.softplus(logits), axis=-1) - jnp.sum(target_probs * listed, axis=-1)
