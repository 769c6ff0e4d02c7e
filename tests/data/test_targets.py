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
    weight = np.full(3, 0.75)
    ids, probs = mix(label_targets([[4], [], [7]]), soft, weight)(RECORDS, VIEWS).values()
    np.testing.assert_array_equal(ids, [[7, 3], [4, 5]])
    np.testing.assert_allclose(probs, [[0.25, 0.375], [0.25, 0.1875]])
    assert probs.dtype == np.float32


def test_records_have_weights_of_their_own():
    weight = np.array([1.0, 0.0, 0.3])
    mixed = mix(label_targets([[4], [], [7]]), soft, weight)(RECORDS, VIEWS)
    np.testing.assert_array_equal(
        mixed["target_probs"], np.float32([[0.7, np.float32(0.3) * np.float32(0.5)], [0, 0.25]])
    )


def test_a_teacher_beside_labels_changes_neither():
    labels = label_targets([[4], [], [7]])
    both = beside(labels, soft)(RECORDS, VIEWS)
    np.testing.assert_array_equal(both["teacher_ids"], [[3], [5]])
    np.testing.assert_array_equal(both["teacher_probs"], np.float32([[0.5], [0.25]]))
    for name, array in labels(RECORDS, VIEWS).items():
        np.testing.assert_array_equal(both[name], array)
