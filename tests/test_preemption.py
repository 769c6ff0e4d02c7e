import contextlib
import os
import signal
import subprocess
import sys

import pytest

from kc_jax import preemption
from kc_jax.errors import UserError
from kc_jax.train import checkpoint

LISTENER = """
import time
from kc_jax import preemption
preemption.listen()
print("listening", flush=True)
for _ in range(600):
    time.sleep(0.1)  # A signal that comes just before a sleep is heeded after it.
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
    with subprocess.Popen(
        [sys.executable, "-c", LISTENER], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "listening\n"
        process.terminate()
        errors = process.stderr.read()
    assert process.returncode == preemption.EXIT_CODE == 75
    assert errors == (
        "kc_jax: asked to end (SIGTERM); what was finished is kept; the same command goes on\n"
    )


def test_a_deferred_notice_waits(listening, capsys):
    with pytest.raises(SystemExit) as caught, preemption.deferred():
        assert not preemption.came()
        os.kill(os.getpid(), signal.SIGTERM)
        assert preemption.came()
        preemption.end("all is saved")
    assert caught.value.code == 75 and "; all is saved; " in capsys.readouterr().err


def test_afterwards_it_ends_at_once(listening):
    with preemption.deferred():
        pass
    with pytest.raises(SystemExit):
        os.kill(os.getpid(), signal.SIGTERM)


def test_a_notice_that_nobody_asks_for_ends_the_process_after(listening):
    done = []
    with pytest.raises(SystemExit) as caught, preemption.deferred():
        os.kill(os.getpid(), signal.SIGTERM)
        done.append("the body")
    assert caught.value.code == preemption.EXIT_CODE and done


def test_a_notice_waits_for_the_outermost(listening):
    done = []
    with pytest.raises(SystemExit), preemption.deferred():
        with preemption.deferred():
            os.kill(os.getpid(), signal.SIGTERM)
        assert preemption.came()
        done.append("the outer body")
    assert done


def test_an_error_is_the_notices_only_if_it_came_of_it(listening):
    refused = ValueError("no room")
    with contextlib.suppress(SystemExit), preemption.deferred():
        os.kill(os.getpid(), signal.SIGTERM)
    assert preemption.came() and not preemption.is_cause_of(refused)
    try:
        try:
            raise SystemExit(75)
        except SystemExit:
            raise TypeError("what a library makes of it") from None
    except TypeError as error:
        assert preemption.is_cause_of(error)


def ended_into(error):
    """Gives an error as a library makes it of a notice, or of one to a companion."""
    try:
        try:
            preemption.end("all is saved")
        except SystemExit:
            raise error from None
    except BaseException as made:
        return made


@pytest.mark.parametrize("error", [
    TypeError("damaged"), UserError("the file is damaged"), SystemExit(1), SystemExit(75),
])
def test_what_a_notice_became_has_its_status(error):
    assert not preemption.came()  # A companion may have been the one that was asked.
    assert preemption.status_of(ended_into(error)) == 75


def test_what_no_notice_caused_has_another_status():
    for error in (TypeError("wrong"), UserError("no images"), SystemExit(2)):
        assert preemption.status_of(error) == preemption.FAILED == 1
    assert preemption.status_of(ended_into(KeyboardInterrupt())) == preemption.INTERRUPTED


def test_a_state_that_is_being_read_is_not_taken_for_damaged(listening, tmp_path):
    def interrupted():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except SystemExit as error:
            raise TypeError("what Orbax makes of it") from error

    with pytest.raises(SystemExit) as caught:
        checkpoint._read(tmp_path, interrupted)
    assert caught.value.code == preemption.EXIT_CODE
