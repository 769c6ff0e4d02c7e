import dataclasses
import json
import shlex
import subprocess
import sys

import pytest

from configs import eft
from kc_jax import config
from kc_jax.stages import describe
from kc_jax.workdir import Workdir
from launch import cost_sheet, costs
from tests.docs.commands import ROOT, commands_of

PAGE = ROOT / "docs" / "cost_sheet.md"
MACHINE = costs.Machine(
    name="small", devices=6, devices_per_host=4, processes_per_host=3, vcpus_per_host=5,
    peak_flops=1e6, memory_bandwidth=1e4, link_bandwidth=1e3, utilisation=0.5,
    read_bandwidth_per_host=1e5,
)
DESCRIPTION = {
    "classes": 500, "verticals": 2,
    "networks": {
        "generalist": {"multiply_adds": 1000, "params": 50},
        "teachers": {"multiply_adds": 4000, "params": 200, "count": 2},
        "student": {"multiply_adds": 3000, "params": 70},
    },
    "memory": {"data": 2, "model": 1, "bytes_per_device": {
        "student": {"parameters": 2**20, "activations": 2**21}, "generations": {"parameters": 7},
    }},
}
CONFIG = {
    "name": "mine", "soft_targets": {"num_views": 3, "top_k": 100, "batch_size": 20},
    "stages": ["describe", *costs.NETWORK_OF, "evaluate"],
    "data": {"read_threads": 1}, "model": {"compute_dtype": "float32"},
    **{part: {"num_epochs": 2.5, "batch_size": 15} for part in DESCRIPTION["networks"]},
}
OPTIONS = ["--images=1000", "--image_bytes=400", "--batch_per_device=10", "--decoded_per_thread=7",
           "--top_k_per_process=11", "--record_memory=30"]


@pytest.fixture
def options(tmp_path):
    return cost_sheet.parse([f"--workdir={tmp_path}", *OPTIONS])


@pytest.fixture
def workdir(tmp_path):
    """Gives a function that writes what `describe` leaves, and the option that names it."""
    def write(description=DESCRIPTION, config=CONFIG):
        (tmp_path / "describe.json").write_text(json.dumps(description), encoding="utf-8")
        (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
        return f"--workdir={tmp_path}"

    return write


def test_the_page_is_up_to_date(tmp_path):
    """Does what its commands do."""
    described, printed = (
        command for command in commands_of(PAGE)
        if command.module in ("kc_jax.main", "launch.cost_sheet")
    )
    assert described.words[3:] == (
        "--config=configs/eft.py:paper", "--stages=describe",
        "--config.model.compute_dtype=bfloat16", "--workdir=runs/paper",
    )
    options = eft.get_config("paper")
    options.model.compute_dtype = "bfloat16"
    built = config.build(options)
    describe.run(built, Workdir(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps(dataclasses.asdict(built)), encoding="utf-8")
    words = [w.replace("runs/paper", str(tmp_path)) for w in printed.words[3:]]
    done = run(*words)
    assert done.returncode == 0, done.stderr
    assert PAGE.read_text(encoding="utf-8").endswith(f"\n\n{done.stdout}"), (
        f"{PAGE} is out of date; replace what follows its first lines by the output of "
        f"{shlex.join(printed.words)}"
    )


def run(*words):
    return subprocess.run(
        [sys.executable, "-m", "launch.cost_sheet", *words], cwd=ROOT, capture_output=True,
        text=True,
    )


def works():
    return {work.name: work for work in costs.works(DESCRIPTION, CONFIG, 1000)}


def test_training_is_reckoned(options):
    student = works()["student"]
    found = costs.cost(student, MACHINE, options)
    assert student.passes == 2500 and found.steps == 42  # Of 60 images each.
    step = 10 * 3000 * 6 / 500_000 + 70 * 20 / 10_000 + 70 * 8 / 1000
    assert found.hours == pytest.approx({
        "devices": 42 * step / 3600, "decoding": 2500 / (2 * 3 * 1 * 7) / 3600,
        "reading": 2500 * 400 / 200_000 / 3600,
    })
    assert found.longest == found.hours["decoding"]


@pytest.mark.parametrize("threads, at_once", [(1, 2 * 3), (2, 2 * 5)])
def test_decoding_takes_the_threads_of_all_processes_as_far_as_there_are_vcpus(
    options, threads, at_once
):
    work = dataclasses.replace(works()["student"], read_threads=threads)
    found = costs.cost(work, MACHINE, options)
    assert found.hours["decoding"] == pytest.approx(2500 / (at_once * 7) / 3600)


def test_so_many_threads_keep_up(options):
    found = costs.cost(works()["student"], MACHINE, options)
    assert found.threads == 2  # 2500 images in 44.52 s, of 7 a second and thread, in 6 processes.
    machine = dataclasses.replace(MACHINE, vcpus_per_host=100)
    more = dataclasses.replace(works()["student"], read_threads=found.threads)
    assert costs.cost(more, machine, options).longest == found.hours["devices"]


def test_soft_targets_have_no_backward_pass_and_wait_for_the_last_process(options):
    """Two of six processes have a vertical each, so it takes as long as three times the images."""
    found = costs.cost(works()["soft targets"], MACHINE, options)
    assert found.steps == 150  # Of 9000 images, 60 each.
    assert found.hours == pytest.approx({
        "devices": 150 * 10 * 2000 * 2 / 500_000 / 3600, "top K": 9000 / (6 * 11) / 3600,
        "decoding": 9000 / (2 * 3 * 7) / 3600, "reading": 9000 * 400 / 200_000 / 3600,
    })


def test_top_k_comes_after_the_devices(options):
    options.decoded_per_thread = 1000
    found = costs.cost(works()["soft targets"], MACHINE, options)
    assert found.longest == found.hours["devices"] + found.hours["top K"]


@pytest.mark.parametrize("name, batch, own", [("student", 15, 3), ("soft targets", 120, 20)])
def test_batches_are_those_of_the_configuration_unless_given(options, name, batch, own):
    """15 images of all devices together, in training; 20 of each process's, without."""
    options.batch_per_device = None
    lines = {what: result for what, _, result in costs.cost(works()[name], MACHINE, options).lines}
    assert lines["batch"] == str(batch) and lines["images a device"] == str(own)


def test_teachers_see_every_image_once_an_epoch():
    teachers = works()["2 teachers"]
    assert teachers.passes == 2500
    assert (teachers.multiply_adds, teachers.params) == (2000, 100)  # Of one.


def test_bytes_are_reckoned(options):
    options.images = 1_000_000
    found = {what: size for what, _, size in costs.bytes_of(DESCRIPTION, CONFIG, options)}
    record = -(-(100 * 1 + 100 + (249 >> 1) + 1300) // 8)  # docs/soft_target_store.md.
    assert found == {
        "images": "400.00 MB", "soft targets": f"{3 * record:,.2f} MB",
        "their index and checksums": "1.05 MB", "checkpoints: generalist": "0.00 MB",
        "checkpoints: teachers": "0.00 MB", "checkpoints: student": "0.00 MB",
        "names and labels, in the memory of every process": "30.00 MB",
        "a device's memory: student": "3.0 MiB",
    }


def test_other_machines_and_numbers_give_another_page(workdir, tmp_path):
    machines = tmp_path / "mine.json"
    machines.write_text(json.dumps([dataclasses.asdict(MACHINE)]), encoding="utf-8")
    done = run(workdir(), f"--machines={machines}", *OPTIONS)
    assert done.returncode == 0, done.stderr
    assert "**student, small**" in done.stdout and "| `utilisation` | 0.5 |" in done.stdout
    assert "- small: its file does not say where this is from" in done.stdout


@pytest.mark.parametrize("row, message", [
    ({"name": "small", "devises": 6}, "devises"),
    ({**dataclasses.asdict(MACHINE), "devices": 0}, "devices is 0; expected a number above 0"),
])
def test_a_file_of_no_machines_is_named(workdir, tmp_path, row, message):
    machines = tmp_path / "mine.json"
    machines.write_text(json.dumps([row]), encoding="utf-8")
    done = run(workdir(), f"--machines={machines}", *OPTIONS)
    assert done.returncode == 1 and message in done.stderr and "Traceback" not in done.stderr


def test_the_page_is_of_the_run_and_of_no_other(workdir):
    """One stage is not configured, and no number of the paper's is said of what was not given."""
    stages = ["train_generalist", "train_teachers", "train_student", "evaluate", "export"]
    done = run(workdir(config={**CONFIG, "stages": stages}), "--images=1000", "--image_bytes=400")
    assert done.returncode == 0, done.stderr
    assert "## `mine`: 500 classes in 2 verticals, 1,000 images" in done.stdout
    assert "the stages `evaluate`, `export`; " in done.stdout
    assert "--image_bytes` | 400 | **given** |" in done.stdout
    assert "--record_memory` | 160 | **reckoned**" in done.stdout
    assert "`data.read_threads` | 1 | **configured**" in done.stdout
    assert "`model.compute_dtype` | float32 | **configured**" in done.stdout
    assert "Steps are those of the configured batches" in done.stdout
    for absent in ("paper", "eft.py", "400 million", "soft targets", "Soft targets", "64 a device"):
        assert absent not in done.stdout


def test_images_are_not_guessed(workdir):
    done = run(workdir())
    assert done.returncode == 2 and "--images" in done.stderr


@pytest.mark.parametrize("number", ["0", "-3", "many"])
def test_numbers_are_above_zero(workdir, number):
    done = run(workdir(), "--images=1000", f"--decoded_per_thread={number}")
    assert done.returncode == 2 and "decoded_per_thread" in done.stderr


def test_a_missing_description_is_named(tmp_path):
    done = run(f"--workdir={tmp_path}", "--images=1000")
    assert done.returncode == 1
    assert "describe.json is missing; run the stage describe" in done.stderr


@pytest.mark.parametrize("description, message", [
    ("{", "describe.json is damaged"),
    (json.dumps({**DESCRIPTION, "networks": {}}), "counts no network of the configured stages ("),
    (json.dumps({key: DESCRIPTION[key] for key in DESCRIPTION if key != "memory"}),
     "has no 'memory', which this version writes"),
])
def test_a_description_of_no_use_is_named(workdir, tmp_path, description, message):
    option = workdir()
    (tmp_path / "describe.json").write_text(description, encoding="utf-8")
    done = run(option, "--images=1000")
    assert done.returncode == 1
    assert message in done.stderr and "Traceback" not in done.stderr
