"""Clusters of classes that a network takes for each other: Warde-Farley et al. (2015), section 4.

Spectral clustering after Ng, Jordan and Weiss (2002), of the similarity B = AᵀA, which is never
formed: the first eigenvectors of D^-1/2 B D^-1/2, D being the sums of B's rows, are the right
singular vectors of A D^-1/2.
"""

import numpy as np
import scipy.sparse
from scipy.sparse.linalg import svds
from sklearn.cluster import KMeans

ROUNDS = 20  # Of moving centres of limited clusters; they stop moving sooner.


def embed(matrix: scipy.sparse.sparray, num_clusters: int, seed: int) -> np.ndarray:
    """Places classes so that those that are alike lie in one direction.

    Args:
      matrix: A, sparse [C, C], or any multiple of it; B = AᵀA says how alike its columns are.
      num_clusters: k, 1 to C − 1: the number of dimensions.
      seed: of the iteration's start.

    Returns:
      f64[C, k] of rows of length one, or of zeros for a class that is like none.
    """
    matrix = matrix.astype(np.float64)
    degrees = matrix.T @ (matrix @ np.ones(matrix.shape[1]))
    is_alone = degrees == 0
    scale = np.where(is_alone, 0.0, 1 / np.sqrt(np.where(is_alone, 1.0, degrees)))
    start = np.random.default_rng(seed).normal(size=matrix.shape[1])
    _, _, directions = svds(
        matrix @ scipy.sparse.diags_array(scale), k=num_clusters, v0=start,
        return_singular_vectors="vh",
    )
    rows = np.where(is_alone[:, None], 0.0, directions.T)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths == 0, 1.0, lengths)


def cluster(
    matrix: scipy.sparse.sparray, num_clusters: int, *, seed: int, largest: float = 0.0
) -> np.ndarray:
    """Divides classes into clusters.

    A class that is like none goes to the smallest cluster, one after the other.

    Args:
      matrix: see `embed`.
      num_clusters: k, from 2 to the number of classes that are like some class, less one.
      seed: of the start.
      largest: the size that no cluster may pass, as a multiple of the mean, at least 1; 0 sets no
        limit.

    Returns:
      i32[C], the cluster of each class; the largest cluster is 0.

    Raises:
      ValueError: `num_clusters` or `largest` is out of range.
    """
    if largest and largest < 1:
        raise ValueError(f"largest is {largest}; expected 0, no limit, or at least 1")
    num_known = np.count_nonzero(matrix.sum(axis=0))
    if not 2 <= num_clusters <= num_known - 1:
        raise ValueError(
            f"{num_clusters} clusters are asked for; expected 2 to {num_known - 1}, less than "
            f"there are classes that were seen, {num_known} of {matrix.shape[1]}"
        )
    points = embed(matrix, num_clusters, seed)
    is_known = points.any(axis=1)
    found = KMeans(num_clusters, n_init=10, random_state=seed).fit(points[is_known])
    members = np.full(len(points), -1)
    members[is_known] = found.labels_
    capacity = len(points)
    if largest:
        capacity = int(np.ceil(largest * len(points) / num_clusters))
        members[is_known] = _limited(points[is_known], found.cluster_centers_, capacity)
    sizes = np.bincount(members[is_known], minlength=num_clusters)
    if not sizes.all():
        raise ValueError(
            f"only {np.count_nonzero(sizes)} of {num_clusters} clusters got a class; ask for fewer"
        )
    for class_id in np.flatnonzero(~is_known):
        members[class_id] = np.argmin(sizes)
        sizes[members[class_id]] += 1
    return np.argsort(np.argsort(-sizes, kind="stable"))[members].astype(np.int32)


def _limited(points: np.ndarray, centres: np.ndarray, capacity: int) -> np.ndarray:
    """Gives each point the nearest centre that has room, the nearest pairs first; moves centres."""
    members = np.zeros(0)
    for _ in range(ROUNDS):
        # Of points of one length, as far apart as the squared distance says.
        likeness = points @ centres.T - 0.5 * np.sum(centres**2, axis=1)
        before, members = members, _assign(likeness, capacity)
        if np.array_equal(before, members):
            break
        centres = np.stack([
            points[members == k].mean(axis=0) if np.any(members == k) else centre
            for k, centre in enumerate(centres)
        ])
    return members


def _assign(likeness: np.ndarray, capacity: int) -> np.ndarray:
    """Takes pairs of point and centre by falling likeness, f64[n, k], while there is room."""
    members = np.full(len(likeness), -1)
    room = np.full(likeness.shape[1], capacity)
    for place in np.argsort(-likeness, axis=None, kind="stable"):
        point, centre = divmod(int(place), likeness.shape[1])
        if members[point] < 0 and room[centre]:
            members[point] = centre
            room[centre] -= 1
    return members
