import dataclasses
import json
import subprocess
import sys

import pytest

from configs import eft
from kc_jax import config
from kc_jax.data import sources
from kc_jax.stages import describe
from launch import cost_sheet, costs
from tests.docs.commands import ROOT

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
}
CONFIG = {
    "name": "mine", "soft_targets": {"num_views": 3, "top_k": 100},
    **{part: {"num_epochs": 2.5} for part in ("generalist", "teachers", "student")},
}
OPTIONS = ["--images=1000", "--image_bytes=400", "--batch_per_device=10", "--decoded_per_vcpu=7",
           "--top_k_per_process=11", "--record_memory=30"]


@pytest.fixture
def options(tmp_path):
    return cost_sheet.parse([f"--workdir={tmp_path}", *OPTIONS])


def test_the_page_is_up_to_date(tmp_path):
    """Counts the paper's networks anew, as the stage describe does, but for their memory."""
    built = config.build(eft.get_config("paper"))
    space = sources.load_label_space(built.data)
    networks = {name: describe.describe_network(built, getattr(built, name), space)
                for name in ("generalist", "student")}
    networks["teachers"] = describe.describe_teachers(built, space)
    (tmp_path / "describe.json").write_text(json.dumps({
        "classes": space.num_classes, "verticals": space.num_verticals, "networks": networks,
    }), encoding="utf-8")
    (tmp_path / "config.json").write_text(json.dumps(dataclasses.asdict(built)), encoding="utf-8")
    done = run(f"--workdir={tmp_path}")
    assert done.returncode == 0, done.stderr
    assert PAGE.read_text(encoding="utf-8") == done.stdout, f"{PAGE} is out of date; it says how"


def run(*words):
    return subprocess.run(
        [sys.executable, "-m", "launch.cost_sheet", *words], cwd=ROOT, capture_output=True,
        text=True,
    )


def test_training_is_reckoned(options):
    student = costs.works(DESCRIPTION, CONFIG, 1000)[-1]
    found = costs.cost(student, MACHINE, options)
    assert student.passes == 2500 and found.steps == 42  # Of 60 images each.
    step = 10 * 3000 * 6 / 500_000 + 70 * 20 / 10_000 + 70 * 8 / 1000
    assert found.hours == pytest.approx({
        "devices": 42 * step / 3600, "decoding": 2500 / (2 * 5 * 7) / 3600,
        "reading": 2500 * 400 / 200_000 / 3600,
    })


def test_soft_targets_are_reckoned_without_a_backward_pass(options):
    work = costs.works(DESCRIPTION, CONFIG, 1000)[2]
    found = costs.cost(work, MACHINE, options)
    assert work.passes == 3000 and found.steps == 50
    assert found.hours["devices"] == pytest.approx(50 * 10 * 2000 * 2 / 500_000 / 3600)
    assert found.hours["top K"] == pytest.approx(3000 / (6 * 11) / 3600)


def test_teachers_see_every_image_once_an_epoch(options):
    teachers = costs.works(DESCRIPTION, CONFIG, 1000)[1]
    assert dataclasses.astuple(teachers)[:2] == ("2 teachers", 2500)
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
    }


def test_other_machines_and_numbers_give_another_page(tmp_path):
    (tmp_path / "describe.json").write_text(json.dumps(DESCRIPTION), encoding="utf-8")
    (tmp_path / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    machines = tmp_path / "mine.json"
    machines.write_text(json.dumps([dataclasses.asdict(MACHINE)]), encoding="utf-8")
    done = run(f"--workdir={tmp_path}", f"--machines={machines}", *OPTIONS)
    assert done.returncode == 0, done.stderr
    assert "**student, small**" in done.stdout and "| `utilisation` | 0.5 |" in done.stdout
    machines.write_text('[{"name": "small", "devises": 6}]', encoding="utf-8")
    done = run(f"--workdir={tmp_path}", f"--machines={machines}")
    assert done.returncode == 1 and "devises" in done.stderr and "Traceback" not in done.stderr


def test_a_missing_description_is_named(tmp_path):
    done = run(f"--workdir={tmp_path}")
    assert done.returncode == 1
    assert "describe.json is missing; run the stage describe" in done.stderr


@pytest.mark.parametrize("description, message", [
    ("{", "damaged describe.json or config.json"),
    (json.dumps({**DESCRIPTION, "networks": {}}), "has no generalist, student, teachers; run the"),
])
def test_a_description_of_no_use_is_named(tmp_path, description, message):
    (tmp_path / "describe.json").write_text(description, encoding="utf-8")
    (tmp_path / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    done = run(f"--workdir={tmp_path}")
    assert done.returncode == 1
    assert message in done.stderr and "Traceback" not in done.stderr
