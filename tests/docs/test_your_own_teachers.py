"""The commands of docs/your_own_teachers.md, as they stand there."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

from configs import eft
from kc_jax import artifacts, config
from kc_jax.data import sources

ROOT = pathlib.Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "your_own_teachers.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
COMMANDS = re.findall(r"^python -m .*?[^\\]$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(command):
    words = command.replace("\\\n", " ").split()
    result = subprocess.run(
        [sys.executable, *words[1:]], capture_output=True, text=True, timeout=200,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert result.returncode == 0, result.stderr
    return result


def methods(folder, name):
    return set(artifacts.read_json(folder / "runs" / name / "results.json")["methods"])


def test_the_page_has_these_examples():
    assert (len(PYTHON), len(COMMANDS)) == (2, 4)


@pytest.mark.slow
def test_predictions(folder):
    exec(PYTHON[0], {})
    for command in COMMANDS[:3]:
        assert "Traceback" not in run(command).stderr
    for name in ("imported", "imported_at_once"):
        assert methods(folder, name) == {"student"}
        assert (folder / "runs" / name / "report.html").stat().st_size > 10_000


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_onnx_files(folder):
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    (folder / "teachers").mkdir()
    space = sources.load_label_space(config.build(eft.get_config("smoke")).data)
    for vertical, num_classes in zip(space.verticals, space.sizes, strict=True):
        exec(PYTHON[1], {"vertical": vertical, "num_classes": num_classes})
    run(COMMANDS[3])
    assert methods(folder, "onnx") == {"student"}
