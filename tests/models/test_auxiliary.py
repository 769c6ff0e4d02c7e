import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kc_jax import sharding
from kc_jax.core import cost
from kc_jax.core.auxiliary import AuxiliarySpec
from kc_jax.core.head_spec import HeadSpec
from kc_jax.models.classifier import Classifier
from kc_jax.models.resnet import ResNet
from kc_jax.train import objective, optimizer
from kc_jax.train.state import digest, make_state
from kc_jax.train.step import make_train_step
from tests.models.random_variables import random_variables
from tests.reference import heads, structure
from tests.train import tiny

SIZES = (2, 3)
# Clusters that cross verticals, of two hidden layers, and one layer on the trunk.
FIRST = AuxiliarySpec((1, 0, 0, 2, 1), (5, 4), "backbone")
SECOND = AuxiliarySpec((0, 1, 0, 1, 1), (3,), "trunk")
RATE = np.float32(0.1)


class Flat(ResNet):
    """Is a backbone whose features are known: the images themselves."""

    def __call__(self, images, train):
        return images.reshape(len(images), -1)


def images(count=6):
    return np.random.default_rng(0).normal(size=(count, 2, 2, 2)).astype(np.float32)


def make(*auxiliary, **options):
    model = Classifier(
        Flat((1,), 4), HeadSpec.parse("FC6-SC4"), SIZES, prior=0.1, kernel_stddev=1.0,
        auxiliary=auxiliary, **options,
    )
    return model, random_variables(model, images(), train=False)


def logits_of(model, variables, seen=None):
    return jax.jit(functools.partial(model.apply, train=False))(
        variables, images() if seen is None else seen
    )


@pytest.mark.parametrize("specs", [(FIRST,), (SECOND,), (FIRST, SECOND)])
def test_heads_add_what_their_twin_adds(specs):
    model, variables = make(*specs)
    params, features = variables["params"], images().reshape(6, -1)
    expected = np.concatenate(heads.logits(features, params, 2), axis=-1)
    for number, spec in enumerate(specs):
        seen = heads.trunk(features, params["trunk"], 0) if spec.attach == "trunk" else features
        expected += structure.auxiliary_logits(
            seen, params[f"auxiliary_{number}"], params[f"auxiliary_{number}_logits"],
            spec.cluster_of_class,
        )
    np.testing.assert_allclose(logits_of(model, variables), expected, rtol=1e-5, atol=1e-5)


def test_a_class_hears_the_stack_of_its_cluster_alone():
    model, variables = make(FIRST)

    def logits(params):
        return model.apply({"params": params}, images(), train=False).sum(axis=0)

    slopes = jax.jacrev(logits)(variables["params"])["auxiliary_0"]["layer_0"]["kernel"]
    hears = np.any(slopes != 0, axis=(2, 3))  # Classes by clusters.
    np.testing.assert_array_equal(hears, np.eye(3, dtype=bool)[list(FIRST.cluster_of_class)])


def test_new_heads_of_zero_kernels_leave_the_network_as_it_was():
    base, variables = make()
    model, augmented = make(FIRST, SECOND)
    start = model.clone(kernel_stddev=0.0).init(jax.random.key(0), images(), train=False)
    for number in range(2):
        name = f"auxiliary_{number}_logits"
        augmented["params"][name] = start["params"][name]
    augmented["params"] |= variables["params"]
    np.testing.assert_array_equal(logits_of(model, augmented), logits_of(base, variables))


def test_parameters_and_multiply_adds():
    model, variables = make(FIRST)
    assert sum(x.size for x in jax.tree.leaves(variables["params"]["auxiliary_0"])) == (
        3 * (8 * 5 + 5 + 5 * 4 + 4)
    )
    counts = cost.multiply_adds(
        functools.partial(model.apply, train=False), variables, images(1)
    )
    own = {path: n for path, n in counts.items() if path.startswith("auxiliary")}
    assert sum(own.values()) == 3 * (8 * 5 + 5 * 4) + 5 * 4


def test_low_precision_keeps_parameters_and_logits_in_float32():
    model, variables = make(FIRST, SECOND)
    low = logits_of(model.clone(dtype=jnp.bfloat16), variables)
    assert low.dtype == jnp.float32
    assert {x.dtype for x in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    expected = logits_of(model, variables)
    assert np.any(low != expected)
    np.testing.assert_allclose(low, expected, atol=0.1 * expected.std())


def test_training_new_heads_keeps_every_earlier_weight_and_statistic_to_the_bit():
    frozen = ("backbone", "trunk", "bottleneck", "auxiliary_0")
    model = Classifier(
        ResNet((1,), 4), HeadSpec.parse("FC6-SC4"), SIZES, prior=0.1, frozen=frozen,
        auxiliary=(FIRST, SECOND),
    )
    batch = tiny.make_batch()
    batch["image"] = np.random.default_rng(0).integers(256, size=(8, 16, 16, 3)).astype(np.uint8)
    batch["target_ids"] %= 5
    variables = random_variables(model, batch["image"].astype(np.float32), train=False)
    variables = jax.tree.map(np.abs, variables)  # Variances are positive.
    mesh, tx = sharding.make_mesh(), optimizer.make_optimizer(tiny.optimizer_options())
    state = jax.device_put(make_state(variables, tx, frozen), sharding.replicated(mesh))
    step = make_train_step(model, objective.sigmoid, tx, tiny.views, mesh, frozen=frozen)
    before = jax.device_get(state)
    for _ in range(3):
        state, _ = step(state, sharding.put_batch(mesh, batch), RATE)
    assert digest(state.model_state) == digest(before.model_state)
    for part, params in before.params.items():
        assert (digest(state.params[part]) == digest(params)) == (part in frozen), part
