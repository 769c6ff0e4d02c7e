import pytest

from kc_jax.core import label_space
from kc_jax.data import label_finder

SPACE = label_space.from_rows([
    {"class_id": 0, "name": "eagle", "vertical": "birds", "path": "birds/eagle"},
    {"class_id": 1, "name": "jaguar", "vertical": "birds", "path": "birds/jaguar"},
    {"class_id": 2, "name": "jaguar", "vertical": "cars", "path": "cars/jaguar"},
    {"class_id": 3, "name": "sedan", "vertical": "cars", "path": "cars/closed/sedan"},
])
NUMBERED = label_space.from_rows([
    {"class_id": i, "name": f"n{i}", "vertical": str(i // 3), "path": f"{i // 3}/n{i}"}
    for i in range(6)
])


@pytest.mark.parametrize("label, class_id", [
    ("birds/eagle", 0), ("/birds/eagle/", 0), ("eagle", 0), ("anything/eagle", 0), (3, 3), ("3", 3),
    ("cars/sedan", 3), ("cars/jaguar", 2), ("cars/open/jaguar", 2), ("anything/jaguar", None),
    ("jaguar", None), ("cars/eagle", None), ("birds/sedan", None), ("cars", None), (4, None),
])
def test_a_class_is_found_by_path_name_or_id_but_in_no_other_vertical(label, class_id):
    assert label_finder.class_finder(SPACE)(label) == class_id


@pytest.mark.parametrize("label, vertical", [
    ("1/", 1), ("0/", 0), ("1", 1), ("2/", None), ("n1/", None), ("n1", 0), (4, 1), (1, 0),
    ("1/whatever", 1), ("no/n4", 1),
])
def test_a_number_is_a_vertical_where_it_is_one_and_else_a_class(label, vertical):
    assert label_finder.vertical_finder(NUMBERED)(label) == vertical
