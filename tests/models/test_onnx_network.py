import json
import re

import numpy as np
import pytest

from kc_jax.config import ConfigError
from kc_jax.core import label_space
from kc_jax.models import onnx_network
from kc_jax.models.onnx_network import OnnxError, OnnxNetwork
from tests.reference import log_odds as reference

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

SPACE = label_space.from_sizes((4,))
SIZE, CHANNELS, BATCH = 6, 3, 5
WEIGHTS = np.random.default_rng(0).normal(0, 0.1, (SIZE * SIZE * CHANNELS, 4)).astype(np.float32)
IMAGES = np.random.default_rng(1).uniform(-1, 1, (BATCH, SIZE, SIZE, CHANNELS)).astype(np.float32)


@pytest.fixture
def write(tmp_path):
    from tests.models import onnx_models

    def write_model(weights=WEIGHTS, shape=(CHANNELS, SIZE, SIZE), **options):
        return onnx_models.write(tmp_path / "animal.onnx", weights, shape, **options)

    return write_model


def opened(path, space=SPACE, channels=CHANNELS):
    return OnnxNetwork(path, space, channels, BATCH)


def scores(mean, std, scale, layout):
    """Gives what the network says of each image, a pixel at a time."""
    result = np.zeros((BATCH, 4))
    for b, y, x, c in np.ndindex(IMAGES.shape):
        pixel = ((IMAGES[b, y, x, c] + 1) / 2 * scale - mean[c % len(mean)]) / std[c % len(std)]
        place = (c * SIZE + y) * SIZE + x if layout == "NCHW" else (y * SIZE + x) * CHANNELS + c
        result[b] += pixel * WEIGHTS[place]
    return result


@pytest.mark.parametrize("mean, std, scale, layout", [
    ([0.5], [0.5], 1.0, "NCHW"),
    ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225], 1.0, "NCHW"),
    ([123.7, 116.8, 103.9], [50.0], 255.0, "NHWC"),
])
def test_images_are_prepared_as_declared(write, mean, std, scale, layout):
    shape = (CHANNELS, SIZE, SIZE) if layout == "NCHW" else (SIZE, SIZE, CHANNELS)
    network = opened(write(shape=shape, mean=mean, std=std, scale=scale, input_layout=layout))
    found = network(IMAGES)
    assert found.dtype == np.float32 and network.image_size == SIZE
    np.testing.assert_allclose(found, scores(mean, std, scale, layout), rtol=1e-4, atol=1e-4)


def test_a_softmax_is_taken_over_all_outputs(write):
    found = opened(write(output="softmax"))(IMAGES)
    wanted = [reference.of_softmax(row) for row in scores([0.5], [0.25], 1.0, "NCHW").tolist()]
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4)


def test_probabilities_become_log_odds(write):
    weights = np.full((SIZE * SIZE * CHANNELS, 4), 1e-3, np.float32) * np.arange(1, 5)
    found = opened(write(weights, output="probabilities", mean=[0.0], std=[1.0]))(IMAGES)
    probs = ((IMAGES + 1) / 2).sum(axis=(1, 2, 3))[:, None] * 1e-3 * np.arange(1, 5)
    np.testing.assert_allclose(1 / (1 + np.exp(-found)), probs, rtol=1e-4)


def test_half_precision_is_fed_as_it_wants(write):
    found = opened(write(dtype=np.float16))(IMAGES)
    np.testing.assert_allclose(found, scores([0.5], [0.25], 1.0, "NCHW"), rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("names", ["paths", "names"])
def test_outputs_are_put_in_the_order_of_class_ids(write, names):
    space = label_space.LabelSpace(
        ("a", "b", "c", "d"), ("x/a", "x/b", "x/c", "x/d"), (None,) * 4, ("x",), (4,)
    )
    own = opened(write(), space)(IMAGES)
    order = [2, 0, 3, 1]
    declared = [getattr(space, names)[i] for i in order]
    shuffled = opened(write(WEIGHTS[:, order], classes=declared), space)(IMAGES)
    np.testing.assert_allclose(shuffled, own, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("options, message", [
    ({"weights": WEIGHTS[:, :3]}, "has 3 outputs; expected 4, one for each class"),
    ({"shape": (SIZE, SIZE, CHANNELS)}, r"takes images .*6, 6, 3\]; expected \[5, 3, 6, 6\]"),
    ({"image_size": 7}, r"takes images .*; expected \[5, 3, 7, 7\], .*'image_size'"),
    ({"shape": (CHANNELS, SIZE * SIZE)}, r"takes images .*3, 36\]; expected"),
    ({"batch": 1}, r"takes images \[1, .*expected \[5, .*config.soft_targets.batch_size"),
    ({"outputs": 2}, "has 1 inputs and 2 outputs; expected one of each"),
    ({"classes": ["a", "b"]}, "animal.json has other 'classes' than the vertical's 4: 'a', 'b'"),
    ({"classes": [f"vertical_00/{c}" for c in (0, 1, 2, 2)]}, "other 'classes'.*vertical_00/3"),
    ({"mean": [0.1, 0.2]}, r"animal.json has the 'mean' \[0.1, 0.2\]; expected a number, or one"),
])
def test_what_does_not_fit_is_named_before_any_image_is_read(write, options, message):
    with pytest.raises(OnnxError, match=f"^/.*{message}"):
        opened(write(**options))


@pytest.mark.parametrize("options, message", [
    ({"input_layout": "HWCN"}, "animal.json.input_layout is 'HWCN'; expected one of NCHW, NHWC"),
    ({"output": "scores"}, "animal.json.output is 'scores'; expected one of logits, probabilities"),
    ({"sise": 7}, "animal.json.sise is unknown"),
    ({"std": [0]}, r"animal.json.std\[0\] is 0.0; expected other than 0"),
    ({"mean": ["a"]}, r"animal.json.mean\[0\] is 'a'; expected a value of type float"),
    ({"scale": 0.0}, "animal.json.scale is 0.0; expected more than 0"),
])
def test_declarations_are_checked_as_a_configuration_is(write, options, message):
    with pytest.raises(ConfigError, match=message):
        opened(write(**options))


def test_a_width_that_only_asking_shows_is_named(write):
    import onnx

    path = write()
    model = onnx.load(path)
    (scores,) = model.graph.output
    kept = onnx.numpy_helper.from_array(np.array([True, False, True, True]), "kept")
    model.graph.initializer.append(kept)
    model.graph.node.append(
        onnx.helper.make_node("Compress", [scores.name, "kept"], ["some"], axis=1)
    )
    scores.name = "some"
    scores.type.tensor_type.shape.dim[1].dim_param = "any"
    onnx.save(model, path)
    with pytest.raises(OnnxError, match=re.escape("gives (5, 3) for 5 images; expected (5, 4)")):
        opened(path)(IMAGES)


def test_another_kind_of_output_than_declared_is_named(write):
    with pytest.raises(OnnxError, match="that are no probabilities, from -.*set 'output' in"):
        opened(write(output="probabilities"))(IMAGES)


@pytest.mark.parametrize("suffix", [".onnx", ".json"])
def test_missing_files_are_named(write, suffix):
    path = write()
    path.with_suffix(suffix).unlink()
    for look in (onnx_network.fingerprint, opened):
        with pytest.raises(OnnxError, match=f"animal{suffix} is "):
            look(path)


def test_broken_files_are_named(write):
    path = write()
    path.write_bytes(b"no network")
    with pytest.raises(OnnxError, match="animal.onnx is no network that onnxruntime can run"):
        opened(path)
    path.with_suffix(".json").write_text("{", encoding="utf-8")
    with pytest.raises(OnnxError, match="animal.json is no JSON object"):
        opened(path)


def test_fingerprints_follow_network_weights_beside_it_and_declaration(write):
    path = write()
    seen = {onnx_network.fingerprint(path)}
    assert onnx_network.fingerprint(write()) in seen
    beside = path.with_suffix(".json")
    beside.write_text(json.dumps({**json.loads(beside.read_text()), "scale": 255.0}))
    seen.add(onnx_network.fingerprint(path))
    path.with_name("animal.onnx.data").write_bytes(b"weights")
    seen.add(onnx_network.fingerprint(path))
    write(2 * WEIGHTS)
    seen.add(onnx_network.fingerprint(path))
    assert len(seen) == 4
