import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kc_jax import config, options
from kc_jax.data import augment

SIZE = 16


def raw_images(size=6):
    rng = np.random.default_rng(0)
    blocks = rng.integers(2, size=(size, 4, 4, 1)).astype(np.uint8) * 255
    return blocks.repeat(6, axis=1).repeat(6, axis=2)


def draw(images, record_ids, views, *, name="glyph", seed=3, split="train", size=SIZE):
    function = jax.jit(
        augment.make_views(name, seed=seed, split=split, size=size),
        compiler_options={"xla_backend_optimization_level": 0},  # Compiles faster.
    )
    ids = (np.asarray(x, np.int32) for x in (record_ids, views))
    return np.asarray(function(images, *ids))


RECORDS, VIEWS = np.arange(10, 16), np.array([0, 0, 1, 2, 3, 0])


def test_views_are_normalised_floats():
    drawn = draw(raw_images(), RECORDS, VIEWS)
    assert drawn.shape == (6, SIZE, SIZE, 1) and drawn.dtype == np.float32
    # Six standard deviations of noise around -1 to 1.
    assert np.max(np.abs(drawn)) < 1 + 2 * 0.05 * 6
    assert np.all(np.ptp(drawn, axis=(1, 2, 3)) > 0.5)


@pytest.mark.parametrize("size", [8, 40])
def test_views_of_any_size(size):
    drawn = draw(raw_images(), RECORDS, VIEWS, size=size)
    assert drawn.shape == (6, size, size, 1) and np.all(np.isfinite(drawn))


@pytest.mark.parametrize("rows", [[3], [5, 4, 3, 2, 1, 0], [0, 1, 2, 3, 4, 5] * 2])
def test_a_view_depends_on_record_and_view_and_not_on_the_batch(rows):
    whole = draw(raw_images(), RECORDS, VIEWS)
    part = draw(raw_images()[rows], RECORDS[rows], VIEWS[rows])
    np.testing.assert_allclose(part, whole[rows], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "change", [{"seed": 4}, {"split": "test"}, {"record_ids": RECORDS + 1}, {"views": VIEWS + 1}]
)
def test_other_seeds_splits_records_and_views_differ(change):
    arguments = {"record_ids": RECORDS, "views": VIEWS}
    one, other = (
        draw(raw_images(), **{**arguments, **changes}) for changes in ({}, change)
    )
    assert np.all(np.mean(np.abs(one - other), axis=(1, 2, 3)) > 0.02)


def test_keys_of_records_views_and_streams_are_all_distinct():
    records, views = (x.ravel().astype(np.int32) for x in np.meshgrid(range(30), range(30)))
    keys = [
        jax.random.key_data(augment.view_keys(seed, stream, records, views))
        for seed in (0, 1)
        for stream in augment.SPLIT_STREAMS.values()
    ]
    assert len(np.unique(np.concatenate(keys), axis=0)) == len(keys) * 900


def test_views_keep_the_glyph_brighter_than_its_ground():
    image = np.zeros((24, 24, 1), np.uint8)
    image[8:16, 8:16] = 255
    drawn = draw(np.stack([image] * 64), np.arange(64), np.zeros(64))
    inside = np.mean(drawn[:, 7:9, 7:9], axis=(1, 2, 3))
    outside = np.mean(drawn[:, [0, 0, -1, -1], [0, -1, 0, -1]], axis=(1, 2))
    # The contrast is at least a half of the range of 2.
    assert np.all(inside - outside > 1 - 6 * 2 * 0.05 / np.sqrt(2))


def test_the_configuration_knows_all_augmentations():
    for name in ("augmentation", "test_augmentation"):
        assert set(options.words_of(config.Data, name)) == set(augment.AUGMENTATIONS)


def small_photos(count):
    return np.random.default_rng(0).integers(256, size=(count, SIZE, SIZE, 3)).astype(np.uint8)


def test_small_photos_are_shifted_with_a_margin_of_zeros_and_mirrored():
    image, count = small_photos(1)[0], 400
    views = draw(np.stack([image] * count), np.arange(count), np.zeros(count), name="small_photo")
    padded = np.pad(image / np.float32(127.5) - 1, ((4, 4), (4, 4), (0, 0)))
    seen = set()
    for view in views:
        (place,) = (
            (row, column, mirrored)
            for row in range(9) for column in range(9) for mirrored in (False, True)
            if np.allclose(
                view[:, ::-1] if mirrored else view,
                padded[row : row + SIZE, column : column + SIZE], atol=1e-6,
            )
        )
        seen.add(place)
    assert {row for row, _, _ in seen} == {column for _, column, _ in seen} == set(range(9))
    assert {mirrored for _, _, mirrored in seen} == {False, True}
    # Of 162 equally likely places 400 draws leave 14 unseen on average, standard deviation 3.
    assert len(seen) > 162 - 14 - 6 * 3


def test_a_small_photos_view_depends_on_record_and_view_alone():
    images, rows = small_photos(6), [5, 3, 3, 0]
    whole = draw(images, RECORDS, VIEWS, name="small_photo")
    part = draw(images[rows], RECORDS[rows], VIEWS[rows], name="small_photo")
    np.testing.assert_array_equal(part, whole[rows])
    for records, views in ((RECORDS + 1, VIEWS), (RECORDS, VIEWS + 1)):
        other = draw(images, records, views, name="small_photo")
        assert np.mean(np.any(other != whole, axis=(1, 2, 3))) > 0.5


def test_tested_small_photos_are_as_they_were_read():
    images = small_photos(3)
    centre = augment.centre_views("small_photo", images, SIZE)
    np.testing.assert_allclose(centre, images / np.float32(127.5) - 1, atol=1e-6)


@pytest.mark.parametrize("name", ["small_photo", "small_photo_centre"])
@pytest.mark.parametrize("size", [SIZE // 2, 2 * SIZE])
def test_a_small_photos_view_of_another_size_is_the_same_view(name, size):
    images = small_photos(6)
    view, other = (draw(images, RECORDS, VIEWS, name=name, size=s) for s in (SIZE, size))
    scaled = jax.image.resize(view, (6, size, size, 3), "linear")
    np.testing.assert_allclose(other, scaled, atol=1e-5)


def smooth_photo(side=64):
    """A photograph whose channels rise downwards, to the right, and not at all."""
    ramp = np.linspace(60, 190, side)
    rows, columns = np.meshgrid(ramp, ramp, indexing="ij")
    return np.stack([rows, columns, np.full_like(rows, 128)], axis=-1).astype(np.uint8)


def test_jittered_photos_are_turned_stretched_mirrored_and_coloured_within_their_bounds():
    count, side = 400, 64
    views = draw(
        np.stack([smooth_photo(side)] * count), np.arange(count), np.zeros(count),
        name="jittered_photo", size=32,
    )
    # Of a linear image the view is linear too, but where its edge is repeated.
    inner = views[:, 8:24, 8:24].astype(np.float64)
    down, right = (np.mean(np.diff(inner, axis=axis), axis=(1, 2)) for axis in (1, 2))
    angle = np.degrees(np.arctan2(right[:, 0], down[:, 0] * np.sign(down[:, 0])))
    mirrored = right[:, 1] < 0
    assert 0.4 < np.mean(mirrored) < 0.6
    rise = 130 / 127.5 / (side - 1)
    height = np.hypot(down[:, 0], down[:, 1]) * 32 / rise / side
    width = np.hypot(right[:, 0], right[:, 1]) * 32 / rise / side
    area = height * width
    assert 0.06 < area.min() < 0.2 and 0.8 < area.max() < 1.05
    aspect = np.log(width / height) / np.log(4 / 3)
    assert np.max(np.abs(aspect)) < 1.1 and aspect.min() < -0.7 and aspect.max() > 0.7
    # An aspect changes an angle's tangent by as much as 4/3.
    assert np.max(np.abs(angle)) < 10 * 4 / 3 + 1 and angle.min() < -7 and angle.max() > 7
    light = np.mean(views[..., 2], axis=(1, 2)) * 127.5 - 0.5
    assert np.max(np.abs(light)) < 20.5 and light.min() < -17 and light.max() > 17
    assert np.max(np.abs(views)) <= 1


@pytest.mark.parametrize("name", augment.AUGMENTATIONS)
def test_every_augmentation_has_a_view_without_chance(name):
    channels = 1 if name.startswith("glyph") else 3
    images = np.repeat(raw_images(), channels, axis=-1)
    centre = augment.centre_views(name, images, SIZE)
    assert centre.shape == (6, SIZE, SIZE, channels)
    assert augment.CENTRES[augment.CENTRES[name]] == augment.CENTRES[name]
    views = augment.make_views(augment.CENTRES[name], seed=3, split="train", size=SIZE)
    for record in (0, 7):
        drawn = views(images, np.full(6, record, np.int32), np.zeros(6, np.int32))
        np.testing.assert_allclose(drawn, centre, atol=1e-6)


def test_a_glyphs_view_without_chance_has_the_mean_of_all_that_chance_decides(monkeypatch):
    images = raw_images(2)
    monkeypatch.setattr(
        jax.random, "uniform",
        lambda key, shape, *, minval, maxval: jnp.full(shape, (minval + maxval) / 2, jnp.float32),
    )
    monkeypatch.setattr(jax.random, "normal", lambda key, shape: jnp.zeros(shape, jnp.float32))
    for image, centre in zip(images, augment.centre_views("glyph", images, SIZE), strict=True):
        mean = augment.glyph(jax.random.key(0), image, SIZE)
        np.testing.assert_allclose(centre, mean, atol=1e-6)
