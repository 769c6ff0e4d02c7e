"""Clusters of classes that a network takes for each other: Warde-Farley et al. (2015), section 4.

Spectral clustering after Ng, Jordan and Weiss (2002), of the similarity B = AᵀA, which is never
formed. As there, what a class has in common with itself does not count: the diagonal of B is taken
for 0, or few classes that are hardly ever mistaken would each be a cluster.
"""

import warnings
from typing import NamedTuple

import numpy as np
import scipy.sparse
from scipy.sparse.linalg import lobpcg
from sklearn.cluster import KMeans

VERSION = 3  # Of the method: another one finds other clusters in the same counts.
ROUNDS = 20  # Of moving centres of limited clusters; they stop moving sooner.
TOLERANCE = 1e-8  # What an eigenvector may lack.
ITERATIONS = 200  # Of finding eigenvectors, at most.


class Clusters(NamedTuple):
    """Is a division of classes.

    Attributes:
      members: i32[C], the cluster of each class; the largest cluster is 0.
      placed: how many classes were placed by ``similarity``, by their ``row`` and by ``size``.
    """

    members: np.ndarray
    placed: dict[str, int]


def is_like_others(matrix: scipy.sparse.sparray) -> np.ndarray:
    """Tells which classes B says anything of: those whose column of A meets another's in a row.

    Args:
      matrix: A, sparse [C, C].

    Returns:
      bool[C].
    """
    pattern = scipy.sparse.csr_array(matrix != 0, dtype=np.int64)
    is_shared = pattern.sum(axis=1) > 1
    return pattern.T @ is_shared.astype(np.int64) > 0


def embed(matrix: scipy.sparse.sparray, num_clusters: int, seed: int) -> np.ndarray:
    """Places classes so that those that are alike lie in one direction.

    Args:
      matrix: A, sparse [C, C], or any multiple of it; B = AᵀA says how alike its columns are.
      num_clusters: k, 1 to one less than the classes that are like others: the number of
        dimensions.
      seed: of the iteration's start.

    Returns:
      f64[C, k] of rows of length one, or of zeros for a class that is like none.
    """
    is_known = is_like_others(matrix)
    known = scipy.sparse.csr_array(matrix).astype(np.float64)[:, np.flatnonzero(is_known)]
    own = known.multiply(known).sum(axis=0)
    degrees = known.T @ known.sum(axis=1) - own
    vectors = _first_eigenvectors(
        known @ scipy.sparse.diags_array(1 / np.sqrt(degrees)), own / degrees, num_clusters,
        np.random.default_rng(seed),
    )
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    points = np.zeros((matrix.shape[1], num_clusters))
    points[is_known] = vectors / np.where(lengths == 0, 1.0, lengths)
    return points


def _first_eigenvectors(
    scaled: scipy.sparse.sparray, diagonal: np.ndarray, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Gives the eigenvectors of MᵀM without its diagonal, the largest first, f64[n, count].

    From one start, Lanczos' method sees one direction of all that share an eigenvalue, as those of
    parts that nothing connects do; a block sees as many as it has columns (Knyazev 2001).
    """
    start = rng.normal(size=(scaled.shape[1], count))
    with warnings.catch_warnings():
        # Where the last of them are hardly ahead of others, any of these will do.
        warnings.simplefilter("ignore", UserWarning)
        _, vectors = lobpcg(
            lambda block: scaled.T @ (scaled @ block) - diagonal[:, None] * block, start,
            largest=True, tol=TOLERANCE, maxiter=ITERATIONS,
        )
    return vectors


def cluster(
    matrix: scipy.sparse.sparray, num_clusters: int, *, seed: int, largest: float = 0.0
) -> Clusters:
    """Divides classes into clusters.

    A class that is like none goes by its own row of A, to the cluster whose classes it was named
    for most, on average; one that was not named either to the smallest cluster, one after the
    other.

    Args:
      matrix: see `embed`.
      num_clusters: k, from 2 to the number of classes that are like some other, less one.
      seed: of the start.
      largest: the size that no cluster may pass, as a multiple of the mean, at least 1; 0 sets no
        limit.

    Raises:
      ValueError: `num_clusters` or `largest` is out of range.
    """
    if largest and largest < 1:
        raise ValueError(f"largest is {largest}; expected 0, no limit, or at least 1")
    is_known = is_like_others(matrix)
    num_known = np.count_nonzero(is_known)
    if num_known < 3:
        raise ValueError(
            f"{num_known} of {matrix.shape[1]} classes are like some other, too few to divide; "
            "count more of the first names an image, or more images"
        )
    if not 2 <= num_clusters <= num_known - 1:
        raise ValueError(
            f"{num_clusters} clusters are asked for; expected 2 to {num_known - 1}, less than "
            f"there are classes that are like some other, {num_known} of {matrix.shape[1]}"
        )
    points = embed(matrix, num_clusters, seed)
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
    likeness = _row_means(matrix, members, sizes)
    by_row = ~is_known & likeness.any(axis=1)
    members[by_row] = _assign(likeness[by_row], capacity - sizes)
    by_size = np.flatnonzero(members < 0)
    sizes = np.bincount(members[members >= 0], minlength=num_clusters)
    for class_id in by_size:
        members[class_id] = np.argmin(sizes)
        sizes[members[class_id]] += 1
    placed = {"similarity": num_known, "row": np.count_nonzero(by_row), "size": len(by_size)}
    order = np.argsort(np.argsort(-sizes, kind="stable"))
    return Clusters(order[members].astype(np.int32), {key: int(n) for key, n in placed.items()})


def _row_means(
    matrix: scipy.sparse.sparray, members: np.ndarray, sizes: np.ndarray
) -> np.ndarray:
    """Gives the mean of each row over each cluster's members, f64[C, k]; −1 is in no cluster."""
    ids = np.flatnonzero(members >= 0)
    shares = scipy.sparse.csr_array(
        (1 / sizes[members[ids]], (ids, members[ids])), shape=(len(members), len(sizes))
    )
    return (matrix @ shares).toarray()


def _limited(points: np.ndarray, centres: np.ndarray, capacity: int) -> np.ndarray:
    """Gives each point the nearest centre that has room, the nearest pairs first; moves centres."""
    members = np.zeros(0)
    for _ in range(ROUNDS):
        # Of points of one length, as far apart as the squared distance says.
        likeness = points @ centres.T - 0.5 * np.sum(centres**2, axis=1)
        before, members = members, _assign(likeness, np.full(len(centres), capacity))
        if np.array_equal(before, members):
            break
        centres = np.stack([
            points[members == k].mean(axis=0) if np.any(members == k) else centre
            for k, centre in enumerate(centres)
        ])
    return members


def _assign(likeness: np.ndarray, room: np.ndarray) -> np.ndarray:
    """Takes pairs of point and centre by falling likeness, f64[n, k], while there is room."""
    if room.min() >= len(likeness):
        return likeness.argmax(axis=1)
    members, room = np.full(len(likeness), -1), room.copy()
    for place in np.argsort(-likeness, axis=None, kind="stable"):
        point, centre = divmod(int(place), likeness.shape[1])
        if members[point] < 0 and room[centre]:
            members[point] = centre
            room[centre] -= 1
    return members
