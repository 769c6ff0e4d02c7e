"""Linear networks as ONNX files, with the file beside them that says how they are asked."""

import json

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

DECLARED = {
    "input_layout": "NCHW", "image_size": 6, "scale": 1.0, "mean": [0.5], "std": [0.25],
    "output": "logits",
}
ELEMENTS = {np.float32: TensorProto.FLOAT, np.float16: TensorProto.FLOAT16}


def write(path, weights, shape, *, batch="batch", dtype=np.float32, outputs=1, **declared):
    """Writes a network that multiplies its flattened input with weights.

    Args:
      path: of the ONNX file.
      weights: [inputs, classes].
      shape: of an input without its batch.
      batch: images at once; a name for any number.
      dtype: of inputs and outputs.
      outputs: that it has, all of them the same.
      **declared: what differs from `DECLARED`.
    """
    names = [f"scores_{i}" for i in range(outputs)]
    nodes = [helper.make_node("Flatten", ["images"], ["flat"], axis=1)]
    nodes += [helper.make_node("MatMul", ["flat", "weights"], [name]) for name in names]
    element = ELEMENTS[dtype]
    graph = helper.make_graph(
        nodes, "linear",
        [helper.make_tensor_value_info("images", element, [batch, *shape])],
        [helper.make_tensor_value_info(n, element, [batch, weights.shape[1]]) for n in names],
        [numpy_helper.from_array(weights.astype(dtype), "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)
    path.with_suffix(".json").write_text(json.dumps({**DECLARED, **declared}), encoding="utf-8")
    return path
