import json
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from kc_jax import config, sharding
from kc_jax.core.head_spec import HeadSpec
from kc_jax.models.classifier import Classifier, from_logical
from kc_jax.stages import networks
from kc_jax.train import objective, optimizer
from kc_jax.train.state import make_state
from kc_jax.train.step import (
    make_predict_step,
    make_train_step,
    masked_mean,
    microbatches,
)
from tests import eight_devices
from tests.models.random_variables import random_variables
from tests.reference import losses as reference
from tests.train import many_devices, sharded_steps, tiny

HALF = (True,) * 8 + (False,) * 8
ADAGRAD = tiny.optimizer_options()
PACE = nn.FrozenDict(level="vertical", initial="sqrt_size", scale=1.0, deviation=1e-3, seed=0)


@pytest.mark.parametrize(
    "mask, mean", [((1, 1, 1), 4.0), ((1, 0, 1), 3.5), ((0, 1, 0), 5.0), ((0, 0, 0), 0.0)]
)
def test_masked_mean(mask, mean):
    values, mask = jnp.array([1.0, 5.0, 6.0]), jnp.array(mask, jnp.bool_)
    given = masked_mean(values, mask, jnp.float32(mask.sum()))
    np.testing.assert_allclose(given, mean, rtol=1e-6)


def expected_step(batch, rate):
    """Takes the step of `tiny.train_once` by hand; returns loss, kernel and bias."""
    params = tiny.make_tiny_state(tiny.SGD).params["logits"]
    kernel, bias = (np.asarray(params[name], np.float64) for name in ("kernel", "bias"))
    images = tiny.numpy_views(batch).reshape(len(batch["mask"]), -1)
    logits = images @ kernel + bias
    targets = reference.dense_targets(batch["target_ids"], batch["target_probs"], logits.shape[1])
    weights = batch["mask"] / np.sum(batch["mask"])
    loss = np.sum(weights * reference.sigmoid_cross_entropy(logits, targets))
    slopes = weights[:, None] * reference.sigmoid_cross_entropy_gradient(logits, targets)
    return loss, kernel - rate * images.T @ slopes, bias - rate * np.sum(slopes, axis=0)


@pytest.mark.parametrize("mask", [(True,) * 8, HALF])
@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_a_step_equals_the_reference(mask, rate):
    batch = tiny.make_batch(mask=mask)
    state, metrics = tiny.train_once(batch, rate=rate)
    loss, kernel, bias = expected_step(batch, rate)
    np.testing.assert_allclose(metrics["loss"], loss, rtol=1e-5)
    np.testing.assert_allclose(state.params["logits"]["kernel"], kernel, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(state.params["logits"]["bias"], bias, rtol=1e-5, atol=1e-6)


def test_a_step_counts_itself_and_updates_the_models_state():
    state, _ = tiny.train_once(tiny.make_batch())
    assert int(state.step) == 1
    assert int(state.model_state["batch_stats"]["passes"]) == 1


def test_a_step_that_is_not_finite_can_change_nothing_but_the_count():
    batch = tiny.make_batch()
    batch["target_probs"] = batch["target_probs"].copy()
    batch["target_probs"][0, 0] = np.nan
    spoilt, _ = tiny.train_once(batch)
    assert not np.all(np.isfinite(spoilt.params["logits"]["kernel"]))
    state, metrics = tiny.train_once(batch, leave_out_non_finite=True)
    before = tiny.make_tiny_state(tiny.SGD)
    jax.tree.map(np.testing.assert_array_equal, state.replace(step=0), before.replace(step=0))
    assert int(state.step) == 1 and float(metrics["left_out"]) == 1.0
    state, metrics = tiny.train_once(tiny.make_batch(), leave_out_non_finite=True)
    expected, _ = tiny.train_once(tiny.make_batch())
    jax.tree.map(np.testing.assert_array_equal, state, expected)
    assert float(metrics["left_out"]) == 0.0


def test_padded_rows_change_neither_loss_nor_parameters():
    real = tiny.make_batch(0, mask=HALF)
    other = tiny.make_batch(1, mask=HALF)
    padded_otherwise = {name: np.concatenate([real[name][:8], other[name][8:]]) for name in real}
    alone = {name: array[:8] for name, array in real.items()}
    state, metrics = tiny.train_once(real)
    for batch in (padded_otherwise, alone):
        again, again_metrics = tiny.train_once(batch)
        np.testing.assert_allclose(again_metrics["loss"], metrics["loss"], rtol=1e-6)
        for a, b in zip(jax.tree.leaves(again.params), jax.tree.leaves(state.params), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)


def test_metrics_are_masked_means_of_every_term_and_loss_alone_is_minimised():
    def judge(logits, batch):
        terms = objective.sigmoid(logits, batch)
        return {**terms, "record": batch["record_id"].astype(jnp.float32) * jnp.sum(logits * 0 + 1)}

    batch = tiny.make_batch(mask=HALF)
    state, metrics = tiny.train_once(batch, judge)
    plain, plain_metrics = tiny.train_once(batch)
    assert set(metrics) == {"loss", "record"}
    expected = np.mean(batch["record_id"][:8]) * batch["mask"].size * tiny.NUM_CLASSES
    np.testing.assert_allclose(metrics["record"], expected, rtol=1e-5)
    np.testing.assert_allclose(metrics["loss"], plain_metrics["loss"], rtol=1e-6)
    np.testing.assert_allclose(
        state.params["logits"]["kernel"], plain.params["logits"]["kernel"], rtol=1e-6
    )


def test_networks_of_one_shape_share_a_compiled_step():
    def make():
        mesh = sharding.make_mesh()
        return make_train_step(tiny.TinyModel(), objective.sigmoid, tiny.SGD, tiny.views, mesh)

    assert make() is make()


def test_the_state_is_donated():
    mesh = sharding.make_mesh()
    train_step = make_train_step(tiny.TinyModel(), objective.sigmoid, tiny.SGD, tiny.views, mesh)
    state = jax.device_put(tiny.make_tiny_state(tiny.SGD), sharding.replicated(mesh))
    batch = sharding.put_batch(mesh, tiny.make_batch())
    train_step(state, batch, np.float32(0.1))
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state))
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves(batch))


def test_predict_step_infers():
    mesh, batch = sharding.make_mesh(), tiny.make_batch()
    variables = tiny.make_tiny_state(tiny.SGD).variables
    predict = make_predict_step(tiny.TinyModel(), tiny.views)
    logits = predict(variables, sharding.put_batch(mesh, batch))
    params = variables["params"]["logits"]
    images = tiny.numpy_views(batch).reshape(tiny.BATCH, -1)
    expected = images @ np.asarray(params["kernel"], np.float64) + np.asarray(params["bias"])
    np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-5)
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves(variables))


def test_eight_devices_take_the_same_step_as_one():
    many = json.loads(eight_devices.run_module(many_devices.__name__))
    one = many_devices.result()
    assert many.pop("devices") == 8
    for name, value in many.items():
        np.testing.assert_allclose(value, one[name], rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("count", [2, 4])
def test_microbatches_add_up_to_the_batch(count):
    mesh, batch = sharding.make_mesh(), tiny.make_batch(mask=(True,) * 5 + (False,) * 3)
    expected, expected_metrics = tiny.train_once(batch)
    state = jax.device_put(tiny.make_tiny_state(tiny.SGD), sharding.replicated(mesh))
    train_step = make_train_step(
        tiny.TinyModel(), objective.sigmoid, tiny.SGD, tiny.views, mesh, count
    )
    state, metrics = train_step(state, sharding.put_batch(mesh, batch), np.float32(0.1))
    np.testing.assert_allclose(metrics["loss"], expected_metrics["loss"], rtol=1e-6)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6),
        state.params, expected.params,
    )
    assert int(state.model_state["batch_stats"]["passes"]) == count


def test_microbatches_take_every_example_once():
    parts = microbatches({"x": np.arange(12)}, 3)
    assert [part["x"].tolist() for part in parts] == [[0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8, 11]]


@pytest.mark.parametrize("head", ["FC64-SC32", "FC64-FC32"])
def test_kernels_are_updated_in_place(head):
    """XLA would copy a donated kernel that the backward pass might still need after its update."""
    mesh = sharding.make_mesh()
    model = Classifier(sharded_steps.Flat(), HeadSpec.parse(head), (300, 700), prior=0.1)
    tx = optimizer.make_optimizer(ADAGRAD)
    batch = sharded_steps.make_batch(1000)
    params = random_variables(model, batch["image"][:1], train=True)["params"]
    state = jax.device_put(make_state({"params": params}, tx), sharding.replicated(mesh))
    train_step = make_train_step(model, objective.sigmoid, tx, sharded_steps.views, mesh)
    compiled = train_step.lower(state, sharding.put_batch(mesh, batch), np.float32(0.1)).compile()
    text = compiled.as_text()
    assert "state_params" in text
    assert not re.findall(r" copy\(%?state_params\w*kernel", text)


@pytest.mark.slow
@pytest.mark.parametrize("pace", [None, PACE])
@pytest.mark.parametrize("kind", ["per_vertical", "tiled"])
def test_the_papers_head_fits_into_three_times_its_parameters_and_logits(kind, pace):
    """Compiles the step of 100,000 classes at a batch of 256, without running it."""
    mesh, sizes, batch_size, features = sharding.make_mesh(), (5_000,) * 20, 256, 9216
    logical = Classifier(
        sharded_steps.Flat(), HeadSpec.parse("FC4096-SC512"), sizes, prior=1e-5, pace=pace
    )
    model = networks.lay_out(logical, config.Mesh(-1, 1, kind, 0), mesh)
    tx = optimizer.make_optimizer(ADAGRAD)

    def fresh(key):
        images = jnp.zeros((1, features), jnp.float32)
        return from_logical(model, make_state(logical.init(key, images, train=False), tx))

    def shape(dtype, *dimensions):
        return jax.ShapeDtypeStruct((batch_size, *dimensions), dtype)

    state = jax.eval_shape(fresh, jax.random.key(0))
    batch = {
        "image": shape(jnp.uint8, features), "record_id": shape(jnp.int32),
        "view": shape(jnp.int32), "target_ids": shape(jnp.int32, 100),
        "target_probs": shape(jnp.float32, 100), "mask": shape(jnp.bool_),
    }
    step = make_train_step(model, objective.sigmoid_of(model), tx, sharded_steps.views, mesh)
    memory = step.lower(state, batch, jnp.float32(0.1)).compile().memory_analysis()
    held = memory.argument_size_in_bytes + memory.temp_size_in_bytes
    params = sum(leaf.size for leaf in jax.tree.leaves(state.params))
    logits = batch_size * (sum(sizes) if kind == "per_vertical" else model.layout.valid.size)
    assert held <= 4 * (3 * params + 3 * logits)
