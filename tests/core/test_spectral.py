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
    found = spectral.cluster(matrix, 3, seed=seed).members
    dense = SpectralClustering(3, affinity="precomputed", random_state=seed).fit_predict(
        (matrix.T @ matrix).toarray()
    )
    assert adjusted_rand_score(truth, found) == 1
    assert adjusted_rand_score(dense, found) == 1
    np.testing.assert_array_equal(np.bincount(found), sorted(sizes, reverse=True))


def test_any_multiple_of_the_counts_gives_the_same():
    matrix, _ = planted((20, 15, 10), between=0.2)
    np.testing.assert_array_equal(
        spectral.cluster(matrix, 3, seed=0).members,
        spectral.cluster(matrix / 1000, 3, seed=0).members,
    )


@pytest.mark.parametrize("parts", [4, 10, 30])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_disconnected_parts_are_kept_apart(parts, seed):
    """Each has an eigenvalue of 1, so that as many must be found as there are parts."""
    matrix, truth = planted((20,) * parts, between=0.0, seed=seed)
    found = spectral.embed(matrix, parts, seed)
    expected = structure.embed(matrix.toarray(), parts)
    np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=1e-6)
    assert adjusted_rand_score(truth, spectral.cluster(matrix, parts, seed=seed).members) == 1


@pytest.mark.parametrize("size", [5, 40])
def test_more_clusters_than_kinds_of_columns_are_found_too(size):
    """There are fewer eigenvalues that are not zero than clusters."""
    truth = np.repeat(np.arange(3), size)
    matrix = scipy.sparse.csr_array((truth[:, None] == truth[None]).astype(np.int64))
    found = spectral.embed(matrix, 5, 0)
    assert np.isfinite(found).all() and found.any(axis=1).all()


@pytest.mark.parametrize("alone", [1, 4, 20])
@pytest.mark.parametrize("scale", [1, 0.001])
def test_classes_like_themselves_alone_take_no_cluster_for_themselves(alone, scale):
    matrix, truth = planted((20,) * 4)
    matrix = scipy.sparse.block_array([
        [matrix, None], [None, 10 * scipy.sparse.eye_array(alone, dtype=np.int64)],
    ])
    found = spectral.cluster(scale * matrix, 4, seed=0)
    assert adjusted_rand_score(truth, found.members[:80]) == 1
    assert found.placed == {"similarity": 80, "row": 0, "size": alone}
    with pytest.raises(ValueError, match=f"are like some other, 80 of {80 + alone}"):
        spectral.cluster(scale * matrix, 80, seed=0)


@pytest.mark.parametrize("sure", [2, 4, 8])
def test_classes_that_are_hardly_ever_mistaken_take_no_cluster_for_themselves(sure):
    """50 times named right, and once for an image of another class."""
    matrix, truth = planted((20,) * 4)
    counts = np.zeros((80 + sure, 80 + sure), np.int64)
    counts[:80, :80] = matrix.toarray()
    for i in range(sure):
        counts[80 + i, 80 + i] = 50
        counts[i, 80 + i] = 1
    found, placed = spectral.cluster(scipy.sparse.csr_array(counts), 4, seed=0)
    assert adjusted_rand_score(truth, found[:80]) == 1
    assert placed["similarity"] == 80 + sure


def test_classes_of_which_none_is_like_another_cannot_be_divided():
    with pytest.raises(ValueError, match="0 of 9 classes are like some other, too few to divide"):
        spectral.cluster(scipy.sparse.eye_array(9, dtype=np.int64).tocsr(), 2, seed=0)


def test_classes_never_seen_go_to_the_smallest_clusters():
    matrix, truth = planted((20, 10, 5))
    counts = matrix.toarray()
    unseen = np.flatnonzero(truth == 0)[:3]
    counts[unseen], counts[:, unseen] = 0, 0
    found, placed = spectral.cluster(scipy.sparse.csr_array(counts), 3, seed=0)
    seen = np.setdiff1d(np.arange(len(truth)), unseen)
    assert adjusted_rand_score(truth[seen], found[seen]) == 1
    np.testing.assert_array_equal(found[unseen], 2)
    np.testing.assert_array_equal(np.bincount(found), [17, 10, 8])
    assert placed == {"similarity": 32, "row": 0, "size": 3}


def without_columns(sizes, share):
    """Counts of which a share of the classes are no image's label, but are named for others'."""
    matrix, truth = planted(sizes)
    is_label = np.random.default_rng(1).random(len(truth)) >= share
    return scipy.sparse.csr_array(matrix.toarray() * is_label), truth, is_label


def test_classes_that_are_no_label_go_where_they_are_named():
    matrix, truth, is_label = without_columns((40, 20, 10), 0.35)
    found, placed = spectral.cluster(matrix, 3, seed=0)
    assert adjusted_rand_score(truth, found) == 1
    assert placed == {"similarity": is_label.sum(), "row": np.sum(~is_label), "size": 0}
    assert placed["row"] > 15


def test_a_class_goes_where_it_is_named_most_a_class_not_most_in_all():
    matrix, truth = planted((40, 20), between=0.0)
    counts = np.zeros((61, 61), np.int64)
    counts[:60, :60] = matrix.toarray()
    counts[60, :60] = np.where(truth == 0, 3, 4)  # 120 times for the large block, 80 for the small.
    found, _ = spectral.cluster(scipy.sparse.csr_array(counts), 2, seed=0)
    assert found[60] == 1 and adjusted_rand_score(truth, found[:60]) == 1


@pytest.mark.parametrize("largest", [1.0, 1.5])
def test_a_limit_holds_for_classes_that_are_no_label_too(largest):
    matrix, _, _ = without_columns((40, 16, 4), 0.5)
    sizes = np.bincount(spectral.cluster(matrix, 3, seed=0, largest=largest).members)
    assert sizes.sum() == 60 and sizes.max() <= 20 * largest


@pytest.mark.parametrize("largest, most", [(1.0, 20), (1.5, 30)])
def test_no_cluster_passes_a_limit(largest, most):
    matrix, truth = planted((50, 6, 4))
    sizes = np.bincount(spectral.cluster(matrix, 3, seed=0, largest=largest).members)
    assert sizes.sum() == 60 and sizes.max() == most
    free = spectral.cluster(matrix, 3, seed=0, largest=3.0).members
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
