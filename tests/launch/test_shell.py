"""The shell scripts pass ShellCheck, which sees mistakes."""

import pathlib
import subprocess

import pytest

LAUNCH = pathlib.Path(__file__).parents[2] / "launch"
SCRIPTS = sorted([*LAUNCH.rglob("*.sh"), *LAUNCH.rglob("*.sbatch")])


def test_scripts_are_found():
    assert [script.name for script in SCRIPTS] == ["run.sh", "job.sbatch", "submit.sh"]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_scripts_have_no_known_mistake(script):
    done = subprocess.run(["shellcheck", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_mistakes_are_seen(tmp_path):
    script = tmp_path / "mistaken.sh"
    script.write_text('#!/usr/bin/env bash\nrm -r $1/*\n', encoding="utf-8")
    done = subprocess.run(["shellcheck", script], capture_output=True, text=True)
    assert done.returncode == 1 and "SC2086" in done.stdout
