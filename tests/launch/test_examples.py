"""What README and heads of scripts show to type has images to train on, packed beforehand."""

import pathlib
import re

import pytest

LAUNCH = pathlib.Path(__file__).parents[2] / "launch"
PAGES = ["README.md", "slurm/submit.sh", "cloud_tpu/run.sh"]


def examples(text):
    """Lists the options of scripts that are called with a configuration's file."""
    joined = re.sub(r"\\\n#?\s*", "", text)
    return re.findall(r"launch/\w+/\w+\.sh (--config=configs/.*)", joined)


@pytest.mark.parametrize("name", PAGES)
def test_examples_read_packed_images(name):
    found = examples((LAUNCH / name).read_text(encoding="utf-8"))
    assert found
    for options in found:
        assert "--config.data.source=packed --config.data.directory=/" in options


def test_examples_are_seen():
    text = "#   X=1 launch/slurm/submit.sh --config=configs/a.py \\\n#     --workdir=/b\n"
    assert examples(text) == ["--config=configs/a.py --workdir=/b"]
