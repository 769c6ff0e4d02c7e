"""The backbones in NumPy, from tensors by the names of PyTorch's libraries; images are NCHW."""

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def normalised(images):
    """Rescales images [B, H, W, 3] of −1..1 as ImageNet's, to [B, 3, H, W]."""
    return (((images + 1) / 2 - MEAN) / DEVIATION).transpose(0, 3, 1, 2)


def windows(images, size, stride, padding, fill):
    """Gives the square windows [B, C, h, w, size, size] of padded images."""
    edges = [(0, 0), (0, 0), (padding, padding), (padding, padding)]
    padded = np.pad(images, edges, constant_values=fill)
    return sliding_window_view(padded, (size, size), axis=(2, 3))[:, :, ::stride, ::stride]


def convolve(images, kernel, stride=1, padding=0):
    """Convolves with a kernel [O, C, k, k], or [C, 1, k, k] of which each channel has its own."""
    seen = windows(images, kernel.shape[-1], stride, padding, 0.0)
    if kernel.shape[1] == 1:
        return np.einsum("bchwij,cij->bchw", seen, kernel[:, 0])
    return np.einsum("bchwij,ocij->bohw", seen, kernel)


def batch_norm(images, tensors, name):
    weight, bias, mean, variance = (
        tensors[f"{name}.{leaf}"][:, None, None]
        for leaf in ("weight", "bias", "running_mean", "running_var")
    )
    return (images - mean) / np.sqrt(variance + 1e-5) * weight + bias


def relu(values):
    return np.maximum(values, 0)


def resnet(images, tensors, stage_sizes):
    """Gives the features of images [B, H, W, 3], −1 to 1."""
    outputs = convolve(normalised(images), tensors["conv1.weight"], 2, 3)
    outputs = relu(batch_norm(outputs, tensors, "bn1"))
    outputs = windows(outputs, 3, 2, 1, -np.inf).max((-2, -1))
    return residual_stages(outputs, tensors, stage_sizes)


def cifar_resnet(images, tensors, depth):
    """Gives the features of images [B, H, W, C] as they are."""
    outputs = convolve(images.transpose(0, 3, 1, 2), tensors["conv1.weight"], 1, 1)
    outputs = relu(batch_norm(outputs, tensors, "bn1"))
    return residual_stages(outputs, tensors, [(depth - 2) // 6] * 3)


def residual_stages(outputs, tensors, stage_sizes):
    for stage, size in enumerate(stage_sizes, start=1):
        for block in range(size):
            stride = 2 if stage > 1 and block == 0 else 1
            outputs = residual_block(outputs, tensors, f"layer{stage}.{block}", stride)
    return outputs.mean((2, 3))


def residual_block(images, tensors, name, stride):
    """Applies a block of two 3×3 convolutions, or of three of which the middle one is 3×3."""
    count = 3 if f"{name}.conv3.weight" in tensors else 2
    inner = images
    for number in range(1, count + 1):
        kernel = tensors[f"{name}.conv{number}.weight"]
        step = stride if number == count - 1 else 1
        inner = convolve(inner, kernel, step, kernel.shape[-1] // 2)
        inner = batch_norm(inner, tensors, f"{name}.bn{number}")
        inner = inner if number == count else relu(inner)
    if f"{name}.downsample.0.weight" in tensors:
        shortcut = convolve(images, tensors[f"{name}.downsample.0.weight"], stride)
        shortcut = batch_norm(shortcut, tensors, f"{name}.downsample.1")
    else:
        shortcut = np.zeros_like(inner)
        shortcut[:, : images.shape[1]] = images[:, :, ::stride, ::stride]
    return relu(inner + shortcut)


def densenet(images, tensors, depth):
    """Gives the features of images [B, H, W, C] as they are, from tensors by our own names."""
    def preactivated(inputs, name):
        kernel = tensors[f"{name}.convolution.weight"]
        inputs = relu(batch_norm(inputs, tensors, f"{name}.batch_norm"))
        return convolve(inputs, kernel, padding=kernel.shape[-1] // 2)

    outputs = convolve(images.transpose(0, 3, 1, 2), tensors["stem.weight"], padding=1)
    for block in (1, 2, 3):
        if block > 1:
            outputs = preactivated(outputs, f"transition_{block - 1}")
            outputs = windows(outputs, 2, 2, 0, 0.0).mean((-2, -1))
        for layer in range((depth - 4) // 6):
            name = f"block_{block}.layer_{layer}"
            added = preactivated(preactivated(outputs, f"{name}.unit_1"), f"{name}.unit_2")
            outputs = np.concatenate([outputs, added], axis=1)
    return relu(batch_norm(outputs, tensors, "batch_norm")).mean((2, 3))


def layer_norm(images, weight, bias):
    """Normalizes [B, C, …] over its channels."""
    mean, variance = images.mean(1, keepdims=True), images.var(1, keepdims=True)
    shape = (-1, *[1] * (images.ndim - 2))
    outputs = (images - mean) / np.sqrt(variance + 1e-6)
    return outputs * weight.reshape(shape) + bias.reshape(shape)


def gelu(values):
    return values * 0.5 * (1 + np.vectorize(math.erf)(values / math.sqrt(2)))


def convnext(images, tensors, stage_sizes):
    """Gives the features of images [B, H, W, 3], −1 to 1, from tensors by timm's names."""
    def of(name):
        return tensors[f"{name}.weight"], tensors[f"{name}.bias"]

    def patches(inputs, name, size):
        kernel, bias = of(name)
        return convolve(inputs, kernel, size) + bias[:, None, None]

    outputs = layer_norm(patches(normalised(images), "stem.0", 4), *of("stem.1"))
    for stage, size in enumerate(stage_sizes):
        if stage:
            outputs = layer_norm(outputs, *of(f"stages.{stage}.downsample.0"))
            outputs = patches(outputs, f"stages.{stage}.downsample.1", 2)
        for block in range(size):
            name = f"stages.{stage}.blocks.{block}"
            kernel, bias = of(f"{name}.conv_dw")
            inner = convolve(outputs, kernel, padding=3) + bias[:, None, None]
            inner = layer_norm(inner, *of(f"{name}.norm"))
            kernel, bias = of(f"{name}.mlp.fc1")
            inner = gelu(np.einsum("bchw,oc->bohw", inner, kernel) + bias[:, None, None])
            kernel, bias = of(f"{name}.mlp.fc2")
            inner = np.einsum("bchw,oc->bohw", inner, kernel) + bias[:, None, None]
            outputs = outputs + tensors[f"{name}.gamma"][:, None, None] * inner
    return layer_norm(outputs.mean((2, 3)), *of("head.norm"))
