"""Random tensors with the names and shapes of torchvision's and timm's networks."""

import numpy as np


def random_tensors(shapes):
    """Fills shapes by name with numbers that keep activations near 1."""
    rng = np.random.default_rng(0)

    def fill(name, shape):
        if name.endswith("num_batches_tracked"):
            return np.array(7)
        if len(shape) in (2, 4):
            return rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))
        if name.endswith("bias") or name.endswith("running_mean"):
            return rng.normal(size=shape) * 0.3
        return rng.uniform(0.5, 1.5, shape)

    return {name: fill(name, shape).astype(np.float32) for name, shape in shapes.items()}


def batch_norm(name, channels):
    shapes = {f"{name}.{leaf}": (channels,) for leaf in
              ("weight", "bias", "running_mean", "running_var")}
    return {**shapes, f"{name}.num_batches_tracked": ()}


def layer(name, *shape):
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


def resnet(stage_sizes, width, block="bottleneck"):
    """Gives the shapes of torchvision's and timm's ResNet by name, with a classifier."""
    shapes = {"conv1.weight": (width, 3, 7, 7), **batch_norm("bn1", width)}
    channels = width
    for stage, size in enumerate(stage_sizes):
        inner = width * 2**stage
        wide = 4 * inner if block == "bottleneck" else inner
        for index in range(size):
            name = f"layer{stage + 1}.{index}"
            if block == "bottleneck":
                kernels = [(inner, channels, 1, 1), (inner, inner, 3, 3), (wide, inner, 1, 1)]
            else:
                kernels = [(inner, channels, 3, 3), (inner, inner, 3, 3)]
            shapes |= convolutions(name, kernels)
            if index == 0 and (stage or channels != wide):
                shapes[f"{name}.downsample.0.weight"] = (wide, channels, 1, 1)
                shapes |= batch_norm(f"{name}.downsample.1", wide)
            channels = wide
    return {**shapes, **layer("fc", 10, channels)}


def cifar_resnet(depth, channels=3):
    """Gives the shapes of He's ResNet for CIFAR by such names, with a classifier."""
    shapes = {"conv1.weight": (16, channels, 3, 3), **batch_norm("bn1", 16)}
    before = 16
    for stage, width in enumerate([16, 32, 64], start=1):
        for index in range((depth - 2) // 6):
            kernels = [(width, before, 3, 3), (width, width, 3, 3)]
            shapes |= convolutions(f"layer{stage}.{index}", kernels)
            before = width
    return {**shapes, **layer("fc", 10, 64)}


def convolutions(name, kernels):
    """Gives the shapes of a block's convolutions, each with its normalization."""
    shapes = {}
    for number, kernel in enumerate(kernels, start=1):
        shapes[f"{name}.conv{number}.weight"] = kernel
        shapes |= batch_norm(f"{name}.bn{number}", kernel[0])
    return shapes


def densenet(depth, growth, channels=3):
    """Gives the shapes of a DenseNet-BC by our own names, for PyTorch's orders of axes."""
    def preactivated(name, *kernel):
        return {f"{name}.convolution.weight": kernel, **batch_norm(f"{name}.batch_norm", kernel[1])}

    width = 2 * growth
    shapes = {"stem.weight": (width, channels, 3, 3)}
    for block in (1, 2, 3):
        if block > 1:
            shapes |= preactivated(f"transition_{block - 1}", width // 2, width, 1, 1)
            width //= 2
        for layer_index in range((depth - 4) // 6):
            name = f"block_{block}.layer_{layer_index}"
            shapes |= preactivated(f"{name}.unit_1", 4 * growth, width, 1, 1)
            shapes |= preactivated(f"{name}.unit_2", growth, 4 * growth, 3, 3)
            width += growth
    return {**shapes, **batch_norm("batch_norm", width)}


def convnext(stage_sizes, widths):
    """Gives the shapes of timm's ConvNeXt by name, with a classifier."""
    shapes = {**layer("stem.0", widths[0], 3, 4, 4), **layer("stem.1", widths[0])}
    for stage, (size, width) in enumerate(zip(stage_sizes, widths, strict=True)):
        if stage:
            before = widths[stage - 1]
            shapes |= layer(f"stages.{stage}.downsample.0", before)
            shapes |= layer(f"stages.{stage}.downsample.1", width, before, 2, 2)
        for block in range(size):
            name = f"stages.{stage}.blocks.{block}"
            shapes[f"{name}.gamma"] = (width,)
            shapes |= layer(f"{name}.conv_dw", width, 1, 7, 7)
            shapes |= layer(f"{name}.norm", width)
            shapes |= layer(f"{name}.mlp.fc1", 4 * width, width)
            shapes |= layer(f"{name}.mlp.fc2", width, 4 * width)
    return {**shapes, **layer("head.norm", widths[-1]), **layer("head.fc", 10, widths[-1])}


TORCHVISION = {
    "stem.0": "features.0.0", "stem.1": "features.0.1", "head.norm": "classifier.0",
    "head.fc": "classifier.2", "conv_dw": "block.0", "norm": "block.2", "mlp.fc1": "block.3",
    "mlp.fc2": "block.5",
}


def as_torchvision(tensors):
    """Renames timm's ConvNeXt tensors as torchvision does."""
    renamed = {}
    for name, tensor in tensors.items():
        parts = name.split(".")
        if parts[0] == "stages" and parts[2] == "downsample":
            name = ".".join(["features", str(2 * int(parts[1])), *parts[3:]])
        elif parts[-1] == "gamma":
            name = f"features.{2 * int(parts[1]) + 1}.{parts[3]}.layer_scale"
            tensor = tensor[:, None, None]
        elif parts[0] == "stages":
            layer_name = TORCHVISION[".".join(parts[4:-1])]
            name = f"features.{2 * int(parts[1]) + 1}.{parts[3]}.{layer_name}.{parts[-1]}"
        else:
            name = f"{TORCHVISION['.'.join(parts[:-1])]}.{parts[-1]}"
        renamed[name] = tensor
    return renamed
