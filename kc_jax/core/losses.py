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
    listed = _at(logits, target_ids).get(mode="fill", fill_value=jnp.nan)
    class_axes = tuple(range(1, logits.ndim))
    return jnp.sum(jax.nn.softplus(logits), class_axes) - jnp.sum(target_probs * listed, axis=-1)


def softmax_cross_entropy(
    logits: jax.Array, target_ids: jax.Array, target_probs: jax.Array
) -> jax.Array:
    r"""Computes the cross-entropy of Yang et al. (2018), Eq. 1: :math:`-y^\top \ln f`.

    Args:
      logits: f32[B, C].
      target_ids: i32[B, K], class ids in 0..C-1.
      target_probs: f32[B, K] in [0, 1]; 0 is padding.

    Returns:
      f32[B].
    """
    log_scores = _at(jax.nn.log_softmax(logits), target_ids).get(mode="fill", fill_value=jnp.nan)
    return -jnp.sum(target_probs * log_scores, axis=-1)


def score_difference(scores: jax.Array, num_similar: int) -> jax.Array:
    r"""Computes how far a network's first score is above the mean of its next ones.

    .. math:: f_{a_1} - \frac{1}{K-1} \sum_{k=2}^K f_{a_k}

    The term in brackets of Yang et al. (2018), Eq. 3. The network's own ranking chooses the
    classes, and gradients go through their scores.

    Args:
      scores: f32[B, C].
      num_similar: K, from 2; the first K of C classes are looked at, all where C is less.

    Returns:
      f32[B]; 0 where there is one class only.
    """
    best, _ = jax.lax.top_k(scores, min(num_similar, scores.shape[-1]))
    if best.shape[-1] == 1:
        return jnp.zeros_like(best[:, 0])
    return best[:, 0] - jnp.mean(best[:, 1:], axis=-1)


def divergence(teacher_logits: jax.Array, logits: jax.Array, temperature: float = 1.0) -> jax.Array:
    r"""Computes the Kullback-Leibler divergence KL[f^T ‖ f] of Yang et al. (2018), Eq. 2.

    Args:
      teacher_logits: f32[B, C].
      logits: f32[B, C].
      temperature: T, by which both logits are divided; the result is multiplied by T², which keeps
        the size of its gradients. The paper's is 1.

    Returns:
      f32[B], at least 0.
    """
    teacher = jax.nn.log_softmax(teacher_logits / temperature)
    student = jax.nn.log_softmax(logits / temperature)
    return temperature**2 * _divergence(jnp.exp(teacher), teacher, student)


def divergence_of_listed(
    teacher_ids: jax.Array, teacher_probs: jax.Array, logits: jax.Array, temperature: float = 1.0
) -> jax.Array:
    """Computes `divergence` where only the teacher's first classes are known.

    All others are one outcome together, with what remains of the teacher's scores. With all
    classes listed it is `divergence`.

    Args:
      teacher_ids: i32[B, K], distinct class ids.
      teacher_probs: f32[B, K], the teacher's scores at that temperature, of a sum of at most 1.
      logits: f32[B, C].
      temperature: see `divergence`.

    Returns:
      f32[B].
    """
    logits = logits / temperature
    student = _at(jax.nn.log_softmax(logits), teacher_ids).get(mode="fill", fill_value=jnp.nan)
    total = _divergence(teacher_probs, _log(teacher_probs), student)
    if teacher_ids.shape[-1] < logits.shape[-1]:
        remainder = jnp.maximum(1.0 - jnp.sum(teacher_probs, axis=-1), 0.0)
        others = jax.nn.logsumexp(_at(logits, teacher_ids).set(-jnp.inf), axis=-1)
        others -= jax.nn.logsumexp(logits, axis=-1)
        total += remainder * (_log(remainder) - others)
    return temperature**2 * total


def _log(probs: jax.Array) -> jax.Array:
    return jnp.log(jnp.maximum(probs, jnp.finfo(probs.dtype).tiny))  # 0 ln 0 is to be 0.


def _divergence(teacher_probs, teacher_log_probs, student_log_probs):
    return jnp.sum(teacher_probs * (teacher_log_probs - student_log_probs), axis=-1)


def _at(values: jax.Array, ids: jax.Array):
    """Refers to each row's values of its classes; see `jax.numpy.ndarray.at`."""
    rows = jnp.arange(values.shape[0], dtype=ids.dtype)[:, None]
    columns = (ids,) if values.ndim == 2 else jnp.divmod(ids, values.shape[-1])
    return jnp.asarray(values).at[(rows, *columns)]
