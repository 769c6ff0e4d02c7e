"""The two top layers and the logits of Figure 3 of Gao et al. (2017), vertical by vertical."""

import math

import numpy as np


def dense(inputs, layer, vertical=None):
    """Applies a layer of the parameter tree; of a structured one, a vertical's part [out, in]."""
    kernel = np.asarray(layer["kernel"], np.float64)
    bias = np.asarray(layer["bias"], np.float64)
    if vertical is not None:
        kernel, bias = kernel[vertical].T, bias[vertical]
    return np.asarray(inputs, np.float64) @ kernel + bias


def logit_layer(inputs, layer):
    """Applies a vertical's last layer, whose kernel is [classes, in]."""
    return dense(inputs, {"kernel": np.asarray(layer["kernel"]).T, "bias": layer["bias"]})


def relu(x):
    return np.maximum(x, 0.0)


def trunk(features, params, vertical):
    if "individual" in params:
        return relu(dense(features, params["individual"], vertical))
    return relu(dense(features, params["shared"]))


def bottleneck(inputs, params, vertical):
    """Gives what a vertical's logits see: the generic units, then its own."""
    parts = []
    if "shared" in params:
        parts.append(relu(dense(inputs, params["shared"])))
    if "individual" in params:
        parts.append(relu(dense(inputs, params["individual"], vertical)))
    return np.concatenate(parts, axis=1)


def logits(features, params, num_verticals):
    """Gives the list of each vertical's logits."""
    outputs = []
    for v in range(num_verticals):
        inputs = features
        if "trunk" in params:  # A linear head has neither.
            inputs = bottleneck(trunk(features, params["trunk"], v), params["bottleneck"], v)
        outputs.append(logit_layer(inputs, params["logits"][f"vertical_{v}"]))
    return outputs


def kernel_parameters(kind, *, s1, s2, sg, num_classes, num_verticals, features):
    """Counts the kernels' parameters by the formulas of section 3.2, figure by figure."""
    n, m, sb = num_classes, num_verticals, features
    return {
        "a": s2 * n + s2 * s1 + s1 * sb,
        "b": s2 * n + m * s2 * s1 + s1 * sb,
        "c": s2 * n + m * s2 * s1 + m * s1 * sb,
        "d": s2 * n + m * (s2 - sg) * s1 + sg * s1 + s1 * sb,
        "linear": sb * n,
    }[kind]


def prior_log_odds(prior):
    return math.log(prior) - math.log1p(-prior)
