import dataclasses

import jax
import jax.numpy as jnp
import pytest

from kc_jax.data import sources
from kc_jax.stages import memory
from tests.stages import shipped


def smoke(**overrides):
    config = shipped.smoke("", **overrides)
    return config, sources.load_label_space(config.data)


def held(**overrides):
    config, space = smoke(**overrides)
    return memory.bytes_per_device(config, config.student, space)


def shape(*dimensions):
    return jax.ShapeDtypeStruct(dimensions, jnp.float32)


def test_kept_bytes_of_two_layers():
    def function(params, inputs):
        return jnp.sum(jnp.tanh(inputs @ params["a"]) @ params["b"])

    params = {"a": shape(5, 7), "b": shape(7, 3)}
    kept = memory.kept_bytes(function, params, shape(2, 5))
    # The inputs, tanh's output and its derivative; both kernels are there anyway.
    assert kept == 4 * (2 * 5 + 2 * (2 * 7))


def test_one_device_holds_everything():
    config, space = smoke()
    found = memory.bytes_per_device(config, config.student, space)
    model = memory.networks.build_model(config.model, config.student, space, 0)
    params = sum(x.size for x in jax.tree.leaves(memory.network_shapes(config, model)["params"]))
    assert found["parameters"] == found["gradients"] == found["optimizer_state"] == 4 * params


def test_model_devices_share_the_head():
    heads = {"student__head": "FC64-SC32", "mesh__tile": 8}
    one, four = held(**heads), held(**heads, mesh__model=4)
    config, space = smoke(**heads)
    head = (64 + 1) * 32 * space.num_verticals + (32 + 1) * space.num_classes
    saved = one["parameters"] - four["parameters"]
    padding = 4 * 33 * (4 * 8 * 2 - space.num_classes) // 4
    assert saved == pytest.approx(4 * head * 3 / 4 + _trunk(config) * 3 / 4 - padding, rel=0.1)
    assert four["activations"] < one["activations"]


def _trunk(config):
    features = config.model.backbone_options["small_conv"]["features"][-1] * 16
    return 4 * 64 * features


def test_data_devices_and_microbatches_share_the_activations():
    whole = held()["activations"]
    assert held(mesh__data=2)["activations"] == pytest.approx(whole / 2, rel=0.05)
    assert held(student__microbatches=4)["activations"] == pytest.approx(whole / 4, rel=0.1)


def test_every_network_has_figures():
    config, space = smoke()
    for name in ("generalist", "teachers", "student"):
        found = memory.bytes_per_device(config, getattr(config, name), space)
        assert min(found.values()) > 0, dataclasses.asdict(config.mesh)


def test_a_frozen_backbone_has_neither_gradients_nor_sums_nor_activations():
    learning = held()
    frozen = held(model__backbone_freeze=True, model__backbone_init_from="weights.safetensors")
    assert frozen["parameters"] == learning["parameters"]
    assert frozen["gradients"] == frozen["optimizer_state"]
    kernels = 8 * 8 * 64 + 9 * 64 * 96 + 9 * 96 * 96 + 2 * (64 + 96 + 96)
    assert learning["gradients"] - frozen["gradients"] == 4 * kernels
    assert frozen["activations"] < learning["activations"] / 5
