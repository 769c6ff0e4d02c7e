import numpy as np
import scipy.sparse

from kc_jax.stages import report_structures, structure_figures

COUNTS = np.random.default_rng(0).poisson(1.0, (12, 12))
MEMBERS = np.array([2, 0, 1, 1, 0, 2, 0, 0, 1, 2, 0, 1])


def test_similarity_by_cluster_is_the_cosine_of_counts():
    found = structure_figures.binned(scipy.sparse.csr_array(COUNTS), MEMBERS, 50)
    ordered = COUNTS[:, np.argsort(MEMBERS, kind="stable")].astype(float)
    ordered /= np.linalg.norm(ordered, axis=0)
    np.testing.assert_allclose(found, ordered.T @ ordered, atol=1e-12)


def test_neighbours_are_taken_together():
    found = structure_figures.binned(scipy.sparse.csr_array(COUNTS), MEMBERS, 4)
    ordered = COUNTS[:, np.argsort(MEMBERS, kind="stable")].astype(float)
    together = ordered.reshape(12, 4, 3).sum(axis=-1)
    together /= np.linalg.norm(together, axis=0)
    np.testing.assert_allclose(found, together.T @ together, atol=1e-12)


def test_classes_never_seen_are_like_none():
    counts = COUNTS.copy()
    counts[:, 3] = 0
    found = structure_figures.binned(scipy.sparse.csr_array(counts), MEMBERS, 50)
    place = np.flatnonzero(np.argsort(MEMBERS, kind="stable") == 3)
    assert np.all(found[place] == 0) and np.all(np.isfinite(found))


def test_the_figure_parts_clusters_by_lines():
    figure = structure_figures.similarity(scipy.sparse.csr_array(COUNTS), MEMBERS)
    assert len(figure.axes[0].lines) == 4


def test_names_of_a_cluster_are_spread_over_its_verticals():
    vertical_of_class = np.repeat([0, 1, 2, 3], [100, 30, 5, 10])
    classes = np.delete(np.arange(135), [3])
    chosen = report_structures.spread(classes, vertical_of_class)
    # Five of the small vertical, and what is left in turn.
    assert np.bincount(vertical_of_class[chosen]).tolist() == [18, 17, 5]
    assert chosen.tolist() == [0, 1, 2, *range(4, 19), *range(100, 117), *range(130, 135)]
    few = report_structures.spread(np.array([4, 110, 111]), vertical_of_class)
    assert few.tolist() == [110, 111, 4]
