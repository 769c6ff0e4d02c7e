"""What docs/backbones.md shows."""

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
from kc_jax.workdir import Workdir

PAGE = (pathlib.Path(__file__).parents[2] / "docs" / "backbones.md").read_text(encoding="utf-8")


def test_the_example_of_an_own_backbone_trains(tmp_path, monkeypatch, data_directory):
    blocks = re.findall(r"```python\n(.+?)```", PAGE, re.S)
    (example,) = [code for code in blocks if "Patches" in code]
    (tmp_path / "patches.py").write_text(example, encoding="utf-8")
    monkeypatch.setitem(backbones.BACKBONES, "patches", None)  # Taken out again after the test.
    options = runpy.run_path(str(tmp_path / "patches.py"))["get_config"]()
    options.data.directory = str(data_directory)
    built = config.build(options)
    workdir = Workdir(tmp_path / "run")
    runner.run_stages(built, workdir, ["describe", "train_generalist"])
    layers = artifacts.read_json(workdir.describe)["networks"]["generalist"]["layers"]
    assert layers[0] == {
        "layer": "backbone/Conv_0", "params": 64 * 32 + 32, "multiply_adds": 16 * 64 * 32
    }
    assert artifacts.manifest_of(workdir.generalist, "train_generalist")["complete"]


def test_the_example_of_a_naming_does_what_the_page_says():
    shown = re.search(r'`\(r"(\S+)", "(\S+)"\)`, which makes', PAGE)
    naming: torch_names.Naming = (shown.groups(),)
    assert torch_name("Conv_0/kernel", naming) == "stem.weight"
    assert torch_name("Conv_0/bias", naming) == "stem.bias"


def counted(name, size, **options):
    """Gives features, parameters and multiply-adds of a backbone as `describe` counts them."""
    built = eft.get_config("paper")
    built.data.image_size, built.model.backbone = size, name
    built.model.backbone_options[name].update(options)
    built = config.build(built)
    space = sources.load_label_space(built.data).restrict(0)
    described = describe.describe_network(built, built.teachers, space)
    rows = {row["layer"]: row for row in described["layers"]}
    parts = [row for layer, row in rows.items() if layer.startswith("backbone/")]
    features = rows["trunk/shared"]["multiply_adds"] // 4096
    return [features, *(sum(row[key] for row in parts) for key in ("params", "multiply_adds"))]


def test_a_linear_head_makes_the_published_resnet_18():
    options = eft.get_config("paper")
    options.data.update({"num_classes": 1000, "num_verticals": 1})
    options.model.backbone, options.student.head = "resnet18", "linear"
    built = config.build(options)
    space = sources.load_label_space(built.data)
    described = describe.describe_network(built, built.student, space)
    assert described["params"] - space.num_verticals == 11_689_512  # Less the pace.
    assert described["layers"][-2:] == [
        {"layer": "logits", "params": 513_000, "multiply_adds": 512_000},
        {"layer": "pace", "params": 1, "multiply_adds": 0},
    ]


def numbers(cells):
    return [int(cell.replace(",", "")) for cell in cells]


@pytest.mark.parametrize("name", sorted(backbones.BACKBONES))
def test_the_table_is_what_describe_counts(name):
    row = re.search(rf"\| `{name}` \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|", PAGE)
    assert counted(name, 224) == numbers(row.groups())


SMALL = re.findall(r"\| `(\w+)` \| `(.+?)` \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|", PAGE)


@pytest.mark.parametrize("name, options, features, parameters, multiply_adds", [
    # A network of 190 layers takes its time.
    pytest.param(*row, marks=pytest.mark.slow if "depth=190" in row[1] else ()) for row in SMALL
])
def test_the_table_of_32_pixels_is_too(name, options, features, parameters, multiply_adds):
    values = {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", options)}
    assert counted(name, 32, **values) == numbers([features, parameters, multiply_adds])


def test_the_table_of_32_pixels_has_every_network_of_the_paper():
    assert [(name, options) for name, options, *_ in SMALL] == [
        *(("cifar_resnet", f"depth={depth}") for depth in (20, 32, 44, 56, 74, 92, 110)),
        ("densenet", "depth=100 growth=12"), ("densenet", "depth=190 growth=40"),
    ]
