"""The figures about clusters of classes."""

import numpy as np
import scipy.sparse
from matplotlib.figure import Figure

from kc_jax.stages.report_figures import INK

MOST_BINS = 400  # More classes than this share a row of pixels.


def similarity(counts: scipy.sparse.sparray, members: np.ndarray) -> Figure:
    """Draws how alike classes are, cluster beside cluster, on a logarithmic scale.

    Args:
      counts: A, sparse [C, C]; B = AᵀA is drawn, over the root of its diagonal's products.
      members: i32[C], the cluster of each class.
    """
    alike = binned(counts, members, MOST_BINS)
    ends = np.cumsum(np.bincount(members)) * len(alike) / len(members)
    lowest = alike[alike > 0].min(initial=1.0)
    figure = Figure(figsize=(6.2, 5.4), layout="constrained")
    axes = figure.subplots()
    shown = axes.imshow(np.log10(np.maximum(alike, lowest)), cmap="Blues", interpolation="nearest")
    for end in ends[:-1]:
        axes.axhline(end - 0.5, color=INK, linewidth=0.4)
        axes.axvline(end - 0.5, color=INK, linewidth=0.4)
    axes.set_xticks([])
    axes.set_yticks([])
    figure.colorbar(shown, ax=axes, shrink=0.7, label="similarity, power of ten")
    return figure


def binned(counts: scipy.sparse.sparray, members: np.ndarray, most: int) -> np.ndarray:
    """Gives the similarity of classes in the order of their clusters, neighbours taken together.

    Args:
      counts: A, sparse [C, C].
      members: i32[C].
      most: rows of the result.

    Returns:
      f64[n, n] from 0 to 1, n at most ``most``; 1 on the diagonal but for classes never seen.
    """
    order = np.argsort(members, kind="stable")
    num_bins = min(most, len(order))
    bins = np.empty(len(order), np.int64)
    bins[order] = np.arange(len(order)) * num_bins // len(order)
    places = (np.ones(len(order)), (np.arange(len(order)), bins))
    dealt = scipy.sparse.csr_array(places, shape=(len(order), num_bins))
    together = counts.astype(np.float64) @ dealt
    alike = (together.T @ together).toarray()
    lengths = np.sqrt(np.diag(alike))
    scale = 1 / np.where(lengths == 0, 1.0, lengths)
    return alike * scale[:, None] * scale[None]
