import dataclasses
import subprocess
import sys

import jax
import numpy as np
import pytest

from kc_jax.bundle import Bundle, files, loaded
from kc_jax.data import augment
from tests.bundle import small


def test_logits_are_the_networks_for_any_batch(bundle):
    model, variables = small.network()
    for count in (1, 2, 5):
        images = small.noise(count)
        views = augment.centre_views("photo_centre", images, small.SIZE)
        expected = model.apply(variables, views, train=False)
        logits = bundle.classify(images)
        assert logits.shape == (count, small.SPACE.num_classes)
        np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-5)


def test_it_is_lowered_for_cpu_cuda_and_tpu(directory):
    program = jax.export.deserialize(bytearray((directory / files.PROGRAM).read_bytes()))
    assert program.platforms == ("cpu", "cuda", "tpu")
    assert program.in_avals[-1].shape[0] != 1 and not isinstance(program.in_avals[-1].shape[0], int)


def test_no_code_of_networks_is_needed(directory):
    script = f"""
import sys
import numpy as np
from kc_jax.bundle import Bundle
from kc_jax.bundle.images import read_square
bundle = Bundle.load({str(directory)!r})
bundle.names(bundle.classify(np.zeros((2, {small.SIDE}, {small.SIDE}, 3), np.uint8)))
print(*sorted(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    known = done.stdout.split()
    ours = {name for name in known if name.startswith("kc_jax.")}
    assert ours <= {"kc_jax.checksums", "kc_jax.errors", "kc_jax.core",
                    "kc_jax.core.label_space", "kc_jax.core.average_precision",
                    "kc_jax.core.log_odds", "kc_jax.data", "kc_jax.data.images",
                    *(name for name in ours if name.startswith("kc_jax.bundle"))}
    others = {"flax", "optax", "orbax", "grain", "tensorflow_datasets", "ml_collections", "absl"}
    assert not others & set(known)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_names_are_ranked_by_calibrated_probability(bundle):
    """Against the same in plain loops; class 0 has no training images, so it is no first name."""
    logits = np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32)
    fits = [small.CALIBRATION["verticals"][v] for v in ["bird"] * 4 + ["car"] * 2]
    for row, names in zip(logits, bundle.names(logits, top=3), strict=True):
        probability = [
            sigmoid(x / fit["temperature"] + fit["bias"])
            for x, fit in zip(row, fits, strict=True)
        ]
        expected = sorted(range(1, 6), key=lambda c: -probability[c])[:3]
        assert [name.class_id for name in names] == expected
        for name in names:
            assert name.probability == pytest.approx(probability[name.class_id], rel=1e-5)
            assert name.logit == row[name.class_id]
            assert name.name == small.SPACE.names[name.class_id]
            assert name.vertical == ("bird" if name.class_id < 4 else "car")
            is_above = name.vertical == "bird" and probability[name.class_id] >= 0.5
            assert name.above_threshold is bool(is_above)
            for ancestor in name.ancestors:
                assert ancestor.probability == pytest.approx(probability[ancestor.class_id])


def test_ancestors_come_nearest_first(bundle):
    logits = np.array([[0, 0, 9, 0, 0, 0]], np.float32)
    [[name]] = bundle.names(logits, top=1)
    assert [a.name for a in name.ancestors] == ["gull", "bird"]


@pytest.mark.parametrize("text, names", [
    ("", []), ("car", ["car"]), ("bird,car", ["bird", "car"]), ("car,,no", ["car", "no"]),
    ("Arts, Entertainment", ["Arts, Entertainment"]), ("Arts,car", ["Arts", "car"]),
])
def test_a_vertical_may_have_a_comma_in_its_name(bundle, text, names):
    space = dataclasses.replace(bundle.space, verticals=("Arts, Entertainment", "car"))
    assert dataclasses.replace(bundle, space=space).listed(text) == names


def test_pruning_takes_names_from_some_verticals(bundle):
    logits = np.array([[9, 8, 7, 6, -9, -8]], np.float32)
    [names] = bundle.names(logits, top=5, verticals=["car"])
    assert [name.name for name in names] == ["van", "coupé"]
    both = bundle.names(logits, top=9, verticals=["car", "bird"])
    assert both == bundle.names(logits, top=9) and len(both[0]) == 5


def test_an_unknown_vertical_is_named(bundle):
    with pytest.raises(loaded.UnknownVerticalError, match="'brid' is unknown; did you mean 'bird'"):
        bundle.names(np.zeros((1, 6), np.float32), verticals=["brid"])


@pytest.mark.parametrize("images", [
    np.zeros((2, 9, 9, 3), np.float32), np.zeros((9, 9, 3), np.uint8), np.zeros((1, 9, 9, 1), "u1"),
])
def test_images_of_another_shape_are_refused(bundle, images):
    with pytest.raises(loaded.ImageShapeError, match=r"expected uint8\[B, 9, 9, 3\]"):
        bundle.classify(images)


def test_without_calibration_probabilities_are_the_logits_sigmoid(tmp_path):
    plain = Bundle.load(small.write(tmp_path / "plain"))
    assert not plain.is_calibrated
    logits = np.array([[0, -1, 2, 0.5, 1, -3]], np.float32)
    for name in plain.names(logits)[0]:
        assert name.probability == pytest.approx(sigmoid(logits[0, name.class_id]))
        assert name.above_threshold is None


@pytest.mark.parametrize("change, words", [
    ({"bird": small.CALIBRATION["verticals"]["bird"]}, "no vertical 'car'"),
    ({**small.CALIBRATION["verticals"], "car": {"temperature": 0.0, "bias": 0.0}}, "temperature 0"),
])
def test_a_calibration_that_does_not_fit_is_refused(tmp_path, change, words):
    with pytest.raises(files.BundleError, match=words):
        small.write(tmp_path / "odd", calibration={"verticals": change})
