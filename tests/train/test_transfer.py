import jax
import numpy as np
import pytest
from flax import linen as nn

from kc_jax.core.alignment import NEW, Alignment, same
from kc_jax.core.head_spec import HeadSpec
from kc_jax.models.classifier import Classifier
from kc_jax.train.transfer import TransferError, transfer

SIZES = (3, 2)
ALL = ("backbone", "trunk", "bottleneck", "logits")


class Backbone(nn.Module):
    @nn.compact
    def __call__(self, images, train):
        features = nn.Dense(5)(images.reshape(images.shape[0], -1))
        return nn.BatchNorm(use_running_average=not train)(features)


def network(head, seed, sizes=SIZES):
    model = Classifier(Backbone(), HeadSpec.parse(head), sizes, prior=0.1, kernel_stddev=1.0)
    images = jax.random.normal(jax.random.key(9), (4, 2, 2, 1))
    variables = model.init(jax.random.key(seed), images, train=False)
    variables["batch_stats"] = jax.tree.map(lambda x: x + seed, variables["batch_stats"])
    return variables, lambda v: np.asarray(model.apply(v, images, train=False))


@pytest.mark.parametrize("head", ["FC6-FC4", "FC6-SC4", "FC6-SC(4,1)", "FC6-SC(4,4)", "SC6-SC4"])
def test_a_structured_head_begins_as_the_generalists_function(head):
    generalist, generalist_logits = network("FC6-FC4", seed=1)
    student, student_logits = network(head, seed=2)
    started = transfer(student, generalist, ALL, same((0, 1), SIZES))
    np.testing.assert_allclose(
        student_logits(started), generalist_logits(generalist), rtol=1e-5, atol=1e-6
    )


def test_linear_heads_have_no_top_layers_to_take():
    generalist, generalist_logits = network("linear", seed=1)
    student, student_logits = network("linear", seed=2)
    started = transfer(student, generalist, ALL, same((0, 1), SIZES))
    np.testing.assert_array_equal(student_logits(started), generalist_logits(generalist))
    assert set(started["params"]) == {"backbone", "logits"}


@pytest.mark.parametrize("heads", [("linear", "FC6-FC4"), ("FC6-FC4", "linear")])
def test_a_part_that_one_network_lacks_is_named(heads):
    generalist, student = (network(head, seed)[0] for seed, head in enumerate(heads))
    with pytest.raises(TransferError, match="trunk cannot start"):
        transfer(student, generalist, ("backbone", "trunk"), same((0, 1), SIZES))


def test_parts_not_named_keep_their_own_start():
    generalist, _ = network("FC6-FC4", seed=1)
    student, _ = network("FC6-FC8", seed=2)
    started = transfer(student, generalist, ("backbone", "trunk"), same((0, 1), SIZES))
    for part, origin in [("backbone", generalist), ("trunk", generalist), ("bottleneck", student)]:
        jax.tree.map(
            np.testing.assert_array_equal, started["params"][part], origin["params"][part]
        )
    jax.tree.map(np.testing.assert_array_equal, started["batch_stats"], generalist["batch_stats"])


def test_a_teacher_takes_the_logits_of_its_vertical():
    generalist, generalist_logits = network("FC6-FC4", seed=1)
    teacher, teacher_logits = network("FC6-FC4", seed=2, sizes=SIZES[1:])
    started = transfer(teacher, generalist, ALL, same((1,), SIZES[1:]))
    np.testing.assert_allclose(
        teacher_logits(started), generalist_logits(generalist)[:, 3:], rtol=1e-5, atol=1e-6
    )


def test_a_part_of_another_shape_is_named():
    generalist, _ = network("FC6-FC4", seed=1)
    student, _ = network("FC6-SC8", seed=2)
    with pytest.raises(TransferError, match="bottleneck cannot start"):
        transfer(student, generalist, ("bottleneck",), same((0, 1), SIZES))


@pytest.mark.parametrize("head", ["FC6-FC4", "FC6-SC4", "FC6-SC(4,1)", "SC6-SC4"])
def test_what_both_label_spaces_have_is_kept_and_what_is_new_begins_anew(head):
    """A vertical came, another stands elsewhere, and has a class more, which comes first."""
    old, old_logits = network(head, seed=1)
    places = (np.array([NEW, 0, 2]), np.array([NEW, NEW]))
    new, new_logits = network(head, seed=2, sizes=(3, 2))
    started = transfer(new, old, ALL, Alignment((0, NEW), places))
    found = new_logits(started)
    np.testing.assert_allclose(found[:, 1:3], old_logits(old)[:, [0, 2]], rtol=1e-5, atol=1e-6)
    own = started["params"]["logits"]
    fresh = new["params"]["logits"]
    np.testing.assert_array_equal(own["vertical_0"]["kernel"][0], fresh["vertical_0"]["kernel"][0])
    jax.tree.map(np.testing.assert_array_equal, own["vertical_1"], fresh["vertical_1"])
    if "individual" in new["params"]["bottleneck"]:
        layer = started["params"]["bottleneck"]["individual"]["kernel"]
        np.testing.assert_array_equal(
            layer[1], new["params"]["bottleneck"]["individual"]["kernel"][1]
        )


def test_other_widths_of_a_vertical_are_refused():
    old, new = network("FC6-SC4", seed=1)[0], network("FC6-SC5", seed=2)[0]
    with pytest.raises(TransferError, match="bottleneck cannot start from the other network's"):
        transfer(new, old, ("bottleneck",), same((0, 1), SIZES))
