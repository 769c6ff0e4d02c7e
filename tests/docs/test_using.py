"""Runs every command of docs/using.md but pip, in their order, in a folder of its own."""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys

import pytest
from PIL import Image

from tests.bundle import small

ROOT = pathlib.Path(__file__).parents[2]
PAGE = ROOT / "docs" / "using.md"
pytestmark = pytest.mark.slow
WAIT = "for _ in $(seq 600); do curl -sf {} > /dev/null && break; sleep 0.1; done"


def script(port):
    """Writes the page's commands as one script, with the server in the background."""
    text = PAGE.read_text(encoding="utf-8").replace("8000", str(port))
    lines = ["set -euo pipefail"]
    for kind, block in re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        if kind == "python":
            lines.append(f"python - <<'END'\n{block}END")
        for line in block.splitlines() if not kind else ():
            if line.startswith("python -m kc_jax.serve"):
                lines += [f"{line} & server=$!", WAIT.format(f"http://127.0.0.1:{port}/healthz")]
            elif line.startswith(("python -m", "find ")):
                lines.append(line)
            elif line.startswith("curl "):
                lines += [line.replace("curl ", "curl -sSf "), "echo"]
    return "\n".join([*lines, "kill $server", "wait $server"])


def test_all_commands_run(tmp_path):
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    (tmp_path / "photos").mkdir()
    for name, pixels in zip("ab", small.noise(2), strict=True):
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{name}.png")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    search = os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", script(port)], cwd=tmp_path, capture_output=True, text=True, timeout=900,
        env={**os.environ, "PATH": search, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [len(answer["names"]) for answer in answers if "names" in answer] == [2, 5]
    assert {"status": "ok", "bundle": "student"} in answers
    assert 'kc_jax_requests_total{status="200"} 2.0' in done.stdout
    lines = (tmp_path / "names.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["file"] for line in lines] == ["photos/a.png", "photos/b.png"]
    assert (tmp_path / "names.parquet").stat().st_size > 0
