"""What a person sees who mistypes: one line that says what to do, and no traceback."""

import subprocess
import sys

import pytest

from kc_jax import preemption

SMOKE = "--config=configs/eft.py:smoke"


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "kc_jax.main", *arguments],
        capture_output=True, text=True, timeout=120,
    )


@pytest.mark.parametrize("module, own", [
    ("main", "--stages"), ("prepare", "--[no]verify"), ("import_soft_targets", "--kind"),
    ("study", "--output"),
])
def test_help_names_all_flags(module, own):
    result = subprocess.run(
        [sys.executable, "-m", f"kc_jax.{module}", "--help"], capture_output=True, text=True,
        timeout=120,
    )
    assert all(f"\n  {flag}: " in result.stdout for flag in ("--config", "--workdir", own))


@pytest.mark.parametrize("arguments,words", [
    ([SMOKE, "--config.student.hed=FC8-FC8"], ["'hed'", "did you mean 'head'"]),
    (["--confg=configs/eft.py"], ["'confg'", "Did you mean: config"]),
    ([SMOKE, "config.seed=3"], ["'config.seed=3'", "--name=value"]),
    ([SMOKE, "--config.seed=three"], ["--config.seed=three"]),
    ([SMOKE, "--stages=evalute"], ["'evalute'", "did you mean 'evaluate'"]),
    ([SMOKE, "--config.student.head=FC8-XX8"], ["config.student.head", "FC4096-SC512"]),
    ([SMOKE, "--config.model.backbone=small_con"], ["config.model.backbone", "small_conv"]),
    (["--config=configs/eft.py:smke"], ["'smke'", "smoke"]),
    (["--config=configs/etf.py"], ["configs/etf.py"]),
    ([], ["--config"]),
    ([SMOKE, "--stages=evaluate"], ["train_student"]),
    ([SMOKE, "--stages=evaluate", "--redo=train_student"], ["'train_student'", "--stages"]),
    ([SMOKE, "--config.student.optimizer.multipliers.pace=-1"], ["multipliers.pace", "at least 0"]),
    ([SMOKE, "--workdir=/proc/x"], ["/proc/x", "No such file", "another one with --workdir="]),
    ([SMOKE, "--config.data.variant=tiny"], ["config.data.variant", "embedded"]),
])
def test_mistakes_end_in_one_line(arguments, words, tmp_path):
    result = run(f"--workdir={tmp_path}", *arguments)
    assert result.returncode == 1
    *_, line = result.stderr.strip().splitlines()
    assert "Traceback" not in result.stderr and line.startswith("kc_jax: ")
    for word in words:
        assert word in line


@pytest.mark.parametrize("form", [
    ["--config={file}"], ["--config", "{file}"], ["-config", "{file}"], ["-config={file}:preset"],
    ["--flagfile={flags}"],
])
def test_a_configuration_file_is_found_in_whichever_form_it_is_named(form, tmp_path):
    """It imports what lies beside it, and is named with its line where it fails."""
    file, flagfile = tmp_path / "own.py", tmp_path / "flags"
    (tmp_path / "beside_own.py").write_text('WORDS = "from beside"\n')
    file.write_text(
        "import beside_own\n\ndef get_config(preset=None):\n"
        "    raise RuntimeError(beside_own.WORDS)\n"
    )
    flagfile.write_text(f"--config={file}\n")
    result = run(*(word.format(file=file, flags=flagfile) for word in form))
    assert (result.returncode, result.stderr) == (
        1, f"kc_jax: {file} fails in line 4: RuntimeError: from beside; mend it there\n"
    )


@pytest.mark.parametrize("line, words", [
    ("int('a')", "ValueError: invalid literal for int() with base 10: 'a'"),
    ("1 + 'a'", "TypeError: unsupported operand type(s) for +: 'int' and 'str'"),
    ("[].a", "AttributeError: 'list' object has no attribute 'a'"),
])
def test_whatever_a_configuration_file_fails_of_its_line_is_named(line, words, tmp_path):
    file = tmp_path / "own.py"
    file.write_text(f"def get_config():\n    return {line}\n")
    result = run(f"--config={file}")
    assert result.stderr == f"kc_jax: {file} fails in line 2: {words}; mend it there\n"


@pytest.mark.parametrize("body", [
    "    raise ValueError('no such preset; take small')\n",
    "    try:\n        return {}['x']\n"
    "    except KeyError:\n        raise ValueError('no such preset; take small')\n",
])
def test_what_a_configuration_file_refuses_is_told_as_it_says(body, tmp_path):
    file = tmp_path / "own.py"
    file.write_text(f"def get_config():\n{body}")
    result = run(f"--config={file}")
    assert result.stderr == "kc_jax: no such preset; take small\n"


def test_a_flag_without_its_configuration_file_is_named():
    result = run("--config")
    assert result.stderr == "kc_jax: Missing value for flag --config\n"


PREEMPTED = """
import os, signal, time
from kc_jax import command
from kc_jax.errors import UserError

def main(options, workdir):
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)
    except SystemExit:
        raise {error}("damaged") from None

command.run(main)
"""


@pytest.mark.parametrize("error", ["UserError", "TypeError", "SystemExit"])
def test_what_a_library_makes_of_a_notice_ends_as_the_notice(error):
    result = subprocess.run(
        [sys.executable, "-c", PREEMPTED.format(error=error), SMOKE],
        capture_output=True, text=True, timeout=120,
    )
    assert result.returncode == preemption.EXIT_CODE
    assert result.stderr.startswith("kc_jax: asked to end") and "damaged" not in result.stderr
