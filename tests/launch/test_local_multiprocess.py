"""Several processes on this machine: they meet, their lines are told apart, none is left behind."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest

from launch import local_multiprocess

ROOT = pathlib.Path(__file__).parents[2]

MEETING = """
import jax
from absl import app, flags

COORDINATOR = flags.DEFINE_string("coordinator", None, "")
NUM_PROCESSES = flags.DEFINE_integer("num_processes", None, "")
PROCESS_ID = flags.DEFINE_integer("process_id", None, "")

def main(argv):
    jax.distributed.initialize(COORDINATOR.value, NUM_PROCESSES.value, PROCESS_ID.value)
    ones = jax.pmap(lambda x: jax.lax.psum(x, "all"), axis_name="all")(
        jax.numpy.ones(jax.local_device_count()))
    print("devices", jax.local_device_count(), jax.device_count(), "sum", int(ones[0]))

app.run(main)
"""

# Each says who it is; what it does then is its own business.
BEGIN = """
import os, pathlib, signal, subprocess, sys, time
me = int(next(a for a in sys.argv if a.startswith("--process_id=")).split("=")[1])
folder = pathlib.Path(os.environ["FOLDER"])
runs = folder / f"runs{me}"
runs.write_text(f"{runs.read_text() if runs.exists() else ''}.")
times = len(runs.read_text())
"""


@pytest.fixture
def start(tmp_path):
    """Gives a function that starts the launcher on a program's text; ends it after the test."""
    started = []

    def run(program, *options):
        file = tmp_path / "program.py"
        file.write_text(program, encoding="utf-8")
        process = subprocess.Popen(
            [sys.executable, "-m", "launch.local_multiprocess", *options,
             "--", sys.executable, str(file)],
            cwd=ROOT, env={**os.environ, "FOLDER": str(tmp_path), "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def finished(process, seconds=60):
    output, errors = process.communicate(timeout=seconds)
    return process.returncode, output, errors


def runs_of(folder, number):
    return len((folder / f"runs{number}").read_text(encoding="utf-8"))


def test_processes_meet_and_see_each_others_devices(start):
    status, output, errors = finished(
        start(MEETING, "--num_processes=2", "--devices_per_process=3"))
    assert status == 0, errors
    said = [line for line in output.splitlines() if " devices " in line]  # Gloo speaks too.
    assert sorted(said) == [f"[{i}] devices 3 6 sum 6" for i in (0, 1)]


def test_lines_of_both_streams_bear_their_process(start):
    program = BEGIN + "print('out', me)\nprint('err', me, end='', file=sys.stderr)"
    status, output, errors = finished(start(program, "--num_processes=3"))
    assert status == 0
    assert sorted(output.splitlines()) == [f"[{i}] out {i}" for i in range(3)]
    assert sorted(errors.splitlines()) == [f"[{i}] err {i}" for i in range(3)]


def test_one_that_fails_ends_all(start, tmp_path):
    """Process 1 fails; 0 ends when asked, 2 heeds nothing and has a child, and both are killed."""
    program = BEGIN + """
if me == 2:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    (folder / "child").write_text(str(child.pid))
if me == 1:
    while not (folder / "child").exists() or not (folder / "child").read_text():
        time.sleep(0.05)
    sys.exit(3)
time.sleep(600)
"""
    process = start(program, "--num_processes=3", "--grace=0.5", "--restarts=5")
    status, _, errors = finished(process)
    assert status == 3
    assert "process 1 of 3 ended with status 3" in errors
    assert "0.5 s after it was asked to end is killed" in errors
    assert [runs_of(tmp_path, i) for i in range(3)] == [1, 1, 1]
    assert not is_running(int((tmp_path / "child").read_text(encoding="utf-8")))


def is_running(number):
    """Tells whether a process runs; one that has ended may wait for its parent to see it."""
    try:
        status = pathlib.Path(f"/proc/{number}/status").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    return "State:\tZ" not in status


PREEMPTED = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(75))
""" + BEGIN + """
if me == 0 and times <= int(os.environ["TIMES"]):
    while not (folder / "runs1").exists() or len((folder / "runs1").read_text()) < times:
        time.sleep(0.05)
    sys.exit(75)
if times <= int(os.environ["TIMES"]):
    time.sleep(600)
print("done after", times)
"""


@pytest.mark.parametrize("times, restarts, status, runs", [(2, 3, 0, 3), (2, 1, 75, 2)])
def test_a_preempted_run_is_started_again(
    start, tmp_path, monkeypatch, times, restarts, status, runs
):
    monkeypatch.setenv("TIMES", str(times))
    process = start(PREEMPTED, "--num_processes=2", f"--restarts={restarts}", "--grace=20")
    ended, output, errors = finished(process)
    assert ended == status, errors
    assert [runs_of(tmp_path, i) for i in (0, 1)] == [runs, runs]
    assert ("[0] done after 3" in output) == (status == 0)
    assert ("no restart is left" in errors) == (status == 75)


def test_a_signal_to_the_launcher_reaches_all_and_starts_nothing_again(start, tmp_path):
    program = BEGIN + """
signal.signal(signal.SIGTERM, lambda *_: sys.exit(75))
print("ready")
time.sleep(600)
"""
    process = start(program, "--num_processes=2", "--restarts=5", "--grace=20")
    ready = [process.stdout.readline() for _ in range(2)]
    assert sorted(ready) == ["[0] ready\n", "[1] ready\n"]
    process.terminate()
    assert finished(process)[0] == 75
    assert [runs_of(tmp_path, i) for i in (0, 1)] == [1, 1]


def test_a_crash_counts_more_than_a_preemption_and_a_signal_has_its_number(start):
    program = BEGIN + """
if me == 0:
    sys.exit(75)
os.kill(os.getpid(), signal.SIGKILL)
"""
    processes = [ended(75), ended(-signal.SIGKILL), ended(0)]
    assert local_multiprocess._failure(processes) == 128 + signal.SIGKILL
    assert local_multiprocess._failure([ended(0), ended(75)]) == 75
    assert finished(start(program, "--num_processes=2"))[0] in (75, 137)


def ended(status):
    """Gives a process that has ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    process.returncode = status
    return process


def test_options_alone_are_those_of_the_main_command():
    _, command = local_multiprocess._parse(["--", "--config=a.py"])
    assert command == [sys.executable, "-m", "kc_jax.main", "--config=a.py"]
    options, command = local_multiprocess._parse(["--num_processes=4", "--", "true", "x"])
    assert command == ["true", "x"] and options.num_processes == 4


@pytest.mark.parametrize("options, words", [
    (["--num_processes=0"], "0 is below 1"),
    (["--restarts=-1"], "-1 is below 0"),
    (["--grace=soon"], "invalid float value: 'soon'"),
    (["--", "no-such-program"], "cannot be started"),
])
def test_mistakes_end_in_a_line(options, words):
    done = subprocess.run(
        [sys.executable, "-m", "launch.local_multiprocess", *options],
        cwd=ROOT, capture_output=True, text=True,
    )
    assert done.returncode and words in done.stderr and "Traceback" not in done.stderr
