import numpy as np

from kc_jax.data.targets import beside, label_targets, mix

RECORDS, VIEWS = np.array([2, 0]), np.array([0, 3])


def test_labels_become_padded_positives():
    ids, probs = label_targets([[4], [], [7, 1, 7]])(RECORDS, VIEWS).values()
    np.testing.assert_array_equal(ids[0, :2], [1, 7])
    np.testing.assert_array_equal(probs, [[1, 1, 0], [1, 0, 0]])
    assert ids[1, 0] == 4 and ids.dtype == np.int32 and probs.dtype == np.float32


def soft(records, views):
    return np.array([[3], [5]], np.int32), np.array([[0.5], [0.25]], np.float32)


def test_a_mixture_weighs_both_sides():
    ids, probs = mix(label_targets([[4], [], [7]]), soft, 0.75)(RECORDS, VIEWS).values()
    np.testing.assert_array_equal(ids, [[7, 3], [4, 5]])
    np.testing.assert_allclose(probs, [[0.25, 0.375], [0.25, 0.1875]])
    assert probs.dtype == np.float32


def test_a_teacher_beside_labels_changes_neither():
    labels = label_targets([[4], [], [7]])
    both = beside(labels, soft)(RECORDS, VIEWS)
    np.testing.assert_array_equal(both["teacher_ids"], [[3], [5]])
    np.testing.assert_array_equal(both["teacher_probs"], np.float32([[0.5], [0.25]]))
    for name, array in labels(RECORDS, VIEWS).items():
        np.testing.assert_array_equal(both[name], array)
