"""Each case of bad input ends as it should; `python -m tests.faults.bad_inputs` counts them."""

import collections
import dataclasses
import shlex
import subprocess
import sys

import pytest

from tests.faults import bad_inputs, bad_requests, case, commands

pytest.importorskip("datasets")
pytest.importorskip("onnx")
ALONE = ["unknown stage", "empty folder", "no such predictions", "unknown vertical", "port beyond"]


def named(found):
    return f"{found.area}: {found.name}"


@pytest.fixture(scope="session")
def runner(tmp_path_factory):
    with commands.open_commands(tmp_path_factory.mktemp("home")) as opened:
        yield opened


@pytest.fixture(scope="session")
def places(tmp_path_factory):
    return tmp_path_factory.mktemp("cases")


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with bad_requests.open_client(tmp_path_factory.mktemp("served") / "small") as opened:
        yield opened


@pytest.mark.slow
@pytest.mark.parametrize("asked", bad_inputs.COMMANDS, ids=named)
def test_a_command_that_cannot_be_ends_in_one_line_or_counts_what_it_skips(asked, runner, places):
    folder = places / str(bad_inputs.COMMANDS.index(asked))
    folder.mkdir()
    done = asked.run(runner, folder)
    assert asked.verdict(done) == asked.kind, done.err[-3000:] + done.out[-3000:]


@pytest.mark.parametrize("asked", bad_inputs.REQUESTS, ids=named)
def test_a_request_that_cannot_be_is_answered_in_one_line(asked, client):
    answer = asked.run(client, None)
    assert asked.verdict(answer) == asked.kind, getattr(answer, "text", answer)


@pytest.mark.slow
@pytest.mark.parametrize("name", ALONE)
def test_a_forked_command_says_what_a_process_says(name, runner, places):
    asked = next(each for each in bad_inputs.COMMANDS if each.name == name)
    folder = places / f"alone {ALONE.index(name)}"
    folder.mkdir()
    forked = asked.run(runner, folder)
    argv = [word.replace("{root}", str(folder)) for word in shlex.split(asked.command)]
    alone = subprocess.run(
        [sys.executable, "-m", *argv], cwd=commands.ROOT, env=commands.environment_of(places),
        capture_output=True, text=True, timeout=240,
    )
    assert (alone.returncode, alone.stderr) == (forked.status, forked.err)
    assert asked.verdict(forked) == case.REFUSED


def test_there_are_cases_of_every_area_and_no_two_of_a_name():
    cases = [*bad_inputs.COMMANDS, *bad_inputs.REQUESTS]
    assert len(cases) >= 100 and len({each.area for each in cases}) == 9
    assert all(count == 1 for count in collections.Counter(map(named, cases)).values())
    refused = [each for each in bad_inputs.COMMANDS if each.kind == case.REFUSED]
    assert all(len(each.words) >= 2 for each in refused), [
        each.name for each in refused if len(each.words) < 2
    ]


@pytest.mark.parametrize("status, err, out, verdict", [
    (1, "kc_jax: x is bad; mend y\n", "", case.REFUSED),
    (2, "usage: …\nm: error: x is bad; mend y\n", "", case.REFUSED),
    (1, "kc_jax: x is\nbad; mend y\n", "", case.WRONG),
    (1, "kc_jax: x is bad\n", "", case.WRONG),
    (0, "kc_jax: x is bad; mend y\n", "x y", case.WRONG),
    (1, "Traceback …\nkc_jax: x is bad; mend y\n", "", case.TRACEBACK),
    (commands.HANG, "", "", case.HANGS),
])
def test_what_is_not_as_it_should_be_is_told(status, err, out, verdict):
    asked = case.Case("area", "name", "command", ("x", "mend y"))
    assert asked.verdict(commands.Done(status, out, err)) == verdict
    for kind in (case.SKIPPED, case.ACCEPTED):
        found = dataclasses.replace(asked, kind=kind).verdict(commands.Done(0, "x", "mend y"))
        assert found == kind


def test_the_table_has_a_row_an_area_and_one_for_all():
    counts = {"a": collections.Counter({case.REFUSED: 2}),
              "b": collections.Counter({case.REFUSED: 1, case.SKIPPED: 3})}
    assert bad_inputs.table(counts).splitlines()[2:] == [
        "| a | 2 | 2 | 0 | 0 | 0 | 0 | 0 |", "| b | 4 | 1 | 3 | 0 | 0 | 0 | 0 |",
        "| all | 6 | 3 | 3 | 0 | 0 | 0 | 0 |",
    ]
