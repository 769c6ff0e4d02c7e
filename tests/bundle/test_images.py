import io

import numpy as np
import pytest
from PIL import Image

from kc_jax.bundle.images import read_square
from kc_jax.data.images import TOO_LARGE, UNDECODABLE, BadImageError, fit_square
from tests.bundle import small


def encode(shape, kind="PNG"):
    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize("encoded", [
    encode((20, 31, 3)), encode((31, 20)), encode((20, 20, 4)), encode((12, 30, 3), "JPEG"),
    encode((12, 30, 3), "WEBP"),
])
def test_files_are_read_as_in_training(bundle, encoded):
    square = read_square(bundle, encoded)
    assert square.shape == (small.SIDE, small.SIDE, 3) and square.dtype == np.uint8
    np.testing.assert_array_equal(square, fit_square(encoded, small.SIDE, 3))


@pytest.mark.parametrize("encoded", [
    b"", b"nonsense", b"\x89PNG\r\n\x1a\n", encode((40, 40, 3))[:200],
    encode((40, 40, 3), "JPEG")[:300], b"GIF89a" + bytes(30), b"<svg></svg>",
])
def test_garbage_is_refused_with_a_reason(bundle, encoded):
    with pytest.raises(BadImageError) as raised:
        read_square(bundle, encoded)
    assert raised.value.kind == UNDECODABLE and raised.value.detail


def test_too_many_pixels_are_refused_by_the_header_alone(bundle):
    header_only = encode((100, 200, 3))[:60]  # Decoding this would fail.
    with pytest.raises(BadImageError, match="200 x 100 pixels; at most 19,999") as raised:
        read_square(bundle, header_only, max_pixels=19_999)
    assert raised.value.kind == TOO_LARGE
    whole = encode((100, 200, 3))
    assert read_square(bundle, whole, max_pixels=20_000).shape == (small.SIDE, small.SIDE, 3)


def test_more_pixels_than_pillow_opens_are_too_many(bundle):
    file = io.BytesIO()
    Image.new("1", (20_000, 10_000)).save(file, "PNG")
    with pytest.raises(BadImageError) as raised:
        read_square(bundle, file.getvalue())
    assert raised.value.kind == TOO_LARGE
