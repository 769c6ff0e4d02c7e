import os
import signal
import subprocess
import sys

import pytest

from kc_jax import preemption

LISTENER = """
import time
from kc_jax import preemption
preemption.listen()
print("listening", flush=True)
time.sleep(60)
"""


@pytest.fixture
def listening(monkeypatch):
    """Heeds SIGTERM in this process, as a command does, for the length of a test."""
    monkeypatch.setattr(preemption._Notice, "came", False)
    before = signal.getsignal(signal.SIGTERM)
    preemption.listen()
    yield
    signal.signal(signal.SIGTERM, before)


def test_a_notice_ends_the_process_with_a_code_of_its_own():
    process = subprocess.Popen(
        [sys.executable, "-c", LISTENER], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "listening\n"
    process.terminate()
    _, errors = process.communicate(timeout=30)
    assert process.returncode == preemption.EXIT_CODE == 75
    assert errors == (
        "kc_jax: asked to end (SIGTERM); what was finished is kept; the same command goes on\n"
    )


def test_a_deferred_notice_waits(listening, capsys):
    with preemption.deferred():
        assert not preemption.came()
        os.kill(os.getpid(), signal.SIGTERM)
        assert preemption.came()
    with pytest.raises(SystemExit) as caught:
        preemption.end("all is saved")
    assert caught.value.code == 75 and "; all is saved; " in capsys.readouterr().err


def test_afterwards_it_ends_at_once(listening):
    with preemption.deferred():
        pass
    with pytest.raises(SystemExit):
        os.kill(os.getpid(), signal.SIGTERM)
