"""The commands of docs/your_own_data.md, run as they stand there."""

import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

import pytest

from tests.data import folder_dataset
from tests.data.pictures import encoded, tree, write

ROOT = pathlib.Path(__file__).parents[2]
PAGE = (ROOT / "docs/your_own_data.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```\w*\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [shlex.split(line) for block in BLOCKS if block.startswith("python -m")
            for line in block.replace("\\\n", "").splitlines()]
TABLES = {block.split(",")[0]: block for block in BLOCKS if "," in block.split("\n")[0]}
ALL_PARTS = "('backbone', 'trunk', 'bottleneck', 'logits')"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Makes all that the page's commands name."""
    root = tmp_path_factory.mktemp("own")
    (root / "configs").symlink_to(ROOT / "configs")
    directory, space = folder_dataset.prepare(root)
    space.rename(root / "tiny.csv")
    assert pathlib.Path(directory) == root / "tiny/1.0.0"
    write(root / "photos", tree())
    write(root / "flat", {f"{name}/{i}.jpg": encoded(10 * c + i)
                          for c, name in enumerate(("wren", "owl", "2")) for i in range(4)})
    (root / "classes.csv").write_text(TABLES["class_id"], encoding="utf-8")
    rows = [line.split("/", 1)[1] for line in TABLES["path"].splitlines()[1:]]
    lines = ["path,label,vertical", *(f"images/{n}{row}" for n in range(4) for row in rows)]
    (root / "list.csv").write_text("\n".join(lines), encoding="utf-8")
    for i, line in enumerate(lines[1:]):
        write(root, {line.split(",")[0]: encoded(i)})
    return root


def command_with(module, *words):
    """Gives the page's first command that runs a module and has all of these words."""
    return next(c for c in COMMANDS if c[2] == module and {*words} <= {*c})


def run(root, command, *more):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(root / "home")}
    done = subprocess.run([sys.executable, *command[1:], *more], cwd=root, env=environment,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def small(command):
    """Gives a command with the small preset in the place of the one at 224 pixels."""
    return [word.replace("folder.py", "folder.py:small") for word in command]


@pytest.mark.parametrize("option, words", [
    ("directory=photos", "24 images of 4 classes in 2 verticals"),
    ("source=manifest", "12 images of 3 classes in 2 verticals"),
    ("directory=flat", "12 images of 3 classes in 2 verticals"),
    ("directory=tiny/1.0.0", "48 images of 5 classes in 2 verticals"),
])
def test_the_page_packs_what_it_says(folder, option, words):
    assert words in run(folder, command_with("kc_jax.prepare", f"--config.data.{option}"))


def test_the_page_packs_hugging_face(folder):
    datasets = pytest.importorskip("datasets", reason="needs the extra huggingface")
    features = datasets.Features({
        "image": datasets.Image(), "label": datasets.ClassLabel(names=["wren", "owl", "sedan"]),
        "coarse": datasets.ClassLabel(names=["birds", "cars"]),
    })
    rows = [{"image": {"bytes": encoded(i), "path": None}, "label": i % 3, "coarse": i % 3 // 2}
            for i in range(12)]
    found = datasets.Dataset.from_list(rows, features=features)
    datasets.DatasetDict({"train": found}).save_to_disk(folder / "saved")
    assert "12 images of 3 classes" in run(
        folder, command_with("kc_jax.prepare", "--config.data.directory=saved")
    )


def test_the_page_verifies_what_was_packed(folder):
    run(folder, command_with("kc_jax.prepare", "--config.data.prepared=packed"))
    assert "All checksums" in run(folder, command_with("kc_jax.prepare", "--verify"))


def test_the_pages_other_commands_name_presets_that_there_are(folder):
    for command in COMMANDS:
        if command[2] == "kc_jax.main":
            name, _, preset = command[3].removeprefix("--config=configs/").partition(":")
            module = __import__(f"configs.{name.removesuffix('.py')}", fromlist=["get_config"])
            assert module.get_config(*([preset] if preset else [])).data.source in (
                "folder", "tfds")
    assert [c[2] for c in COMMANDS].count("kc_jax.prepare") == 8 and len(COMMANDS) == 14


@pytest.mark.slow
def test_a_run_goes_on_from_what_was_packed_and_another_when_a_class_comes(folder, tmp_path):
    """Runs, as they stand but small, the commands of the last sections of the page."""
    write(tmp_path / "photos", tree())
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    shrunk = ["--config.data.image_size=16", *(
        f"--config.{name}.num_epochs=2.0" for name in ("generalist", "teachers", "student")
    )]

    def main(command, *more):
        return run(tmp_path, small(command), *shrunk, *more)

    run(tmp_path, small(command_with("kc_jax.prepare", "--config.data.prepared=packed")))
    before = ("--workdir=runs/before", "--stages=train_generalist,train_student")
    main(command_with("kc_jax.main", "--config.data.directory=photos"),
         "--config.data.prepared=packed", *before)
    again = main(command_with("kc_jax.main", "--config.data.directory=packed"), *before)
    assert again.count("complete, skipped") == 2

    write(tmp_path / "photos", {f"car/van/{i}.png": encoded(500 + i) for i in range(6)})
    packed = run(
        tmp_path, small(command_with("kc_jax.prepare", "--config.data.prepared=packed_2"))
    )
    assert "30 images of 5 classes in 2 verticals" in packed
    (without_specialists,) = re.findall(r"`(--stages=train_generalist,train_student,\S+)`", PAGE)
    more = command_with("kc_jax.main", "--workdir=runs/more")
    for name in ("generalist", "student"):
        assert f"--config.{name}.init_parts={ALL_PARTS}" in more
    assert "Gap closed: unknown without specialists" in main(more, without_specialists)
    longer = main(command_with("kc_jax.main", "--workdir=runs/longer"))
    assert "Gap closed: unknown without generalist and specialists" in longer
    assert (tmp_path / "runs/longer/bundles/student").is_dir()


@pytest.mark.slow
def test_images_without_labels_go_through_the_command_of_the_page(folder, tmp_path):
    (command,) = (c for c in COMMANDS if "--config.student.distill_weight=0.5" in c)
    write(tmp_path / "photos/train", tree())
    write(tmp_path / "photos/unlabelled", {
        f"{vertical}/deep/{i}.png": encoded(100 + i + 50 * (vertical == "car"))
        for vertical in ("animal", "car") for i in range(5)
    })
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    shrunk = [f"--config.{name}.num_epochs=2.0" for name in ("generalist", "teachers", "student")]
    printed = run(
        tmp_path, command, "--config.data.image_size=16", "--config.soft_targets.num_views=2",
        "--config.data.prepared=packed", "--workdir=run", *shrunk,
    )
    assert "34 images of 4 classes in 2 verticals" in printed and "unlabelled" in printed
    seen = {
        name: json.loads((tmp_path / "run" / name / "manifest.json").read_text())["images_seen"]
        for name in ("generalist", "students/student")
    }
    assert seen["students/student"] > seen["generalist"]
    assert list((tmp_path / "run/bundles").iterdir())
