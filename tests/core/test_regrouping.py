import numpy as np
import pytest

from kc_jax.core.label_space import LabelSpace
from kc_jax.core.regrouping import regroup

SPACE = LabelSpace(
    names=("animal", "bird", "wren", "owl", "sedan", "truck"),
    paths=("a", "a/b", "a/b/w", "a/b/o", "s", "t"),
    parents=(None, 0, 1, 1, None, None),
    verticals=("animals", "cars"),
    sizes=(4, 2),
)
GROUPS = (1, 0, 1, 0, 0, 2)


def test_classes_keep_their_names_and_paths_under_new_ids():
    regrouped, new_ids = regroup(SPACE, GROUPS)
    assert regrouped.sizes == (3, 2, 1) and regrouped.verticals == ("group_0", "group_1", "group_2")
    for old, new in enumerate(new_ids):
        assert regrouped.names[new] == SPACE.names[old] and regrouped.paths[new] == SPACE.paths[old]
        assert regrouped.vertical_of_class[new] == GROUPS[old]


def test_a_parent_is_the_nearest_ancestor_in_the_same_group():
    regrouped, new_ids = regroup(SPACE, GROUPS)
    parents = {
        regrouped.names[c]: None if p is None else regrouped.names[p]
        for c, p in enumerate(regrouped.parents)
    }
    # A wren's parent, bird, is in another group; animal is in its own.
    assert parents == {
        "animal": None, "bird": None, "wren": "animal", "owl": "bird", "sedan": None, "truck": None,
    }


def test_groups_that_are_the_verticals_change_nothing_but_their_names():
    regrouped, new_ids = regroup(SPACE, SPACE.vertical_of_class)
    np.testing.assert_array_equal(new_ids, np.arange(6))
    assert regrouped.names == SPACE.names and regrouped.parents == SPACE.parents


def test_every_class_needs_a_group():
    with pytest.raises(ValueError, match="5 classes have a group; expected 6"):
        regroup(SPACE, GROUPS[:5])
    with pytest.raises(ValueError, match="vertical 'group_1' has no classes"):
        regroup(SPACE, (0, 0, 0, 2, 2, 2))
