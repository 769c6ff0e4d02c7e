"""A few of the faults that `python -m benchmarks.faults` tries by the dozen."""

import pytest

from tests.benchmarks.test_benchmarks import figures


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["kill", "term"])
def test_packing_goes_on_where_it_was_ended(fault):
    row = figures("faults", "--job=prepare", f"--fault={fault}", "--photos=300")
    assert row["stage"] == "prepare"
    assert row["tried"] == row["ended as asked"] == row["recovered"] == 1


@pytest.mark.slow
def test_generations_end_bit_identical_after_a_kill():
    row = figures("faults", "--job=generations", "--stages=run_generations")
    assert row["tried"] == row["ended as asked"] == row["recovered"] == 1
