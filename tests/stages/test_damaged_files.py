"""Damaged files of a finished run end the stage that reads them, in a line that names them."""

import pytest

from kc_jax import artifacts
from kc_jax.errors import UserError
from kc_jax.stages import runner

TEACHERS = ("teachers/arabic", "teachers/math_operators")


def flip(path):
    """Changes a letter: with another last digit, a number may still say the same."""
    content = bytearray(path.read_bytes())
    letter = next(place for place in range(len(content) // 2, len(content))
                  if content[place : place + 1].isalpha())
    content[letter] ^= 1
    path.write_bytes(content)


def swap(one, other):
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def swap_states(root):
    swap(*(root / teacher / artifacts.CHECKPOINTS for teacher in TEACHERS))
    artifacts.remove(root / "soft_targets")


def flip_a_state(root):
    states = [p for p in (root / TEACHERS[0] / artifacts.CHECKPOINTS).rglob("*") if p.is_file()]
    flip(max(states, key=lambda path: path.stat().st_size))
    artifacts.remove(root / "soft_targets")


@pytest.mark.parametrize("spoil, stage, named, remedy", [
    (swap_states, "write_soft_targets", f"{TEACHERS[0]}/checkpoints", "of another training"),
    (flip_a_state, "write_soft_targets", f"{TEACHERS[0]}/checkpoints", "has the SHA-256"),
    (lambda root: swap(*(root / teacher for teacher in TEACHERS)), "train_teachers", TEACHERS[0],
     "was made from other inputs"),
    (lambda root: swap(root / "soft_targets/arabic", root / "soft_targets/math_operators"),
     "verify_soft_targets", "soft_targets/arabic", "was made from other inputs"),
    (lambda root: (root / "generalist/manifest.json").unlink(), "train_generalist",
     "generalist/manifest.json", "put a good copy back"),
    (lambda root: flip(root / "students/student/manifest.json"), "evaluate",
     "students/student/manifest.json", "is damaged"),
    (lambda root: flip(root / "evaluation/student/metrics.json"), "evaluate",
     "evaluation/student/metrics.json", "or remove"),
    (lambda root: (root / "evaluation/student/calibration.json").unlink(), "export",
     "evaluation/student/calibration.json", "it is missing"),
    (lambda root: flip(root / "classes.csv"), "report", "classes.csv", "has the SHA-256"),
    (lambda root: flip(root / "results.json"), "report", "results.json", "is damaged"),
    (lambda root: (root / "results.json").write_text((root / "config.json").read_text()),
     "report", "results.json", "by its checksum"),
])
def test_the_stage_that_reads_a_damaged_file_names_it(copy, spoil, stage, named, remedy):
    config, workdir = copy
    spoil(workdir.root)
    with pytest.raises(UserError) as caught:
        runner.run_stages(config, workdir, [stage])
    assert str(workdir.root / named) in str(caught.value)
    assert remedy in str(caught.value)


def test_a_table_that_is_not_as_it_was_written_is_written_anew(copy):
    config, workdir = copy
    whole = workdir.class_table.read_bytes()
    flip(workdir.class_table)
    runner.run_stages(config, workdir, ["evaluate", "report"])
    assert workdir.class_table.read_bytes() == whole


def test_a_log_that_is_damaged_is_left_out_of_the_report(copy, capsys, no_drawing):
    config, workdir = copy
    flip(workdir.generalist / artifacts.TRAINING_LOG)
    artifacts.remove(workdir.report)
    runner.run_stages(config, workdir, ["report"])
    assert str(workdir.generalist / artifacts.TRAINING_LOG) in capsys.readouterr().err
