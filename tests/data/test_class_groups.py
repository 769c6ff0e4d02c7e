import numpy as np
import pytest

from kc_jax.core.label_space import from_sizes
from kc_jax.data import class_groups

SPACE = from_sizes((2, 3))


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "clusters.csv"
    class_groups.write(path, SPACE, np.array([2, 0, 1, 1, 0]))
    assert class_groups.read(path, SPACE) == (2, 0, 1, 1, 0)
    assert path.read_text("utf-8").splitlines()[1] == "0,vertical_00/0,vertical_00,2"


def test_rows_come_in_any_order(tmp_path):
    path = tmp_path / "clusters.csv"
    class_groups.write(path, SPACE, np.array([2, 0, 1, 1, 0]))
    head, *rows = path.read_text("utf-8").splitlines()
    path.write_text("\n".join([head, *reversed(rows)]), "utf-8")
    assert class_groups.read(path, SPACE) == (2, 0, 1, 1, 0)


@pytest.mark.parametrize("content, message", [
    (None, "cannot be read as groups of classes .FileNotFoundError"),
    ("class_id,name\n0,a\n", "KeyError: 'cluster'.*expected a CSV with the columns class_id"),
    ("class_id,name,cluster\nx,a,0\n", "ValueError"),
    ("class_id,name,cluster\n" + "".join(
        f"{c},{name},{3 * (c > 2)}\n" for c, name in enumerate(SPACE.names)
    ), "has no class in cluster 1; number its 2 clusters from 0"),
    ("class_id,name,cluster\n" + "".join(
        f"{c},{name},{c - 1}\n" for c, name in enumerate(SPACE.names)
    ), "has no class in cluster 4"),
    ("class_id,name,cluster\n0,a,0\n", "is about 1 other classes than the 5 of the label space"),
])
def test_another_file_is_named(tmp_path, content, message):
    path = tmp_path / "clusters.csv"
    if content is not None:
        path.write_text(content, "utf-8")
    with pytest.raises(class_groups.ClassGroupsError, match=message):
        class_groups.read(path, SPACE)
