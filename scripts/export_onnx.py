# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "jax2onnx==0.17.1", "onnxruntime>=1.20",
#   # What kc_jax itself imports; it cannot be installed beside jax2onnx, whose Orbax is older.
#   "flatbuffers", "grain", "jinja2", "matplotlib", "ml_collections", "optax", "pillow",
#   "importlib_resources", "safetensors", "tensorflow-datasets",
# ]
# ///
"""Converts a bundle to ONNX and compares the two.

Run it from an environment of its own, in a checkout of kc_jax:

python -m venv onnx
onnx/bin/pip install jax2onnx==0.17.1 onnxruntime flatbuffers grain jinja2 matplotlib \
  ml_collections optax pillow importlib_resources safetensors tensorflow-datasets
PYTHONPATH=. onnx/bin/python scripts/export_onnx.py --bundle=runs/embedded/bundles/student

The file maps `images` u8[B, side, side, channels] to `logits` f32[B, C], as the bundle does. It is
kept if onnxruntime gives the bundle's logits for several batches; else the exit status is 1.
"""

import argparse
import json
import pathlib
import sys

import jax
import jax2onnx
import numpy as np
import onnx
import onnxruntime
import safetensors.numpy

from kc_jax.bundle import Bundle, files
from kc_jax.config import Model, Training
from kc_jax.options import build_part
from kc_jax.stages import export, networks

BATCHES = (1, 2, 7)
TOLERANCE = 1e-4  # Of the logits' largest absolute value.


def network_of(bundle: Bundle):
    """Builds the bundle's function of images alone, its weights inside."""
    def read(name):
        return json.loads((bundle.directory / name).read_text(encoding="utf-8"))

    network = read(files.NETWORK)
    training = {key: value for key, value in network["training"].items() if key != "name"}
    model = networks.build_model(
        build_part(Model, network["model"]), build_part(Training, training), bundle.space,
        network["seed"], networks.specs_of(network.get("auxiliary", [])),
    )
    function = export.make_function(model, read(files.PREPROCESSING))
    weights = safetensors.numpy.load_file(bundle.directory / files.WEIGHTS)
    return lambda images: function(weights, images)


def convert(bundle: Bundle, output: pathlib.Path) -> None:
    """Writes the ONNX file."""
    shape = ("B", bundle.side, bundle.side, bundle.channels)
    model = jax2onnx.to_onnx(
        network_of(bundle), [jax.ShapeDtypeStruct(shape, np.uint8)], model_name=bundle.name,
        input_names=["images"], output_names=["logits"],
    )
    del model.graph.value_info[:]  # Some of its shapes are wrong; onnxruntime finds its own.
    onnx.save(model, output)


def largest_difference(bundle: Bundle, output: pathlib.Path) -> float:
    """Compares the logits of noise and of flat images; gives the difference to the largest one."""
    session = onnxruntime.InferenceSession(output, providers=["CPUExecutionProvider"])
    rng, worst = np.random.default_rng(0), 0.0
    for count in BATCHES:
        shape = (count, bundle.side, bundle.side, bundle.channels)
        noise = rng.integers(256, size=shape, dtype=np.uint8)
        flat = np.broadcast_to(rng.integers(256, size=(count, 1, 1, 1), dtype=np.uint8), shape)
        for images in (noise, np.ascontiguousarray(flat)):
            wanted = np.asarray(bundle.classify(images))
            [found] = session.run(["logits"], {"images": images})
            difference = np.max(np.abs(found - wanted)) / np.max(np.abs(wanted))
            worst = max(worst, float(difference))
    return worst


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bundle", required=True)
    parser.add_argument("--output", type=pathlib.Path, help="by default BUNDLE.onnx")
    options = parser.parse_args()
    bundle = Bundle.load(options.bundle)
    output = options.output or bundle.directory.with_suffix(".onnx")
    convert(bundle, output)
    difference = largest_difference(bundle, output)
    is_same = difference <= TOLERANCE
    if not is_same:
        output.unlink()
    print(
        f"{output}: {'written' if is_same else 'not kept'}; largest difference "
        f"{difference:.1e} of the largest logit, at most {TOLERANCE} is allowed; {jax.__version__=}"
    )
    return 0 if is_same else 1


if __name__ == "__main__":
    sys.exit(main())
