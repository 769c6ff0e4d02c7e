"""A teacher's logits as the top-K soft targets of Gao et al. (2017), section 3.1."""

import numpy as np

from kc_jax.core.average_precision import best_classes


def top_k(logits: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Keeps the K largest sigmoid probabilities of each row, largest first.

    Runs on the host, where `np.partition` beats `lax.top_k`. Equal logits are ordered by
    class id, so the result depends on nothing but the logits.

    Args:
      logits: f32[B, C_v], one teacher's logits.
      k: how many to keep; at most C_v are there to be kept.

    Returns:
      ids i32[B, min(k, C_v)], local to the vertical, and their probabilities f32 of that shape.

    Raises:
      ValueError: k is below 1.
    """
    if k < 1:
        raise ValueError(f"top_k is {k}; expected at least 1")
    ids = best_classes(logits, min(k, logits.shape[-1]))
    values = np.take_along_axis(logits, ids, axis=-1).astype(np.float64)
    return ids.astype(np.int32), np.exp(-np.logaddexp(0.0, -values)).astype(np.float32)
