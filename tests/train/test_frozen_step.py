"""A step that leaves the backbone alone."""

import functools

import jax
import numpy as np
import pytest

from kc_jax import sharding
from kc_jax.core import cost
from kc_jax.core.head_spec import HeadSpec
from kc_jax.models.classifier import Classifier
from kc_jax.models.resnet import ResNet
from kc_jax.train import objective, optimizer
from kc_jax.train.state import digest, make_state
from kc_jax.train.step import make_train_step
from tests.models.random_variables import random_variables
from tests.train import tiny

RATE = np.float32(0.1)
MODEL = Classifier(ResNet((1,), 4), HeadSpec.parse("FC6-SC4"), (2, 3), prior=0.1)
TX = optimizer.make_optimizer(tiny.optimizer_options())


def make(freeze):
    """Gives a network's step, its state and a batch; all networks start alike."""
    mesh, model = sharding.make_mesh(), MODEL.clone(frozen=("backbone",) if freeze else ())
    batch = tiny.make_batch()
    batch["image"] = np.random.default_rng(0).integers(256, size=(8, 16, 16, 3)).astype(np.uint8)
    variables = random_variables(model, batch["image"].astype(np.float32), train=False)
    variables = jax.tree.map(np.abs, variables)  # Variances are positive.
    state = make_state(variables, TX, model.frozen)
    step = make_train_step(model, objective.sigmoid, TX, tiny.views, mesh, frozen=model.frozen)
    return step, jax.device_put(state, sharding.replicated(mesh)), sharding.put_batch(mesh, batch)


def test_weights_and_statistics_stay_to_the_bit_while_the_head_learns():
    step, state, batch = make(freeze=True)
    before = jax.device_get(state)
    for _ in range(3):
        state, _ = step(state, batch, RATE)
    assert digest(state.params["backbone"]) == digest(before.params["backbone"])
    assert digest(state.model_state) == digest(before.model_state)
    for part in ("trunk", "bottleneck", "logits"):
        assert digest(state.params[part]) != digest(before.params[part])


def test_an_unfrozen_backbone_moves():
    step, state, batch = make(freeze=False)
    before = jax.device_get(state)
    state, _ = step(state, batch, RATE)
    assert digest(state.params["backbone"]) != digest(before.params["backbone"])
    assert digest(state.model_state) != digest(before.model_state)


def test_the_optimiser_holds_nothing_of_a_frozen_backbone():
    parts = {"trunk", "bottleneck", "logits"}
    for freeze, held in ((True, parts), (False, parts | {"backbone"})):
        _, state, _ = make(freeze)
        assert set(state.opt_state[0][0].sum_of_squares) == held


@pytest.mark.parametrize("freeze, times", [(True, 1), (False, 3)])
def test_a_frozen_backbone_costs_its_forward_pass_alone(freeze, times):
    """Counts the multiply-adds of its layers and the convolutions of the lowered program."""
    step, state, batch = make(freeze)
    forward = 5  # Stem, three convolutions of the block, and its shortcut.
    counts = cost.multiply_adds(step, state, batch, RATE)
    inference = cost.multiply_adds(
        functools.partial(MODEL.apply, train=False), state.variables,
        jax.ShapeDtypeStruct((8, 16, 16, 3), np.float32),
    )
    name = "backbone/stage_1/block_0/unit_2/convolution"
    (found,) = [count for path, count in counts.items() if path.endswith(name)]
    assert found >= times * inference[name] and (freeze is False or found == inference[name])
    convolutions = step.lower(state, batch, RATE).as_text().count("stablehlo.convolution")
    assert convolutions == (forward if freeze else 3 * forward - 1)  # None for the images.


def test_the_head_learns_as_beside_a_backbone_that_infers():
    """The first step equals plain Adagrad on the gradient of the head alone."""
    step, state, batch = make(freeze=True)
    before = jax.device_get(state)

    def loss(params):
        images = tiny.views(batch["image"], batch["record_id"], batch["view"])
        variables = {**before.model_state, "params": params}
        return objective.sigmoid(MODEL.apply(variables, images, train=False), batch)["loss"].mean()

    gradients = jax.jit(jax.grad(loss))(before.params)
    state, _ = step(state, batch, RATE)
    for part in ("trunk", "bottleneck", "logits"):
        jax.tree.map(
            lambda new, old, g: np.testing.assert_allclose(
                new, old - 0.1 * g / np.sqrt(0.1 + g**2 + 1e-7), rtol=1e-4, atol=1e-5
            ),
            state.params[part], before.params[part], gradients[part],
        )
