import errno
import json
import os
import time

import jax
import numpy as np
import pytest

from kc_jax import artifacts, host_watch, hosts, preemption, sharding
from kc_jax.errors import UserError
from kc_jax.train import feed


@pytest.fixture
def second_of_two(monkeypatch):
    """Makes this process the second of two that are not there."""
    group = hosts._Group(process_count=2, process_index=1, patience=1.0)
    monkeypatch.setattr(hosts, "_GROUP", group)


@pytest.mark.parametrize(
    ("coordinator", "num_processes", "process_id", "words"),
    [
        ("here", 2, 0, "--coordinator is 'here'; expected HOST:PORT"),
        ("here:", 2, 0, "--coordinator is 'here:'"),
        (":8", 2, 0, "--coordinator is ':8'"),
        ("here:8", -1, 0, "--num_processes is -1"),
        ("here:8", 2, 2, "--process_id 2; expected"),
        ("here:8", 2, -1, "--process_id -1"),
        ("auto", 2, -1, "--num_processes and --process_id are not taken beside --coordinator=auto"),
        ("auto", -1, 0, "leave them out, or name --coordinator=HOST:PORT"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(coordinator, num_processes, process_id, words):
    with pytest.raises(hosts.HostsError, match=words):
        hosts.join(coordinator, num_processes, process_id, 10.0)


@pytest.mark.parametrize("coordinator", ["here:8", "auto"])
@pytest.mark.parametrize("patience", [0.0, -1.0, 1.0, 1e10, float("inf"), float("nan")])
def test_a_patience_that_gives_up_everybody_or_nobody_is_refused(coordinator, patience):
    with pytest.raises(hosts.HostsError, match="--patience is .*; expected 3 to 1000000 seconds"):
        hosts.join(coordinator, 2, 0, patience)


def test_the_least_patience_is_of_several_beats():
    assert hosts.PATIENCE[0] >= 3 * host_watch.BEAT_SECONDS


def test_a_process_that_is_alone_is_first_and_does_all():
    assert hosts.is_first() and not hosts.is_apart() and hosts.size() == 1
    assert hosts.dealt([1, 2, 3]) == [1, 2, 3]
    assert hosts.first_alone(lambda: 1) and not hosts.first_alone(lambda: None)
    hosts.wait_for_all("nothing")
    assert hosts.highest(3) == 3


def test_apart_a_process_is_as_if_alone(second_of_two, tmp_path):
    assert not hosts.is_first() and hosts.dealt([0, 1, 2, 3, 4]) == [1, 3]
    artifacts.write_text(tmp_path / "shared", "never")
    with hosts.apart():
        assert hosts.is_first() and hosts.is_apart() and hosts.dealt([0, 1]) == [0, 1]
        assert hosts.devices() == jax.local_devices()
        assert hosts.process_index() == 1 and hosts.process_count() == 2
        artifacts.write_text(tmp_path / "own", "written")
        assert dict(sharding.make_mesh(7, 1).shape) == {"data": 1, "model": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["own"]


def companion(folder, **facts):
    """Writes what the first of two processes says of itself."""
    text = {"run": 5, "host": "h", "pid": 7, "beat": 1, "calls": 0, "work": 0, "doing": "it"}
    (folder / "written").write_text(json.dumps({**text, **facts}))
    os.replace(folder / "written", folder / "process_0.json")


@pytest.fixture
def watch(second_of_two, tmp_path, monkeypatch):
    """Gives a watch of the second of two processes, and what it has ended with."""
    ended = []
    monkeypatch.setattr(hosts, "shared_number", lambda: 5)
    monkeypatch.setattr(host_watch, "BEAT_SECONDS", 0.02)
    monkeypatch.setattr(host_watch, "_end", lambda why, code: ended.append((why, code)))
    companion(tmp_path)
    watch = host_watch.Watch(tmp_path, 0.3)
    yield watch, ended
    watch.close()


def wait_for(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def test_who_is_silent_is_named(watch):
    _, ended = watch
    assert wait_for(lambda: ended)
    assert ended[0] == (
        "process 0 on h (pid 7) has been silent for 0 s; it was at: it", 75
    )


def test_who_shows_itself_is_left_in_peace(watch, tmp_path):
    _, ended = watch
    for beat in range(40):
        companion(tmp_path, beat=beat)
        time.sleep(0.02)
    assert not ended


def test_who_stands_still_while_others_wait_is_named(watch, tmp_path):
    _, ended = watch
    hosts._GROUP.calls = 3
    for beat in range(400):
        companion(tmp_path, beat=beat, calls=2)
        time.sleep(0.01)
        if ended:
            break
    assert "stood still" in ended[0][0] and ended[0][1] == 75


@pytest.mark.parametrize("gets_on", [True, False])
def test_where_nobody_gets_on_the_other_is_named(watch, tmp_path, gets_on):
    """As where one stops in the midst of what both do together."""
    _, ended = watch
    for beat in range(400):
        companion(tmp_path, beat=beat)
        if gets_on:
            hosts.note_work("a step")
        time.sleep(0.01)
        if ended:
            break
    assert bool(ended) != gets_on
    if ended:
        assert "this one stood still with it; it was at: it" in ended[0][0] and ended[0][1] == 75


def test_who_failed_is_named_with_its_error_and_who_ended_well_is_not(watch, tmp_path):
    _, ended = watch
    companion(tmp_path, ended="")
    time.sleep(0.6)
    assert not ended
    companion(tmp_path, ended="it has no images", status=1)
    assert wait_for(lambda: ended)
    assert ended[0] == ("process 0 on h (pid 7) ended: it has no images", 1)


@pytest.mark.parametrize("error", [
    UserError("it cannot be read"), OSError(errno.ESTALE, "Stale file handle"),
])
def test_a_file_that_cannot_be_read_for_a_moment_is_no_news(watch, tmp_path, monkeypatch, error):
    _, ended = watch
    read, failures = artifacts.read_json, []

    def flaky(path, *rest, **options):
        if len(failures) % 2:
            failures.append(1)
            return read(path, *rest, **options)
        failures.append(0)
        raise error

    monkeypatch.setattr(artifacts, "read_json", flaky)
    for beat in range(40):
        companion(tmp_path, beat=beat)
        time.sleep(0.02)
    assert len(failures) > 20 and not ended


def test_whoever_waits_for_a_first_process_that_hangs_is_ahead_of_it(monkeypatch):
    answers = []

    def calls_of(process_index, function):
        group = hosts._Group(process_count=2, process_index=process_index, patience=1.0)
        monkeypatch.setattr(hosts, "_GROUP", group)
        monkeypatch.setattr(
            hosts.multihost_utils, "broadcast_one_to_all",
            lambda value: answers.append(hosts.progress()["calls"]) or value,
        )
        hosts.first_alone(function)

    seen = []
    calls_of(0, lambda: seen.append(hosts.progress()["calls"]))
    calls_of(1, None)
    assert seen == [0] and answers == [1, 1]


def test_who_has_a_batch_is_ahead_of_who_waits_for_one(second_of_two):
    batches = feed.Feed(iter([1, 2, 3, 4, 5]))
    for step in (1, 2):
        next(batches)
        assert hosts.progress()["calls"] == step
    with hosts.apart():
        next(batches)
    assert hosts.progress()["calls"] == 2
    batches.__exit__()


def test_files_of_an_earlier_run_say_nothing(watch, tmp_path):
    _, ended = watch
    companion(tmp_path, run=4, ended="long ago")
    assert wait_for(lambda: ended)
    assert "process 0 on ? (pid ?) has been silent" in ended[0][0]


def test_a_watch_says_how_far_its_process_is(watch, tmp_path):
    hosts.note_work("step 3")
    path = tmp_path / "process_1.json"
    assert wait_for(lambda: artifacts.read_json(path)["doing"] == "step 3")
    found = artifacts.read_json(path)
    assert (found["run"], found["pid"], found["work"]) == (5, os.getpid(), 1)


@pytest.fixture
def end_with(second_of_two, tmp_path, monkeypatch, capsys):
    """Gives a function that ends a watched body; gives its status, what it and the others say."""
    left = []
    monkeypatch.setattr(hosts, "shared_number", lambda: 5)
    monkeypatch.setattr(host_watch, "_leave", left.append)
    monkeypatch.setattr(host_watch.Watch, "hurry", lambda self: None)

    def end_with(body):
        with host_watch.watched(tmp_path):
            body()
        found = artifacts.read_json(tmp_path / "hosts" / "process_1.json")
        (status,) = left
        assert found["status"] == status
        return status, capsys.readouterr().err, found["ended"]

    return end_with


@pytest.mark.parametrize(("error", "status", "line", "reason"), [
    (UserError("no images"), 1, "kc_jax: no images", "no images"),
    (KeyError("images"), 1, "KeyError: 'images'", "KeyError: 'images'"),
    (KeyboardInterrupt(), 130, preemption.STOPPED, "it was interrupted"),
])
def test_an_error_reaches_the_others_before_the_process_leaves(
    end_with, error, status, line, reason
):
    def fail():
        raise error

    found, said, ended = end_with(fail)
    assert (found, ended, said.splitlines()[-1]) == (status, reason, line)


@pytest.mark.parametrize("error", [TypeError("damaged"), UserError("damaged"), SystemExit(75)])
def test_what_a_library_makes_of_a_notice_ends_all_as_the_notice(end_with, error):
    def fail():
        try:
            preemption.end("all is saved")
        except SystemExit as notice:
            raise error from notice

    status, said, ended = end_with(fail)
    assert (status, ended) == (75, "it was asked to")
    assert said.startswith("kc_jax: asked to end") and len(said.splitlines()) == 1


def test_an_error_while_all_wait_for_the_end_reaches_the_others(end_with, monkeypatch):
    monkeypatch.setattr(hosts, "wait_for_all", lambda what: preemption.end(what))
    assert end_with(lambda: None)[::2] == (75, "it was asked to")


def test_arrays_here_are_gathered_as_they_are():
    tree = {"a": jax.numpy.arange(3)}
    np.testing.assert_array_equal(sharding.gathered(tree)["a"], [0, 1, 2])
