"""The script for Cloud TPU, against a mocked gcloud: no TPU was ever at hand."""

import json
import os
import pathlib
import shlex
import subprocess
import sys

import pytest

SCRIPT = pathlib.Path(__file__).parents[2] / "launch" / "cloud_tpu" / "run.sh"

# States that `describe` gives one after the other, the last for ever, and statuses of `ssh` come
# from plan.json; a request that was deleted is NONE until it is made.
GCLOUD = """
import json, pathlib, sys
folder = pathlib.Path(__file__).parents[1]
with (folder / "calls.jsonl").open("a") as file:
    file.write(json.dumps(sys.argv[1:]) + chr(10))
plan = json.loads((folder / "plan.json").read_text())
def take(name):
    found = plan[name].pop(0) if len(plan[name]) > 1 else plan[name][0]
    (folder / "plan.json").write_text(json.dumps(plan))
    return found
group, verb = sys.argv[3:5]
if verb == "describe":
    state = take("states")
    if state == "NONE":
        sys.exit("NOT_FOUND")
    print(state)
if verb == "ssh":
    sys.exit(take("statuses"))
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Gives a function that runs the script; it returns the process and what gcloud was asked."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gcloud").write_text(f"#!{sys.executable}\n{GCLOUD}", encoding="utf-8")
    (tmp_path / "bin" / "gcloud").chmod(0o755)

    def start(states, statuses, *options, **variables):
        (tmp_path / "calls.jsonl").unlink(missing_ok=True)
        (tmp_path / "plan.json").write_text(json.dumps({"states": states, "statuses": statuses}))
        environment = {
            **os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "NAME": "paper",
            "ZONE": "us-west4-a", "SETUP": "cd kc_jax", "POLL_SECONDS": "0", **variables,
        }
        done = subprocess.run(
            ["bash", SCRIPT, *options], env=environment, capture_output=True, text=True, timeout=60
        )
        calls = tmp_path / "calls.jsonl"
        lines = calls.read_text(encoding="utf-8").splitlines() if calls.exists() else []
        return done, [json.loads(line) for line in lines]

    return start


def verbs(calls):
    return [call[3] for call in calls if call[3] != "describe"]


def test_a_slice_is_made_used_and_given_back(run):
    states = ["NONE", "CREATING", "WAITING_FOR_RESOURCES", "PROVISIONING", "ACTIVE"]
    done, calls = run(states, [0], "--config=a b.py", "--workdir=/runs/a")
    assert done.returncode == 0, done.stderr
    assert verbs(calls) == ["create", "ssh", "delete"]
    create, ssh = (next(c for c in calls if c[3] == verb) for verb in ("create", "ssh"))
    assert create[:5] == ["compute", "tpus", "queued-resources", "create", "paper"]
    assert {"--zone=us-west4-a", "--node-id=paper", "--spot", "--accelerator-type=v5litepod-16",
            "--runtime-version=v2-alpha-tpuv5-lite"} <= set(create)
    assert ssh[:5] == ["compute", "tpus", "tpu-vm", "ssh", "paper"] and "--worker=all" in ssh
    [remote] = [word.removeprefix("--command=") for word in ssh if word.startswith("--command=")]
    assert shlex.split(remote) == [
        "cd", "kc_jax", "&&", "exec", "python", "-m", "kc_jax.main", "--coordinator=auto",
        "--config=a b.py", "--workdir=/runs/a",
    ]


def test_a_single_host_needs_no_coordinator(run):
    _, calls = run(["ACTIVE"], [0], "--config.running.vertical=3", COORDINATOR="")
    [remote] = [word for call in calls for word in call if word.startswith("--command=")]
    assert shlex.split(remote)[-2:] == ["kc_jax.main", "--config.running.vertical=3"]


def test_a_slice_that_was_taken_away_is_replaced(run):
    """The connection breaks (255), the slice is suspended; then a notice alone comes (75)."""
    states = ["ACTIVE", "SUSPENDED", "SUSPENDED", "NONE", "PROVISIONING", "ACTIVE"]
    done, calls = run(states, [255, 75, 0])
    assert done.returncode == 0, done.stderr
    assert verbs(calls) == ["ssh", "delete", "create", "ssh", "ssh", "delete"]


def test_restarts_have_an_end(run):
    done, calls = run(["ACTIVE"], [75], RESTARTS="2")
    assert done.returncode == 75 and "no restart is left" in done.stderr
    assert verbs(calls) == ["ssh"] * 3 + ["delete"]


@pytest.mark.parametrize("keep, verb", [("0", ["ssh", "delete"]), ("1", ["ssh"])])
def test_a_failure_is_not_tried_again(run, keep, verb):
    done, calls = run(["ACTIVE"], [1], KEEP=keep)
    assert done.returncode == 1 and verbs(calls) == verb


def test_a_request_that_fails_is_named(run):
    done, calls = run(["NONE", "FAILED"], [0])
    assert done.returncode == 1 and "the request for paper failed" in done.stderr
    assert verbs(calls) == ["create", "delete"]


@pytest.mark.parametrize("variable", ["NAME", "ZONE", "SETUP"])
def test_what_is_missing_is_named(run, variable):
    done, calls = run(["ACTIVE"], [0], **{variable: ""})
    assert done.returncode == 2 and calls == []
    assert f"the variable {variable} is not set" in done.stderr
