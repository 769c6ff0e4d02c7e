import numpy as np
import pytest

from kc_jax.models.colours import ImageChannelsError, imagenet_normalise
from tests.reference.backbones import normalised


def test_the_scale_is_imagenets():
    images = np.random.default_rng(0).uniform(-1, 1, (2, 4, 5, 3)).astype(np.float32)
    expected = normalised(images).transpose(0, 2, 3, 1)
    np.testing.assert_allclose(imagenet_normalise(images), expected, rtol=1e-5, atol=1e-6)


def test_grey_is_shown_in_every_colour():
    grey = np.random.default_rng(0).uniform(-1, 1, (2, 4, 5, 1)).astype(np.float32)
    expected = imagenet_normalise(np.repeat(grey, 3, axis=-1))
    np.testing.assert_array_equal(imagenet_normalise(grey), expected)


def test_other_numbers_of_channels_are_refused():
    with pytest.raises(ImageChannelsError, match="4 channels.*config.data.channels"):
        imagenet_normalise(np.zeros((1, 2, 2, 4), np.float32))
