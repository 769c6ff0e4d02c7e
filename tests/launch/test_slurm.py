"""The scripts for SLURM, submitted to a mocked SLURM: no cluster was ever at hand."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from kc_jax.preemption import EXIT_CODE
from tests.launch import fake_slurm

ROOT = pathlib.Path(__file__).parents[2]
SLURM = ROOT / "launch" / "slurm"

# Notes how it was called. Ends with the first status of `plan.json` for its vertical (or ""), if
# any is left there. `describe` finds three verticals, and a student of soft targets.
PYTHON = """
import json, os, pathlib
if sys.argv[1] == "-c":
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
folder = pathlib.Path(os.environ["FAKE_SLURM"])
slurm = {n: v for n, v in os.environ.items() if n.startswith(("SLURM_", "SRUN_"))}
with (folder / "calls.jsonl").open("a") as file:
    file.write(json.dumps([sys.argv[1:], slurm]) + chr(10))
options = dict(word.partition("=")[::2] for word in sys.argv[3:])
if options.get("--stages") == "describe":
    stages = options.get("--config.stages", "train_student").split(",")
    weight = float(options.get("--config.student.distill_weight", 1))
    workdir = pathlib.Path(options["--workdir"])
    (workdir / "describe.json").write_text('{"verticals": 3}')
    (workdir / "config.json").write_text(
        json.dumps({"stages": stages, "student": {"distill_weight": weight}}))
    sys.exit(0)
plan_file = folder / "plan.json"
plan = json.loads(plan_file.read_text()) if plan_file.exists() else {}
left = plan.get(options.get("--config.running.vertical", ""), [])
if not left:
    sys.exit(0)
status = left.pop(0)
new = folder / f"plan{os.getpid()}"
new.write_text(json.dumps(plan))
new.rename(plan_file)
sys.exit(status)
"""

# Meets the other tasks as JAX finds them by itself. Each says so in a file of its own: what two
# say on one pipe at once may mix.
JAX = """
import jax, os, pathlib
jax.distributed.initialize()
said = f"process {jax.process_index()} of {jax.process_count()}"
pathlib.Path(f"said{os.getpid()}").write_text(said)
jax.distributed.shutdown()
"""


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """Gives the folder of a mocked SLURM."""
    fake_slurm.install(tmp_path / "bin", python=PYTHON)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_SLURM", str(tmp_path))
    monkeypatch.setenv("GPUS_PER_NODE", "1")
    monkeypatch.setattr(fake_slurm, "FOLDER", tmp_path)
    monkeypatch.chdir(tmp_path)  # Options may be relative to where a user stands.
    return tmp_path


def submit(*options):
    return subprocess.run(
        [SLURM / "submit.sh", "--config=a b.py", *options], capture_output=True, text=True
    )


def calls(cluster):
    lines = (cluster / "calls.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_a_teacher_a_task_and_the_rest_after_them(cluster, monkeypatch):
    monkeypatch.setenv("NODES", "2")
    monkeypatch.setenv("GPUS_PER_NODE", "2")
    done = submit("--workdir=runs/a", "--config.seed=1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "generalist 4242, 3 teachers 4243, rest 4246"
    generalist, *teachers, rest = fake_slurm.jobs()
    assert [job["task"] for job in teachers] == [0, 1, 2]
    assert "dependency" not in generalist["options"]
    assert all(job["options"]["dependency"] == "afterok:4242" for job in teachers)
    assert rest["options"]["dependency"] == "afterok:4243"
    for job in (generalist, *teachers, rest):
        assert job["codes"] == [0] and job["options"]["requeue"]
        assert job["options"]["kill-on-invalid-dep"] == "yes"
        assert job["options"]["output"] == "runs/a/slurm/%x-%j.txt"
    common = ["-m", "kc_jax.main", "--config=a b.py", "--workdir=runs/a", "--config.seed=1"]
    by_stage = {}
    for words, slurm in calls(cluster)[1:]:
        auto = "--coordinator=auto" in words
        by_stage.setdefault(slurm["SLURM_JOB_NAME"], []).append(
            [w for w in words if w != "--coordinator=auto"]
        )
        assert auto == (slurm["SLURM_JOB_NAME"] != "teachers")
        assert slurm["SRUN_CPUS_PER_TASK"] == "8"
    assert by_stage["generalist"] == [[*common, "--stages=train_generalist"]] * 4
    assert by_stage["rest"] == [common] * 4
    assert by_stage["teachers"] == [
        [*common, "--stages=train_teachers", f"--config.running.vertical={v}"] for v in range(3)
    ]


def test_what_is_preempted_runs_again_and_keeps_the_rest_waiting(cluster):
    (cluster / "plan.json").write_text(json.dumps({"1": [EXIT_CODE, EXIT_CODE]}), "utf-8")
    assert submit("--workdir=runs/a").returncode == 0
    _, *teachers, rest = fake_slurm.jobs()
    assert [job["codes"] for job in teachers] == [[0], [EXIT_CODE, EXIT_CODE, 0], [0]]
    assert rest["codes"] == [0]
    counts = [slurm.get("SLURM_RESTART_COUNT") for words, slurm in calls(cluster)
              if "--config.running.vertical=1" in words]
    assert counts == [None, "1", "2"]


def test_restarts_have_an_end(cluster, monkeypatch):
    monkeypatch.setenv("RESTARTS", "1")
    (cluster / "plan.json").write_text(json.dumps({"1": [EXIT_CODE] * 9}), "utf-8")
    submit("--workdir=runs/a")
    _, *teachers, rest = fake_slurm.jobs()
    assert teachers[1]["codes"] == [EXIT_CODE, EXIT_CODE] and rest["codes"] == []


@pytest.mark.parametrize("vertical, ran", [("", [1, 0, 0, 0, 0]), ("2", [1, 1, 1, 1, 0])])
def test_nothing_follows_a_failure(cluster, vertical, ran):
    (cluster / "plan.json").write_text(json.dumps({vertical: [1]}), "utf-8")
    submit("--workdir=runs/a")
    assert [len(job["codes"]) for job in fake_slurm.jobs()] == ran


ALONE = "--config.student.distill_weight=0"


def test_a_student_of_labels_alone_waits_for_the_generalist_alone(cluster):
    done = submit("--workdir=runs/a", ALONE)
    assert done.returncode == 0, done.stderr
    said = "generalist 4242, 3 teachers 4243, student 4246, rest 4247"
    assert done.stdout.splitlines()[-1] == said
    student, rest = fake_slurm.jobs()[-2:]
    assert student["options"]["dependency"] == "afterok:4242"
    assert rest["options"]["dependency"] == "afterok:4243:4246"
    options = {slurm["SLURM_JOB_NAME"]: words for words, slurm in calls(cluster)[1:]}
    assert options["student"][-1] == "--stages=train_student"
    assert not any("--stages" in word for word in options["rest"])


def test_a_teacher_that_fails_takes_no_student_of_labels_with_it(cluster):
    (cluster / "plan.json").write_text(json.dumps({"2": [1]}), "utf-8")
    submit("--workdir=runs/a", ALONE)
    *_, student, rest = fake_slurm.jobs()
    assert student["codes"] == [0] and rest["codes"] == []


def test_a_student_that_fails_keeps_the_rest_waiting(cluster):
    (cluster / "plan.json").write_text(json.dumps({"": [0, 1]}), "utf-8")
    submit("--workdir=runs/a", ALONE)
    *_, student, rest = fake_slurm.jobs()
    assert student["codes"] == [1] and rest["codes"] == []


def test_no_student_is_trained_that_is_not_configured(cluster):
    submit("--workdir=runs/a", ALONE, "--config.stages=train_generalist,train_teachers")
    assert "student" not in [job["options"]["job-name"] for job in fake_slurm.jobs()]


def test_the_number_of_verticals_may_be_given(cluster, monkeypatch):
    monkeypatch.setenv("VERTICALS", "5")
    monkeypatch.setenv("TEACHERS_AT_ONCE", "4")
    monkeypatch.setenv("GPUS_PER_TEACHER", "2")
    assert submit("--workdir=runs/a").returncode == 0
    teachers = fake_slurm.jobs()[1:-1]
    assert len(teachers) == 5 and teachers[0]["options"]["array"] == "0-4%4"
    assert teachers[0]["options"]["cpus-per-task"] == "16"
    assert teachers[0]["options"]["gpus-per-node"] == "2"
    assert not any("--stages=describe" in words for words, _ in calls(cluster))


def test_a_missing_workdir_is_named(cluster):
    done = submit()
    assert done.returncode == 2 and "--workdir=FOLDER is missing" in done.stderr
    assert not (cluster / "jobs.jsonl").exists()


def test_jax_finds_the_other_tasks_by_itself(cluster, monkeypatch):
    """Two tasks meet through `jax.distributed.initialize()`, which reads SLURM's environment."""
    (cluster / "meet.py").write_text(JAX, encoding="utf-8")
    (cluster / "bin" / "python").write_text(
        f"#!/usr/bin/env bash\nexec {sys.executable} {cluster / 'meet.py'}\n", encoding="utf-8"
    )
    monkeypatch.setenv("FAKE_NODES", "localhost")
    done = subprocess.run(
        ["sbatch", "--nodes=1", "--ntasks-per-node=2", "--cpus-per-task=1", "--job-name=meet",
         SLURM / "job.sbatch"], capture_output=True, text=True, timeout=120,
    )
    assert done.returncode == 0, done.stderr
    said = sorted(file.read_text() for file in cluster.glob("said*"))
    assert said == ["process 0 of 2", "process 1 of 2"], done.stderr
