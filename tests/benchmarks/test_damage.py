"""Damage is done as it says, and told from what is harmless; a part of the whole walk."""

import json
import random
import subprocess
import sys

import pytest

from benchmarks import damage, damages
from kc_jax.errors import UserError
from tests.benchmarks.test_benchmarks import ROOT


@pytest.mark.parametrize("name, mine, others", [
    ("truncated", None, b"other file"), ("bit flipped", None, b"other file"),
    ("emptied", b"", b"other file"), ("missing", None, b"other file"),
    ("swapped", b"other file", b"some file"), ("overwritten", b"other file", b"other file"),
])
def test_damages_change_a_file_as_they_say(tmp_path, name, mine, others):
    path, sibling = tmp_path / "path", tmp_path / "sibling"
    path.write_bytes(b"some file")
    sibling.write_bytes(b"other file")
    damages.DAMAGES[name](path, sibling, random.Random(0))
    found = path.read_bytes() if path.exists() else None
    assert sibling.read_bytes() == others and found != b"some file"
    if name == "truncated":
        assert b"some file".startswith(found) and 0 < len(found) < 9
    elif name == "bit flipped":
        changed = [a ^ b for a, b in zip(found, b"some file", strict=True) if a != b]
        assert len(changed) == 1 and changed[0].bit_count() == 1
    else:
        assert found == mine


def refuse(path):
    raise UserError(f"{path} is damaged")


def fail(path):
    raise ValueError(f"{path} is damaged")


def say(path):
    print(f"{path} is set aside", file=sys.stderr)
    return "older"


@pytest.mark.parametrize("read, verdict", [
    (lambda path: refuse(path), "detected"), (lambda path: refuse(path.parent), "detected"),
    (lambda path: refuse(path.parents[1]), "wrong"), (lambda path: refuse("a file"), "wrong"),
    (fail, "wrong"), (lambda path: "whole", "harmless"), (lambda path: "other", "wrong"),
    (lambda path: "older", "wrong"), (say, "detected"),
])
def test_only_a_line_that_names_the_file_is_detection(tmp_path, read, verdict):
    path = tmp_path / "run" / "generalist" / "file"
    case = damages.Case("kind", tmp_path, [], lambda: read(path))
    assert damages.outcome(case, [path], "whole", "older")[0] == verdict


def test_the_table_has_a_line_a_kind():
    row = {"files": 2, "tried": 3, "detected": 1, "harmless": 2, "wrong": 0}
    rows = [{"kind": kind, "damage": name, **row} for kind in "ab" for name in damages.DAMAGES]
    _, _, first, second, _, totals = damage.lines(rows).splitlines()
    assert first.startswith("| a | 2 | 18 | 1 / 2 / 0 |") and second.startswith("| b | 2 | 18 |")
    assert totals == "tried 36: detected 12, harmless 24, wrong 0"


@pytest.mark.slow
def test_nothing_goes_wrong_unnoticed():
    kinds = ("state of a finished network", "soft targets", "packed images", "prepared glyphs")
    command = [sys.executable, "-m", "benchmarks.damage", "--flips=1", "--json"]
    done = subprocess.run(
        [*command, *(f"--kind={kind}" for kind in kinds)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert {row["kind"] for row in rows} == set(kinds)
    assert sum(row["detected"] for row in rows) > 100
    assert [row for row in rows if row["wrong"]] == []
