import dataclasses
import os
import pathlib
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool

import jax
import numpy as np
import pytest

from kc_jax.errors import UserError
from kc_jax.models.backbones import BACKBONES, SmallConvNet
from kc_jax.stages import networks, processes, runner, train_teachers
from tests.stages import shipped

COUNTING_FOR_EVER = """
import pathlib, sys
from kc_jax.stages import processes
from tests.stages import test_processes
if __name__ == "__main__":
    processes.run_each(test_processes.count_for_ever, [(sys.argv[1],)] * 2, 2)
"""


def note_cores(directory: str, number: int) -> None:
    path = pathlib.Path(directory) / str(number)
    path.write_text(",".join(map(str, sorted(os.sched_getaffinity(0)))))
    time.sleep(0.2)


def fail(directory: str, number: int) -> None:
    if number == 0:
        raise UserError("zero is refused")
    note_cores(directory, number)


def count_for_ever(directory: str) -> None:
    path = pathlib.Path(directory) / str(os.getpid())
    for number in range(10_000):
        path.write_text(str(number))
        time.sleep(0.05)


def test_every_core_goes_to_one_process():
    cores = sorted(os.sched_getaffinity(0))
    shares = processes.split_cores(len(cores))
    assert sorted(sum(shares, [])) == cores
    assert all(processes.split_cores(3 * len(cores)))


def test_one_process_is_this_one(tmp_path):
    seen = []
    processes.run_each(lambda *each: seen.append(each), [(1, 2), (3, 4)], 1)
    assert seen == [(1, 2), (3, 4)]


@pytest.mark.slow
def test_processes_share_the_calls_and_the_cores(tmp_path):
    processes.run_each(note_cores, [(str(tmp_path), n) for n in range(6)], 2)
    noted = {path.name: path.read_text() for path in tmp_path.iterdir()}
    shares = {",".join(map(str, share)) for share in processes.split_cores(2)}
    assert set(noted) == set("012345") and set(noted.values()) == shares


@pytest.mark.slow
def test_an_error_comes_back_and_the_rest_is_not_begun(tmp_path):
    with pytest.raises(UserError, match="zero is refused"):
        processes.run_each(fail, [(str(tmp_path), n) for n in range(50)], 2)
    assert len(list(tmp_path.iterdir())) < 20


def test_a_process_that_is_killed_is_told_in_a_line(config, workdir, monkeypatch):
    def killed(function, arguments, num_processes):
        raise BrokenProcessPool("a child was terminated abruptly")

    monkeypatch.setattr(processes, "run_each", killed)
    monkeypatch.setattr(train_teachers, "_is_trained_alone", lambda *_: False)
    with pytest.raises(UserError, match="was killed.*--config.running.teacher_processes=1"):
        train_teachers.run(config, workdir)


def test_a_backbone_of_ones_own_is_trained_in_one_process(config, monkeypatch):
    class Own(SmallConvNet):
        pass

    def wanted(number):
        running = dataclasses.replace(config.running, teacher_processes=number)
        model = dataclasses.replace(config.model, backbone="own")
        return dataclasses.replace(config, running=running, model=model)

    monkeypatch.setitem(BACKBONES, "own", Own)
    monkeypatch.setattr(processes, "num_cores", lambda: 4)
    assert train_teachers._num_processes(wanted(0), 9) == 1
    with pytest.raises(UserError, match="is 2, but the backbone 'own' is your own, .* set it to 0"):
        train_teachers._num_processes(wanted(2), 9)


@pytest.mark.slow
def test_processes_end_with_the_one_that_began_them(tmp_path):
    parent = subprocess.Popen([sys.executable, "-c", COUNTING_FOR_EVER, str(tmp_path)])
    deadline = time.monotonic() + 120
    while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    children = [int(path.name) for path in tmp_path.iterdir()]
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert len(children) == 2
    while any(map(_alive, children)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(_alive, children))


def _alive(process: int) -> bool:
    state = pathlib.Path(f"/proc/{process}/stat")
    return state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] != "Z"


@pytest.mark.slow
def test_teachers_of_several_processes_are_those_of_one(finished, data_directory, tmp_path):
    config = shipped.smoke(data_directory, running__teacher_processes=2)
    workdir = type(finished[1])(tmp_path)
    runner.run_stages(config, workdir, ["train_generalist", "train_teachers"])
    names, again = (
        sorted(path.name for path in made.teachers.iterdir() if path.is_dir())
        for made in (finished[1], workdir)
    )
    assert names == again
    for name in names:
        # To rounding only: a share of the cores may add up in another order than all of them.
        own, other = (
            networks.load_variables(made.teacher(name), "train_teachers")["params"]
            for made in (workdir, finished[1])
        )
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), own, other)
