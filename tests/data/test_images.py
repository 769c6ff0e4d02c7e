import io

import numpy as np
import pytest
from PIL import Image

from kc_jax.data import images

RED = (255, 0, 0)


def encode(image, form, **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def halves(mode="RGB", left=RED, right=(0, 0, 255)):
    """Draws an image of 16 x 16, its left half in one colour."""
    image = Image.new(mode, (16, 16), right)
    image.paste(Image.new(mode, (8, 16), left), (0, 0))
    return image


def test_an_image_is_turned_upright_as_its_camera_says():
    exif = Image.Exif()
    exif[0x0112] = 6  # Turn clockwise to see it upright.
    square = images.fit_square(encode(halves(), "JPEG", exif=exif, quality=95), 16, 3)
    np.testing.assert_allclose(square[2, 8], RED, atol=8)
    np.testing.assert_allclose(square[-2, 8], (0, 0, 255), atol=8)


def test_what_is_transparent_is_white():
    rgba = halves("RGBA", left=(255, 0, 0, 0), right=(0, 0, 255, 255))
    palette = Image.new("P", (16, 16))
    palette.putpalette([255, 0, 0] * 256)
    for file in (encode(rgba, "PNG"), encode(rgba, "WEBP", lossless=True),
                 encode(palette, "PNG", transparency=bytes(256))):
        np.testing.assert_array_equal(images.fit_square(file, 16, 3)[8, 2], (255, 255, 255))


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_grey_of_16_bits_keeps_its_upper_8(form):
    levels = np.linspace(0, 0xFFFF, 256).round().astype(np.uint16).reshape(16, 16)
    square = images.fit_square(encode(Image.fromarray(levels), form), 16, 1)
    np.testing.assert_array_equal(square[..., 0], levels >> 8)


def test_grey_becomes_colour_and_colour_grey():
    grey = encode(Image.new("L", (9, 9), 77), "PNG")
    assert (images.fit_square(grey, 4, 3) == 77).all()
    assert images.fit_square(encode(halves(), "PNG"), 16, 1).shape == (16, 16, 1)


def test_cmyk_becomes_colour():
    cmyk = encode(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95)
    np.testing.assert_allclose(images.fit_square(cmyk, 8, 3)[4, 4], RED, atol=8)


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_picture_is_taken(form):
    first, second = Image.new("RGB", (16, 16), RED), Image.new("RGB", (16, 16), (0, 0, 255))
    file = encode(first, form, save_all=True, append_images=[second], duration=50)
    np.testing.assert_allclose(images.fit_square(file, 8, 3)[4, 4], RED, atol=8)


def test_a_large_jpeg_is_decoded_small_and_looks_the_same():
    rows, columns = np.mgrid[:640, :800]
    smooth = np.stack([rows / 640, columns / 800, (rows + columns) / 1440], -1)
    image = Image.fromarray((255 * smooth).astype(np.uint8))
    small = images.fit_square(encode(image, "JPEG", quality=95), 32, 3).astype(int)
    exact = images.fit_square(encode(image, "PNG"), 32, 3).astype(int)
    assert abs(small - exact).max() <= 4


@pytest.mark.parametrize("file, kind, detail", [
    (b"", "undecodable", "empty"),
    (b"hello", "undecodable", "not an image"),
    (encode(halves(), "ICO"), "undecodable", "not an image of a known format"),
    (encode(halves(), "EPS"), "undecodable", "not an image of a known format"),
    (encode(halves(), "JPEG")[:-40], "undecodable", "runcated"),
    (encode(halves(), "PNG")[:60], "undecodable", "runcated"),
    (encode(Image.new("F", (4, 4)), "TIFF"), "undecodable", "floating-point"),
    (encode(Image.new("1", (33, 32)), "PNG"), "too large", "33 x 32 pixels"),
    (encode(Image.new("1", (10_000, 10_000)), "PNG"), "too large", "pixels"),
    (encode(Image.new("1", (20_000, 10_000)), "PNG"), "too large", "pixels"),
])
def test_images_that_cannot_be_used_are_named(file, kind, detail):
    with pytest.raises(images.BadImageError) as raised:
        images.check(file, max_pixels=32 * 32)
    assert raised.value.kind == kind and detail in raised.value.detail


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_good_images_pass(form):
    images.check(encode(halves(), form), max_pixels=16 * 16)
