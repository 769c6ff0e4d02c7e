import random

import pytest

from kc_jax.data.hold_out import hold_out

CLASSES = 40
VERTICAL_OF_CLASS = [c // 10 for c in range(CLASSES)]


def images(count, seed=0):
    """Makes images with one or two labels of Zipf-like frequency."""
    draw = random.Random(seed)
    return {f"image {seed}-{i}": tuple({int(CLASSES * draw.random() ** 3)
                                        for _ in range(draw.choice((1, 1, 2)))})
            for i in range(count)}


def held(labels_of, share):
    keys = list(labels_of)
    chosen = hold_out(keys, [labels_of[k] for k in keys], VERTICAL_OF_CLASS, share)
    return {key for key, test in zip(keys, chosen, strict=True) if test}


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_about_the_share_is_held_out_and_every_class_is_learnt(share):
    labels_of = images(2000)
    test = held(labels_of, share)
    assert len(test) == pytest.approx(2000 * share, rel=0.15)
    learnt = {c for key, labels in labels_of.items() if key not in test for c in labels}
    assert learnt == {c for labels in labels_of.values() for c in labels}


def test_the_order_of_the_images_does_not_matter():
    labels_of = images(300)
    keys = sorted(labels_of, reverse=True)
    assert held({key: labels_of[key] for key in keys}, 0.3) == held(labels_of, 0.3)


def test_more_images_do_not_move_those_of_classes_that_are_learnt_anyway():
    labels_of = {k: v for k, v in images(3000).items() if max(v) < 30}
    more = labels_of | images(500, seed=1)
    assert held(labels_of, 0.2) == held(more, 0.2) & labels_of.keys()


def test_every_vertical_is_tested_if_a_class_of_it_can_spare_an_image():
    few = {f"{c} {i}": (c,) for c in (0, 10, 20, 30) for i in range(2)}
    test = held(few, 1e-9)
    assert sorted(VERTICAL_OF_CLASS[few[key][0]] for key in test) == [0, 1, 2, 3]
    assert held({"a": (0,), "b": (10,), "c": (10,)}, 1e-9) <= {"b", "c"}
    assert held(few, 0.0) == set()
