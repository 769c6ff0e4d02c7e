"""The server answers what its own description allows as that says, and never breaks."""

import pytest
from hypothesis import given

from tests.bundle import small
from tests.fuzz import drawn
from tests.serve.running import server

schemathesis = pytest.importorskip("schemathesis")
# Which verticals there are, and what is an image, the description cannot say.
UNSAID = ["positive_data_acceptance"]


def statuses_of(operation) -> set[int]:
    """Asks as the description allows, or forbids; gives the statuses of the answers."""
    statuses = set()
    excluded = schemathesis.checks.CHECKS.get_by_names(UNSAID)

    @drawn(60)
    @given(operation.as_strategy())
    def ask(case):
        statuses.add(case.call_and_validate(excluded_checks=excluded).status_code)

    ask()
    return statuses


@pytest.mark.slow
def test_the_server_keeps_to_its_description(tmp_path):
    directory = small.write(tmp_path / "small", calibration=small.CALIBRATION)
    with server(directory) as (_, port):
        schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{port}/openapi.json")
        operations = [found.ok() for found in schema.get_all_operations()]
        statuses = {operation.label: statuses_of(operation) for operation in operations}
    assert statuses["GET /healthz"] == {200}
    assert {200, 400} <= statuses["POST /v1/predict"] <= {200, 400, 413, 422}
