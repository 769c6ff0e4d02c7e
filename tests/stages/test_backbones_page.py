"""What docs/backbones.md shows."""

import dataclasses
import pathlib
import re
import runpy

import pytest

from configs import eft
from kc_jax import artifacts, config
from kc_jax.data import sources
from kc_jax.models import backbones, torch_names
from kc_jax.stages import describe, runner
from kc_jax.train.torch_weights import torch_name

PAGE = (pathlib.Path(__file__).parents[2] / "docs" / "backbones.md").read_text(encoding="utf-8")


def test_the_example_of_an_own_backbone_trains(tmp_path, monkeypatch, data_directory):
    blocks = re.findall(r"```python\n(.+?)```", PAGE, re.S)
    (example,) = [code for code in blocks if "Patches" in code]
    (tmp_path / "patches.py").write_text(example, encoding="utf-8")
    monkeypatch.setitem(backbones.BACKBONES, "patches", None)  # Taken out again after the test.
    options = runpy.run_path(str(tmp_path / "patches.py"))["get_config"]()
    options.data.directory = str(data_directory)
    built = config.build(options)
    workdir = artifacts.Workdir(tmp_path / "run")
    runner.run_stages(built, workdir, ["describe", "train_generalist"])
    layers = artifacts.read_json(workdir.describe)["generalist"]["layers"]
    assert layers[0] == {
        "layer": "backbone/Conv_0", "params": 64 * 32 + 32, "multiply_adds": 16 * 64 * 32
    }
    assert artifacts.manifest_of(workdir.generalist, "train_generalist")["complete"]


def test_the_example_of_a_naming_does_what_the_page_says():
    shown = re.search(r'`\(r"(\S+)", "(\S+)"\)`, which makes', PAGE)
    naming: torch_names.Naming = (shown.groups(),)
    assert torch_name("Conv_0/kernel", naming) == "stem.weight"
    assert torch_name("Conv_0/bias", naming) == "stem.bias"


@pytest.mark.parametrize("name", sorted(backbones.BACKBONES))
def test_the_table_is_what_describe_counts(name):
    built = config.build(eft.get_config("paper"))
    built = dataclasses.replace(built, model=dataclasses.replace(built.model, backbone=name))
    space = sources.load_label_space(built.data).restrict(0)
    described = describe.describe_network(built, built.teachers, space)
    rows = {row["layer"]: row for row in described["layers"]}
    parts = [row for layer, row in rows.items() if layer.startswith("backbone/")]
    features = rows["trunk/shared"]["multiply_adds"] // 4096
    counts = [features, *(sum(row[key] for row in parts) for key in ("params", "multiply_adds"))]
    numbers = re.search(rf"\| `{name}` \| (.+?) \| (.+?) \| (.+?) \|", PAGE).groups()
    assert counts == [int(number.replace(",", "")) for number in numbers]
