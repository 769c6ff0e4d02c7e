import numpy as np
import pytest
import scipy.sparse
from sklearn.cluster import SpectralClustering
from sklearn.metrics import adjusted_rand_score

from kc_jax.core import spectral
from tests.reference import structure


def planted(sizes, within=0.5, between=0.02, seed=0):
    """Counts in which classes of one block are confused often, and others seldom."""
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    rate = np.where(truth[:, None] == truth[None], within, between)
    counts = rng.poisson(10 * rate) + 10 * np.eye(len(truth), dtype=np.int64)
    return scipy.sparse.csr_array(counts), truth


def test_the_embedding_spans_what_the_dense_one_spans():
    matrix, _ = planted((20, 15, 10))
    found, expected = spectral.embed(matrix, 3, 0), structure.embed(matrix.toarray(), 3)
    # Eigenvectors are unique up to sign; rows of length one keep their angles to one another.
    np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=1e-6)


@pytest.mark.parametrize("sizes", [(20, 20, 20), (60, 10, 5)])
@pytest.mark.parametrize("seed", [0, 1])
def test_planted_blocks_are_found_as_by_the_dense_method(sizes, seed):
    matrix, truth = planted(sizes, seed=seed)
    found = spectral.cluster(matrix, 3, seed=seed)
    dense = SpectralClustering(3, affinity="precomputed", random_state=seed).fit_predict(
        (matrix.T @ matrix).toarray()
    )
    assert adjusted_rand_score(truth, found) == 1
    assert adjusted_rand_score(dense, found) == 1
    np.testing.assert_array_equal(np.bincount(found), sorted(sizes, reverse=True))


def test_any_multiple_of_the_counts_gives_the_same():
    matrix, _ = planted((20, 15, 10), between=0.2)
    np.testing.assert_array_equal(
        spectral.cluster(matrix, 3, seed=0), spectral.cluster(matrix / 1000, 3, seed=0)
    )


def test_disconnected_parts_are_kept_apart():
    matrix, truth = planted((12, 11, 10, 9), between=0.0)
    assert adjusted_rand_score(truth, spectral.cluster(matrix, 4, seed=0)) == 1


def test_classes_never_seen_go_to_the_smallest_clusters():
    matrix, truth = planted((20, 10, 5))
    counts = matrix.toarray()
    unseen = np.flatnonzero(truth == 0)[:3]
    counts[unseen], counts[:, unseen] = 0, 0
    found = spectral.cluster(scipy.sparse.csr_array(counts), 3, seed=0)
    seen = np.setdiff1d(np.arange(len(truth)), unseen)
    assert adjusted_rand_score(truth[seen], found[seen]) == 1
    np.testing.assert_array_equal(found[unseen], 2)
    np.testing.assert_array_equal(np.bincount(found), [17, 10, 8])


@pytest.mark.parametrize("largest, most", [(1.0, 20), (1.5, 30)])
def test_no_cluster_passes_a_limit(largest, most):
    matrix, truth = planted((50, 6, 4))
    sizes = np.bincount(spectral.cluster(matrix, 3, seed=0, largest=largest), minlength=3)
    assert sizes.sum() == 60 and sizes.max() == most
    free = spectral.cluster(matrix, 3, seed=0, largest=3.0)
    assert adjusted_rand_score(truth, free) == 1


@pytest.mark.parametrize("options, message", [
    ({"num_clusters": 1}, "1 clusters are asked for; expected 2 to 59"),
    ({"num_clusters": 60}, "60 clusters are asked for; expected 2 to 59"),
    ({"num_clusters": 3, "largest": 0.5}, "largest is 0.5; expected 0, no limit, or at least 1"),
])
def test_what_cannot_be_is_refused(options, message):
    matrix, _ = planted((50, 6, 4))
    with pytest.raises(ValueError, match=message):
        spectral.cluster(matrix, options.pop("num_clusters"), seed=0, **options)
