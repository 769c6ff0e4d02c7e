"""Random views of images, each a function of (seed, record, view) alone."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp

VERSION = 1  # A stored soft target belongs to one version; raise it when any view changes.

SMALL_PHOTO_PADDING = 4  # Pixels on each side.
JITTER_AREA, JITTER_ASPECT = (0.08, 1.0), 4 / 3
JITTER_DEGREES, JITTER_BRIGHTNESS = 10.0, 20.0  # At most; of 255.

SPLIT_STREAMS = {"train": 0, "test": 1, "validation": 2}


def view_keys(seed: int, stream: int, record_ids: jax.Array, views: jax.Array) -> jax.Array:
    """Makes the random key of every example.

    Args:
      seed: of the dataset.
      stream: separates splits, whose records are numbered alike.
      record_ids: i32[B].
      views: i32[B], which view of the record.

    Returns:
      key[B], which depends on neither batch, host nor worker.
    """
    base = jax.random.fold_in(jax.random.key(seed), stream)
    def one(record, view):
        return jax.random.fold_in(jax.random.fold_in(base, record), view)

    return jax.vmap(one)(record_ids, views)


def glyph(key: jax.Array, image: jax.Array, size: int) -> jax.Array:
    """Draws one view of a clean glyph: scaled, shifted, in random greys, with noise.

    Args:
      key: the view's random key.
      image: u8[H, W, 1], white on black.
      size: height and width of the view, pixels.

    Returns:
      f32[size, size, 1], about -1 to 1.
    """
    scale_key, shift_key, contrast_key, ground_key, noise_key = jax.random.split(key, 5)
    zoom = jax.random.uniform(scale_key, (2,), minval=0.85, maxval=1.1)
    shift = jax.random.uniform(shift_key, (2,), minval=-0.06, maxval=0.06) * size
    contrast = jax.random.uniform(contrast_key, (), minval=0.5, maxval=1.0)
    ground = jax.random.uniform(ground_key, (), minval=0.0, maxval=1.0) * (1.0 - contrast)
    drawn = _draw_glyph(image, size, zoom, shift, contrast, ground)
    noise = 0.05 * jax.random.normal(noise_key, drawn.shape)
    return 2.0 * (drawn + noise) - 1.0


def glyph_centre(key: jax.Array, image: jax.Array, size: int) -> jax.Array:
    """Draws a glyph at the mean of all that `glyph` draws by chance. The key is not used."""
    del key
    zoom, shift = jnp.full((2,), 0.975, jnp.float32), jnp.zeros((2,), jnp.float32)
    contrast, ground = jnp.float32(0.75), jnp.float32(0.125)
    return 2.0 * _draw_glyph(image, size, zoom, shift, contrast, ground) - 1.0


def _draw_glyph(image, size: int, zoom, shift, contrast, ground):
    scale = zoom * (size / image.shape[0])
    translation = (size - scale * image.shape[0]) / 2 + shift
    mask = jax.image.scale_and_translate(
        image.astype(jnp.float32) / 255.0, (size, size, 1), (0, 1), scale, translation,
        method="linear",
    )
    return ground + contrast * mask


def photo(key: jax.Array, image: jax.Array, size: int) -> jax.Array:
    """Draws one view of a photograph: a crop of random area and place, mirrored half the time.

    Args:
      key: the view's random key.
      image: u8[H, H, channels].
      size: height and width of the view, pixels.

    Returns:
      f32[size, size, channels], -1 to 1.
    """
    area_key, place_key, mirror_key = jax.random.split(key, 3)
    side = jnp.sqrt(jax.random.uniform(area_key, (), minval=0.35, maxval=1.0)) * image.shape[0]
    corner = jax.random.uniform(place_key, (2,)) * (image.shape[0] - side)
    view = _crop(_scaled(image), corner, side, size)
    return jnp.where(jax.random.bernoulli(mirror_key), view, view[:, ::-1])


def photo_centre(key: jax.Array, image: jax.Array, size: int) -> jax.Array:
    """Cuts the middle out of a photograph; see `photo`. The key is not used."""
    del key
    corner = jnp.full((2,), (image.shape[0] - size) / 2, jnp.float32)
    return _crop(_scaled(image), corner, jnp.float32(size), size)


def jittered_photo(key: jax.Array, image: jax.Array, size: int) -> jax.Array:
    """Draws one view of a photograph as networks for ImageNet are trained from labels alone.

    Turned slightly, cropped to a random area, place and aspect ratio, mirrored half the time, and
    every channel made lighter or darker (Yang et al. 2018, section 4.2, which gives no figures).

    Args:
      key: the view's random key.
      image: u8[H, H, channels].
      size: height and width of the view, pixels.

    Returns:
      f32[size, size, channels], -1 to 1.
    """
    turn_key, area_key, aspect_key, place_key, mirror_key, light_key = jax.random.split(key, 6)
    degrees = jax.random.uniform(turn_key, (), minval=-JITTER_DEGREES, maxval=JITTER_DEGREES)
    area = jax.random.uniform(area_key, (), minval=JITTER_AREA[0], maxval=JITTER_AREA[1])
    stretch = JITTER_ASPECT ** jax.random.uniform(aspect_key, (), minval=-0.5, maxval=0.5)
    sides = jnp.sqrt(area) * jnp.stack([stretch, 1 / stretch]) * image.shape[0]
    sides = jnp.minimum(sides, image.shape[0])
    corner = jax.random.uniform(place_key, (2,)) * (image.shape[0] - sides)
    view = _crop(_turned(_scaled(image), jnp.deg2rad(degrees)), corner, sides, size)
    view = jnp.where(jax.random.bernoulli(mirror_key), view, view[:, ::-1])
    light = jax.random.uniform(light_key, image.shape[-1:], minval=-1.0, maxval=1.0)
    return jnp.clip(view + light[None, None] * (JITTER_BRIGHTNESS / 127.5), -1.0, 1.0)


def _turned(image, angle):
    """Turns an image about its middle; what turns in from outside repeats the edge."""
    middle = (image.shape[0] - 1) / 2
    rows, columns = jnp.indices(image.shape[:2], dtype=jnp.float32) - middle
    places = [
        middle + jnp.cos(angle) * rows + jnp.sin(angle) * columns,
        middle - jnp.sin(angle) * rows + jnp.cos(angle) * columns,
    ]
    def turn(channel):
        return jax.scipy.ndimage.map_coordinates(channel, places, order=1, mode="nearest")

    return jax.vmap(turn, in_axes=-1, out_axes=-1)(image)


def _crop(image, corner, sides, size: int):
    scale = jnp.broadcast_to(size / sides, (2,))
    shape = (size, size, image.shape[-1])
    return jax.image.scale_and_translate(
        image, shape, (0, 1), scale, -corner * scale, method="linear"
    )


def _scaled(image):
    return image.astype(jnp.float32) / 127.5 - 1.0


def small_photo(key: jax.Array, image: jax.Array, size: int) -> jax.Array:
    """Draws one view of a photograph of few pixels: shifted by whole ones, mirrored half the time.

    As networks for CIFAR are trained (He et al. 2015, section 4.2). The margin that the shift lays
    open is 0, a middle grey, since networks pad with 0 too.

    Args:
      key: the view's random key.
      image: u8[H, H, channels]; a view of another size is shifted at this one, then scaled.
      size: height and width of the view, pixels.

    Returns:
      f32[size, size, channels], -1 to 1.
    """
    place_key, mirror_key = jax.random.split(key)
    margin = (SMALL_PHOTO_PADDING, SMALL_PHOTO_PADDING)
    padded = jnp.pad(_scaled(image), (margin, margin, (0, 0)))
    row, column = jax.random.randint(place_key, (2,), 0, 2 * SMALL_PHOTO_PADDING + 1)
    view = jax.lax.dynamic_slice(padded, (row, column, 0), image.shape)
    return _resize(jnp.where(jax.random.bernoulli(mirror_key), view, view[:, ::-1]), size)


def small_photo_centre(key: jax.Array, image: jax.Array, size: int) -> jax.Array:
    """Shows a photograph of few pixels as it is; see `small_photo`. The key is not used."""
    del key
    return _resize(_scaled(image), size)


def _resize(view, size: int):
    return jax.image.resize(view, (size, size, view.shape[-1]), "linear")


AUGMENTATIONS: dict[str, Callable] = {
    "glyph": glyph, "glyph_centre": glyph_centre, "photo": photo, "photo_centre": photo_centre,
    "small_photo": small_photo, "small_photo_centre": small_photo_centre,
    "jittered_photo": jittered_photo, "jittered_photo_centre": photo_centre,
}
# The view without chance of each, for networks in use.
CENTRES: dict[str, str] = {
    name: f"{name.removesuffix('_centre')}_centre" for name in AUGMENTATIONS
}
# How much larger than its views an image is read, so that crops of it keep their resolution.
MARGINS: dict[str, float] = {
    **dict.fromkeys(AUGMENTATIONS, 1.15), "small_photo": 1.0, "small_photo_centre": 1.0,
}


def centre_views(name: str, images: jax.Array, size: int) -> jax.Array:
    """Draws of each image the view without chance that belongs to an augmentation.

    Args:
      name: of the augmentation, a key of `CENTRES`.
      images: u8[B, H, W, channels].
      size: height and width of a view, pixels.

    Returns:
      f32[B, size, size, channels].
    """
    draw = AUGMENTATIONS[CENTRES[name]]
    return jax.vmap(lambda image: draw(None, image, size))(images)


@functools.cache
def make_views(name: str, *, seed: int, split: str, size: int) -> Callable:
    """Makes the function that turns a batch's raw images into views.

    Args:
      name: of the augmentation, a key of `AUGMENTATIONS`.
      seed: of the dataset.
      split: ``train`` or ``test``; their views never coincide.
      size: height and width of a view, pixels.

    Returns:
      A pure function (images u8[B, H, W, channels], record_ids i32[B], views i32[B]) →
      f32[B, size, size, channels].
    """
    augment = AUGMENTATIONS[name]

    def views_of(images, record_ids, views):
        keys = view_keys(seed, SPLIT_STREAMS[split], record_ids, views)
        return jax.vmap(lambda key, image: augment(key, image, size))(keys, images)

    return views_of
