import io
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from kc_jax import predict
from kc_jax.bundle import Bundle, writers
from tests.bundle import small


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return small.write(tmp_path_factory.mktemp("bundles") / "small", calibration=small.CALIBRATION)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "deep").mkdir()
    for name, pixels in zip(["b.PNG", "a.jpg", "deep/c.webp"], small.noise(3), strict=True):
        Image.fromarray(pixels).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    return tmp_path


def run(directory, *arguments):
    return predict.main([f"--bundle={directory}", *map(str, arguments)])


def test_text(directory, folder, capsys):
    assert run(directory, folder / "a.jpg", "--top=2", "--verticals=bird") == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head == str(folder / "a.jpg") and len(lines) == 2
    assert all("%" in line and "bird]" in line for line in lines)


def test_text_marks_names_below_a_threshold_and_those_of_a_vertical_without_one(directory):
    bundle, mark = Bundle.load(directory), "  (below the vertical's threshold)"
    for logit, vertical, is_marked in [(9, "bird", False), (-9, "bird", True), (9, "car", True)]:
        [names] = bundle.names(np.full((1, 6), logit, np.float32), 1, [vertical])
        assert writers.as_text("a.jpg", names).endswith(mark) == is_marked


def test_jsonl_has_what_the_bundle_says(directory, folder, capsys):
    assert run(directory, folder, "--format=jsonl", "--top=5", "--batch_size=2") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["file"] for row in rows] == [
        str(folder / name) for name in ("a.jpg", "b.PNG", "deep/c.webp")
    ]
    bundle = Bundle.load(directory)
    pixels = np.asarray(Image.open(folder / "b.PNG"))
    [names] = bundle.names(np.asarray(bundle.classify(pixels[None])))
    for found, name in zip(rows[1]["names"], names, strict=True):
        assert found["name"] == name.name and found["class_id"] == name.class_id
        assert found["vertical"] == name.vertical
        assert found["probability"] == pytest.approx(name.probability, rel=1e-4)
        assert [a["name"] for a in found["ancestors"]] == [a.name for a in name.ancestors]


def test_parquet_holds_the_same_as_jsonl(directory, folder, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    lines, table = tmp_path / "names.jsonl", tmp_path / "names.parquet"
    assert run(directory, folder, "--format=jsonl", f"--output={lines}") == 0
    assert run(directory, folder, "--format=parquet", f"--output={table}") == 0
    expected = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    for row, found in zip(expected, parquet.read_table(table).to_pylist(), strict=True):
        assert found["file"] == row["file"]
        for a, b in zip(row["names"], found["names"], strict=True):
            assert a.keys() == b.keys() and a["name"] == b["name"]
            assert a["above_threshold"] == b["above_threshold"]
            assert a["probability"] == pytest.approx(b["probability"])
            assert [x["name"] for x in a["ancestors"]] == [x["name"] for x in b["ancestors"]]


def test_bad_files_are_named_and_the_rest_is_done(directory, folder, capsys):
    (folder / "broken.png").write_bytes(b"nonsense")
    assert run(directory, folder, "missing.png", "--format=jsonl") == predict.SOME_WERE_BAD
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 3
    assert "broken.png is undecodable: not an image" in captured.err
    assert "missing.png is unreadable: No such file" in captured.err
    assert "2 files were skipped" in captured.err


def test_names_of_files_come_from_the_standard_input(directory, folder, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{folder}/b.PNG\n\n{folder}/a.jpg\n"))
    assert run(directory, "-", "--format=jsonl") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["file"] for row in rows] == [f"{folder}/b.PNG", f"{folder}/a.jpg"]


@pytest.mark.parametrize("arguments, status, words", [
    (["{folder}", "--verticals=brid"], 1, "did you mean 'bird'"),
    (["{folder}", "--format=parquet"], 1, "add --output"),
    (["{folder}", "--output={folder}"], 1, "is a folder"),
    (["{folder}", "--output={folder}/nowhere/names"], 1, "folder that does not exist"),
    (["{empty}"], 1, "no images in"),
    (["{folder}", "--bundle={empty}"], 1, "is no bundle"),
    (["{folder}", "--tpo=3"], 2, "--tpo=3"),
    (["{folder}", "--top=0"], 2, "not above 0"),
    ([], 2, "images"),
])
def test_mistakes_end_in_one_line(directory, folder, tmp_path, arguments, status, words):
    empty = tmp_path / "empty"
    empty.mkdir()
    arguments = [text.format(folder=folder, empty=empty) for text in arguments]
    done = subprocess.run(
        [sys.executable, "-m", "kc_jax.predict", f"--bundle={directory}", *arguments],
        capture_output=True, text=True, timeout=120,
    )
    assert done.returncode == status and "Traceback" not in done.stderr
    assert words in done.stderr.strip().splitlines()[-1]


def test_a_reader_that_has_seen_enough_is_no_error(directory, folder):
    command = (
        f"yes {folder}/b.PNG | head -n 3000 | {sys.executable} -m kc_jax.predict "
        f"--bundle={directory} - | head -n 1; echo ${{PIPESTATUS[2]}}"
    )
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines() == [f"{folder}/b.PNG", "0"] and done.stderr == ""
