import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from kc_jax import run_lock

HOLDER = """
import pathlib, sys, time
from kc_jax import run_lock
with run_lock.locked(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_run_is_refused_and_told_who_works_there(tmp_path, holder):
    with pytest.raises(run_lock.WorkdirInUseError) as caught, run_lock.locked(tmp_path):
        pass
    assert str(tmp_path) in str(caught.value) and f"process {holder.pid} on " in str(caught.value)
    assert "another --workdir" in str(caught.value)


def test_a_killed_run_keeps_nobody_out(tmp_path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert json.loads((tmp_path / run_lock.FILE).read_text())["pid"] == holder.pid
    start = time.monotonic()
    with run_lock.locked(tmp_path):
        assert json.loads((tmp_path / run_lock.FILE).read_text())["pid"] == os.getpid()
    assert time.monotonic() - start < 5


def test_a_run_that_ended_leaves_an_empty_file(tmp_path):
    for _ in range(2):
        with run_lock.locked(tmp_path):
            pass
        assert (tmp_path / run_lock.FILE).read_text() == ""


@pytest.fixture
def of_another_host(tmp_path, monkeypatch):
    monkeypatch.setattr(run_lock, "STALE_SECONDS", 0.5)
    path = tmp_path / run_lock.FILE
    path.write_text(json.dumps({"host": "elsewhere", "pid": 7, "since": "noon"}))
    return path


def test_a_dead_run_of_another_host_is_waited_for(tmp_path, of_another_host):
    start = time.monotonic()
    with run_lock.locked(tmp_path):
        assert time.monotonic() - start >= 0.5


def test_the_lock_of_a_dead_host_is_waited_for(tmp_path, holder, monkeypatch):
    """As a file server keeps it for a while."""
    monkeypatch.setattr(run_lock, "STALE_SECONDS", 0.5)
    path = tmp_path / run_lock.FILE
    path.write_text(json.dumps({"host": "elsewhere", "pid": 7, "since": "noon"}))
    monkeypatch.setattr(run_lock, "LEASE_SECONDS", 0.2)
    with (
        pytest.raises(run_lock.WorkdirInUseError, match=f"remove {path}"), run_lock.locked(tmp_path)
    ):
        pass
    monkeypatch.setattr(run_lock, "LEASE_SECONDS", 60.0)
    threading.Timer(1.0, holder.kill).start()
    with run_lock.locked(tmp_path):
        assert json.loads(path.read_text())["pid"] == os.getpid()


def test_a_host_of_the_same_name_that_was_started_at_another_time_is_another(tmp_path, monkeypatch):
    monkeypatch.setattr(run_lock, "STALE_SECONDS", 0.5)
    (tmp_path / run_lock.FILE).write_text(json.dumps({**run_lock._here(), "boot": "x", "pid": 7}))
    start = time.monotonic()
    with run_lock.locked(tmp_path):
        assert time.monotonic() - start >= 0.5


def test_no_part_that_is_locked_is_taken(tmp_path, holder):
    with run_lock.locked_parts(tmp_path / "none"):
        pass
    with run_lock.locked(tmp_path, "a.lock"):
        pass
    with pytest.raises(run_lock.WorkdirInUseError), run_lock.locked_parts(tmp_path):
        pass
    holder.kill()
    holder.wait()
    with run_lock.locked_parts(tmp_path), pytest.raises(run_lock.WorkdirInUseError):
        with run_lock.locked(tmp_path, "a.lock"):
            pass


def test_a_living_run_of_another_host_is_seen_by_its_beat(tmp_path, of_another_host):
    done = threading.Event()

    def beat():
        while not done.wait(0.05):
            os.utime(of_another_host)

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        with (
            pytest.raises(run_lock.WorkdirInUseError, match="process 7 on elsewhere since noon"),
            run_lock.locked(tmp_path),
        ):
            pass
    finally:
        done.set()
        thread.join()


def test_a_run_beats(tmp_path, monkeypatch):
    monkeypatch.setattr(run_lock, "BEAT_SECONDS", 0.01)
    with run_lock.locked(tmp_path):
        path = tmp_path / run_lock.FILE
        os.utime(path, (0, 0))
        end = time.monotonic() + 5
        while path.stat().st_mtime == 0 and time.monotonic() < end:
            time.sleep(0.01)
        assert path.stat().st_mtime > 0


def test_a_half_written_file_is_no_owner(tmp_path):
    (tmp_path / run_lock.FILE).write_text('{"host": "else')
    with run_lock.locked(tmp_path):
        pass
