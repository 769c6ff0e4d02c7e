"""One of the faults that `python -m benchmarks.faults` tries by the dozen."""

import pytest

from tests.benchmarks.test_benchmarks import figures


@pytest.mark.slow
def test_packing_goes_on_where_it_was_killed():
    row = figures("faults", "--job=prepare", "--fault=kill", "--photos=300")
    assert row["stage"] == "prepare"
    assert row["tried"] == row["ended as asked"] == row["recovered"] == 1
