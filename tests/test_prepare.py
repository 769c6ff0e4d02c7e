"""The command that packs images."""

import subprocess
import sys

import pytest

from kc_jax.data import packed
from tests.data.pictures import encoded, tree, write


def run(*arguments, module="kc_jax.prepare"):
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)], capture_output=True, text=True,
        check=False,
    )


def test_the_command_packs_tells_verifies_and_packs_again(tmp_path):
    root = write(tmp_path / "tree", {**tree(), "car/truck/bad.png": b"junk"})
    arguments = ("--config=configs/folder.py", f"--config.data.directory={root}",
                 f"--config.data.prepared={tmp_path / 'packed'}")
    first = run(*arguments)
    assert first.returncode == 0, first.stderr
    assert "24 images of 4 classes in 2 verticals" in first.stdout
    reason = "not an image of a known format"
    assert f"1 undecodable, such as car/truck/bad.png ({reason})" in first.stdout
    assert "looking at folder: 25/25" in first.stderr
    write(root, {"car/truck/new.png": encoded(70)})
    changed = run(*arguments)
    assert changed.returncode == 1 and changed.stderr.startswith("kc_jax: the images packed in")
    again = run(*arguments, "--redo", "--verify")
    assert "25 images" in again.stdout and "All checksums are as they were" in again.stdout
    found = packed.open_packed(tmp_path / "packed")
    shard = found.directory / found.manifest["shards"]["train"][0]["name"]
    shard.write_bytes(bytes(len(shard.read_bytes())))
    damaged = run("--config=configs/folder.py", "--config.data.source=packed",
                  f"--config.data.directory={tmp_path / 'packed'}", "--verify")
    assert damaged.returncode == 1 and "train-00000-of-00001.array_record is damaged" in (
        damaged.stderr)


def test_a_source_that_needs_no_packing_says_so():
    refused = run("--config=configs/eft.py:smoke")
    assert refused.returncode == 1
    assert refused.stderr.startswith("kc_jax: config.data.source is 'glyph_tree', which needs no")
    assert len(refused.stderr.splitlines()) == 1


def test_packing_has_no_working_directory(tmp_path):
    refused = run("--config=configs/folder.py:small", f"--workdir={tmp_path}")
    assert refused.returncode == 1
    assert "name their folder with --config.data.prepared" in refused.stderr


@pytest.mark.slow
def test_a_folder_needs_one_command_and_no_code(tmp_path):
    root = write(tmp_path / "tree", tree(20))
    done = run(
        "--config=configs/folder.py:small", f"--config.data.directory={root}",
        f"--config.data.prepared={tmp_path / 'packed'}", f"--workdir={tmp_path / 'run'}",
        "--config.generalist.num_epochs=1", "--config.teachers.num_epochs=1",
        "--config.student.num_epochs=1", "--config.data.image_size=16",
        module="kc_jax.main",
    )
    assert done.returncode == 0, done.stderr
    assert "80 images of 4 classes" in done.stdout and (tmp_path / "run/report.html").exists()
