import itertools
import threading
import time

import jax
import numpy as np
import pytest

from kc_jax.train import feed


@pytest.fixture
def clock(monkeypatch):
    """Gives a clock that stands still unless it is told to go on, in seconds."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def go_on(seconds):
        now[0] += seconds

    return go_on


class Gate:
    """Yields 0, 1, … each when it is let through."""

    def __init__(self):
        self.open = threading.Semaphore(0)

    def __iter__(self):
        for number in itertools.count():
            self.open.acquire()
            yield number


class Steps:
    """Stands for the metrics of steps; keeps which were waited for."""

    def __init__(self, monkeypatch, meanwhile=lambda name: None):
        self.waited_for = []

        def block(name):
            if name is not None:
                self.waited_for.append(name)
                meanwhile(name)

        monkeypatch.setattr(jax, "block_until_ready", block)


def drawn(batches):
    """Waits until the thread has drawn all it may."""
    for future in batches._drawn:
        future.result()


def test_batches_come_in_order_and_to_their_end():
    with feed.Feed(range(7)) as batches:
        assert list(batches) == list(range(7))


def test_drawing_stays_two_batches_ahead():
    numbers = itertools.count()
    with feed.Feed(numbers) as batches:
        assert [next(batches) for _ in range(3)] == [0, 1, 2]
        drawn(batches)
    assert next(numbers) == 3 + feed.AHEAD


def test_errors_of_the_input_reach_the_training():
    def broken():
        yield 1
        raise OSError("record 7 is broken")

    with feed.Feed(broken()) as batches:
        assert next(batches) == 1
        with pytest.raises(OSError, match="record 7"):
            next(batches)


def test_a_batch_that_is_there_is_not_waited_for(clock):
    with feed.Feed(range(5)) as batches:
        drawn(batches)
        next(batches)
        assert batches.seconds_waited == 0


def test_waiting_counts_from_the_end_of_the_step_on(clock, monkeypatch):
    gate = Gate()
    steps = Steps(monkeypatch, meanwhile=lambda name: clock(90.0))  # The device takes so long.
    with feed.Feed(gate) as batches:
        gate.open.release()
        next(batches)
        batches.pace(1, None, "step 1")
        assert steps.waited_for == ["step 1"]
        release = threading.Timer(0.05, lambda: (clock(10.0), gate.open.release()))
        release.start()
        next(batches)
        assert batches.seconds_waited == 10.0
        gate.open.release(3)


def test_the_device_is_kept_a_step_ahead_where_batches_are_there(monkeypatch):
    steps = Steps(monkeypatch)
    with feed.Feed(itertools.count()) as batches:
        for number in range(3):
            next(batches)
            drawn(batches)
            batches.pace(number + 1, None, f"step {number + 1}")
    assert steps.waited_for == ["step 1", "step 2"]


def test_a_meter_leaves_the_first_step_out(clock):
    with feed.Feed(range(9)) as batches:
        meter = feed.Meter(batches, batch_size=32)
        clock(50.0)
        meter.start(5, {})
        assert meter.lap(5) == {"images_per_second": None, "input_wait": None}
        clock(4.0)
        batches.seconds_waited += 1.0
        meter.start(7, {})
        assert meter.lap(7) == {"images_per_second": 16.0, "input_wait": 0.25}
        clock(1.0)
        assert meter.lap(9) == {"images_per_second": 64.0, "input_wait": 0.0}
        assert meter.total() == {"images_per_second": 25.6, "input_wait": 0.2}


def test_a_meter_without_steps():
    with feed.Feed(range(9)) as batches:
        nothing = {"images_per_second": None, "input_wait": None}
        assert feed.Meter(batches, batch_size=32).total() == nothing


def test_the_pipelines_own_speed_leaves_its_start_out(clock):
    def slow():
        for seconds in [60.0, *[0.5] * 20]:
            clock(seconds)
            yield {"mask": np.ones(16)}

    assert feed.images_per_second(slow(), seconds=4.5, at_least=3) == 32.0
    assert feed.images_per_second(slow(), seconds=1.0, at_least=8) == 32.0
