"""What a label of a dataset means in a label space: a class, or at least a vertical."""

import collections
from collections.abc import Callable

from kc_jax.core.label_space import LabelSpace


def path_of(label: str | int) -> str:
    """Gives a label as a path without slashes around it."""
    return str(label).strip("/")


def class_finder(space: LabelSpace) -> Callable[[str | int], int | None]:
    """Gives the function from a label to its class id, or None: by path, name, or the id itself.

    A label that begins with a vertical's name is a class of that vertical.
    """
    id_of_path = {path: c for c, path in enumerate(space.paths) if path}
    ids_of_name = collections.defaultdict(list)
    for class_id, name in enumerate(space.names):
        ids_of_name[name].append(class_id)

    def in_vertical(class_id: int, vertical: str) -> bool:
        own = space.verticals[space.vertical_of_class[class_id]]
        return own == vertical or vertical not in space.verticals

    def class_id_of(label: str | int) -> int | None:
        if isinstance(label, str):
            path = path_of(label)
            if path in id_of_path:
                return id_of_path[path]
            vertical, slash, _ = path.partition("/")
            for name in (label, path.rsplit("/", 1)[-1]):
                if name in ids_of_name:  # A name of several classes says nothing.
                    ids = [c for c in ids_of_name[name]
                           if not slash or in_vertical(c, vertical)]
                    return ids[0] if len(ids) == 1 else None
        is_id = str(label).isdecimal() and len(str(label)) < 19  # Longer ones are slow to read.
        return int(label) if is_id and int(label) < space.num_classes else None

    return class_id_of


def vertical_finder(space: LabelSpace) -> Callable[[str | int], int | None]:
    """Gives the function from what tells an image's vertical to its id, or None.

    That is its name, a path that begins with it, or a class of it; a path that ends in a slash is
    no class. Where there is one vertical alone, every image is of it.
    """
    id_of_name = {name: v for v, name in enumerate(space.verticals)}
    class_id_of = class_finder(space)

    def vertical_of(label: str | int) -> int | None:
        if space.num_verticals == 1:
            return 0
        if isinstance(label, str):
            name = path_of(label).split("/")[0]
            if name in id_of_name or label.endswith("/"):
                return id_of_name.get(name)
        class_id = class_id_of(label)
        return None if class_id is None else int(space.vertical_of_class[class_id])

    return vertical_of
