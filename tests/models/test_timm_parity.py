"""Whole networks of random weights against timm's own, where timm is installed."""

import functools

import jax
import numpy as np
import pytest

from kc_jax.models.backbones import make_backbone
from kc_jax.models.torch_names import NAMINGS
from kc_jax.train.torch_weights import from_torch
from tests.models import torch_tensors
from tests.models.abstract import abstract, images_of
from tests.reference.backbones import normalised

torch = pytest.importorskip("torch", reason="a comparison with PyTorch; pip install torch timm")
timm = pytest.importorskip("timm", reason="a comparison with timm; pip install torch timm")


def randomised(name):
    """Gives timm's network with the random tensors of the other tests."""
    network = timm.create_model(name, pretrained=False)
    shapes = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    tensors = torch_tensors.random_tensors(shapes)
    for key, tensor in tensors.items():
        if key.endswith("bn2.weight" if name == "resnet18" else "bn3.weight"):
            tensor *= 0.3  # Keeps many blocks from growing.
    network.load_state_dict({key: torch.from_numpy(value) for key, value in tensors.items()})
    return network.eval(), tensors


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "convnext_tiny"])
def test_features_equal_timms(name):
    network, tensors = randomised(name)
    images = np.random.default_rng(0).uniform(-1, 1, (2, 96, 96, 3)).astype(np.float32)
    with torch.no_grad():
        seen = torch.from_numpy(normalised(images).astype(np.float32))
        expected = network.forward_head(network.forward_features(seen), pre_logits=True).numpy()
    model = make_backbone(name)
    variables = from_torch(NAMINGS[name], tensors, abstract(model, images_of(96))[1])
    features = jax.jit(functools.partial(model.apply, train=False))(variables, images)
    assert expected.std() > 0.1
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-4 * expected.std())
