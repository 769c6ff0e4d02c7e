"""The same classes in other verticals, such as clusters of what a network confuses."""

from collections.abc import Sequence

import numpy as np

from kc_jax.core.label_space import LabelSpace


def regroup(space: LabelSpace, group_of_class: Sequence[int]) -> tuple[LabelSpace, np.ndarray]:
    """Makes a vertical of every group of classes; ids change, since a vertical's are contiguous.

    Args:
      space: of the classes.
      group_of_class: C numbers of groups, from 0, none left out.

    Returns:
      The label space, in which a class's parent is its nearest ancestor in its own group, and the
      new id of every class, i64[C].

    Raises:
      ValueError: there are more or fewer numbers than classes.
    """
    groups = np.asarray(group_of_class)
    if groups.shape != (space.num_classes,):
        raise ValueError(f"{groups.size} classes have a group; expected {space.num_classes}")
    old_ids = np.argsort(groups, kind="stable")
    new_ids = np.argsort(old_ids)

    def parent(class_id: int) -> int | None:
        own = (a for a in space.ancestors[class_id] if groups[a] == groups[class_id])
        nearest = next(own, None)
        return None if nearest is None else int(new_ids[nearest])

    sizes = np.bincount(groups)
    digits = len(str(len(sizes) - 1))
    regrouped = LabelSpace(
        names=tuple(space.names[c] for c in old_ids),
        paths=tuple(space.paths[c] for c in old_ids),
        parents=tuple(parent(c) for c in old_ids),
        verticals=tuple(f"group_{group:0{digits}d}" for group in range(len(sizes))),
        sizes=tuple(sizes.tolist()),
    )
    return regrouped, new_ids
