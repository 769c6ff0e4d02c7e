"""Some of the faults that `benchmarks.faults` and `benchmarks.lost_hosts` try by the dozen."""

import pytest

from kc_jax import preemption
from tests.benchmarks.test_benchmarks import figures


@pytest.mark.slow
def test_packing_goes_on_where_it_was_killed():
    row = figures("faults", "--job=prepare", "--fault=kill", "--photos=300")
    assert row["stage"] == "prepare"
    assert row["tried"] == row["ended as asked"] == row["recovered"] == 1


@pytest.mark.slow
def test_a_process_that_is_killed_ends_the_other():
    row = figures(
        "lost_hosts", "--loss=kill", "--lost=1", "--stages=train_generalist", "--patience=30"
    )
    assert row["statuses"] == str(preemption.EXIT_CODE)
    assert row["tried"] == row["named"] == 1 and row["all recovered"]
