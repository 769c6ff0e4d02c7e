"""What PyTorch's libraries call the layers of our backbones: tables, no code of theirs.

A naming is a list of (pattern, replacement), applied in order to one of our names, whose parts a
slash joins. `train.torch_weights` turns the last part, such as ``kernel``, itself.
"""

Naming = tuple[tuple[str, str], ...]

RESNET: Naming = (
    (r"^stem/convolution", "conv1"),
    (r"^stem/batch_norm", "bn1"),
    (r"^stage_(\d+)/block_", r"layer\1/"),
    (r"/shortcut/convolution", "/downsample/0"),
    (r"/shortcut/batch_norm", "/downsample/1"),
    (r"/unit_(\d)/convolution", r"/conv\1"),
    (r"/unit_(\d)/batch_norm", r"/bn\1"),
)

CONVNEXT_TIMM: Naming = (
    (r"/layer_norm/", "/"),
    (r"^stem/", "stem/0/"),
    (r"^stem_norm/", "stem/1/"),
    (r"^norm/", "head/norm/"),
    (r"^stage_(\d+)/", r"stages/\1/"),
    (r"/downsample_norm/", "/downsample/0/"),
    (r"/downsample/(kernel|bias)", r"/downsample/1/\1"),
    (r"/block_(\d+)/", r"/blocks/\1/"),
    (r"/depthwise/", "/conv_dw/"),
    (r"/expand/", "/mlp/fc1/"),
    (r"/project/", "/mlp/fc2/"),
    (r"/layer_scale$", "/gamma"),
)

CONVNEXT_TORCHVISION: Naming = (
    (r"/layer_norm/", "/"),
    (r"^stem/", "features/0/0/"),
    (r"^stem_norm/", "features/0/1/"),
    (r"^norm/", "classifier/0/"),
    # Stages and the convolutions that halve between them are numbered together.
    *((rf"^stage_{stage}/block_", f"features/{2 * stage + 1}/") for stage in range(4)),
    *((rf"^stage_{stage}/downsample", f"features/{2 * stage}/downsample") for stage in range(4)),
    (r"/downsample_norm/", "/0/"),
    (r"/downsample/", "/1/"),
    (r"/depthwise/", "/block/0/"),
    (r"(\d)/norm/", r"\1/block/2/"),
    (r"/expand/", "/block/3/"),
    (r"/project/", "/block/5/"),
)

# By the name of the backbone: the namings that files of it may have.
NAMINGS: dict[str, tuple[Naming, ...]] = {
    "resnet18": (RESNET,),
    "resnet50": (RESNET,),
    "convnext_tiny": (CONVNEXT_TIMM, CONVNEXT_TORCHVISION),
}

# What files hold besides the backbone.
IGNORED = r"^(fc|head|classifier)\.|\.num_batches_tracked$"
