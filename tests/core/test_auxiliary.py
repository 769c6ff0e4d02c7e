import numpy as np
import pytest

from kc_jax.core.auxiliary import AuxiliarySpec


def test_places_of_classes_where_clusters_follow_one_another():
    spec = AuxiliarySpec((1, 0, 2, 1, 0), (4,), "backbone")
    assert spec.sizes == (2, 2, 1)
    in_clusters = np.array([1, 4, 0, 3, 2])
    np.testing.assert_array_equal(in_clusters[spec.place_of_class], np.arange(5))


@pytest.mark.parametrize("arguments, message", [
    (((0, 1), (4,), "logits"), "attach is 'logits'; expected 'backbone' or 'trunk'"),
    (((0, 1), (), "trunk"), r"widths are \(\); expected at least one"),
    (((0, 1), (4, 0), "trunk"), r"widths are \(4, 0\); expected .* each at least 1"),
    (((0, 2), (4,), "trunk"), "cluster 1 has no classes"),
])
def test_what_cannot_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        AuxiliarySpec(*arguments)
