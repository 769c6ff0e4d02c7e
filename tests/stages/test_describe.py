import dataclasses
import functools
import re

import jax
import jax.numpy as jnp
import pytest
from flax import linen as nn

from configs import eft, self_informed
from kc_jax import artifacts, config
from kc_jax.core import cost
from kc_jax.data import sources
from kc_jax.models import backbones
from kc_jax.stages import counting, describe, memory, networks
from kc_jax.workdir import Workdir


class Counted(nn.Module):
    """Flattens images, and notes that it was asked."""

    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images, train):
        SEEN.append(images.shape)
        return images.reshape(images.shape[0], -1)


SEEN = []


def build(backbone, head="FC8-FC4"):
    options = eft.get_config("smoke")
    options.model.backbone = backbone
    options.student.head = head
    return config.build(options)


@pytest.mark.parametrize("head", ["FC8-FC4", "FC8-SC(4,2)", "SC8-SC4"])
@pytest.mark.parametrize("level", ["none", "vertical"])
def test_counts_are_those_of_the_whole_network(head, level):
    built = build("small_conv", head)
    training = dataclasses.replace(
        built.student, self_paced=dataclasses.replace(built.student.self_paced, level=level)
    )
    space = sources.load_label_space(built.data)
    described = describe.describe_network(built, training, space)
    model = networks.build_model(built.model, training, space, built.seed)
    variables = memory.network_shapes(built, model)
    multiply_adds = cost.multiply_adds(
        functools.partial(model.apply, train=False), variables, memory.images_shape(built, 1)
    )
    whole = cost.layer_table(multiply_adds, cost.parameters(variables["params"]), 2)
    assert counting.merge_verticals(whole) == described["layers"]
    assert described["params"] == sum(x.size for x in jax.tree.leaves(variables["params"]))


def test_a_backbone_is_traced_for_one_network_alone(monkeypatch):
    monkeypatch.setitem(backbones.BACKBONES, "counted", Counted)
    built = build("counted")
    space = sources.load_label_space(built.data)
    describe.describe_network(built, built.student, space)
    asked = len(SEEN)
    described = [describe.describe_network(built, built.teachers, space.restrict(v))
                 for v in range(space.num_verticals)]
    assert 0 < asked == len(SEEN)
    assert [row["layer"] for row in described[0]["layers"]] == [
        "trunk/shared", "bottleneck/shared", "logits"
    ]


@pytest.mark.parametrize("num_clusters", [6, 13])
def test_auxiliary_heads_of_the_paper_cost_what_it_says(tmp_path, capsys, num_clusters):
    """Warde-Farley et al. (2015), Table 2: 1.52, 1.56 and 1.60 G, rounded."""
    options = self_informed.get_config("paper")
    options.structure.num_clusters = num_clusters
    workdir = Workdir(tmp_path)
    describe.run(config.build(options), workdir)
    found = artifacts.read_json(workdir.describe)["networks"]
    ratio = found["structure"]["multiply_adds"] / found["generalist"]["multiply_adds"]
    assert found["structure"]["to_base"] == ratio
    assert f"{ratio:.3f} times the multiply-adds of generalist" in capsys.readouterr().out
    more = found["structure"]["multiply_adds"] - found["generalist"]["multiply_adds"]
    assert more == num_clusters * (9216 * 512 + 512 * 512) + 17_000 * 512
    assert round(more / 1e9, 2) == {6: 0.04, 13: 0.07}[num_clusters]


def described(options, directory):
    workdir = Workdir(directory)
    describe.run(config.build(options), workdir)
    return artifacts.read_json(workdir.describe)["networks"]


def test_a_head_for_each_vertical_is_counted(tmp_path):
    options = self_informed.get_config("smoke")
    options.structure.answers = "verticals"
    verticals = sources.load_label_space(config.build(options).data).num_verticals
    assert verticals != options.structure.num_clusters
    found = described(options, tmp_path)
    assert f" and {verticals} auxiliary heads of 8-8" in found["structure"]["head"]


def test_a_classifier_learnt_anew_costs_what_its_base_does(tmp_path):
    options = self_informed.get_config("smoke")
    options.structure.num_clusters = 0
    found = described(options, tmp_path)
    assert found["structure"]["to_base"] == 1
    assert found["structure"]["layers"] == found["generalist"]["layers"]


def test_heads_on_a_network_that_is_not_trained_are_left_out_and_said_so(tmp_path, capsys):
    options = self_informed.get_config("smoke")
    options.structure.update({"base": "first", "name": "second"})
    assert set(described(options, tmp_path)) == {"generalist"}
    assert re.search(r"structure is left out: .*first is missing.*run the stage learn_structure",
                     capsys.readouterr().out.replace("\n", " "))


def test_teachers_alone_are_described_without_a_table_of_memory(tmp_path, capsys):
    options = eft.get_config("smoke")
    options.stages = ("describe", "train_teachers")
    assert set(described(options, tmp_path)) == {"teachers"}
    assert "memory a device" not in capsys.readouterr().out
