import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kc_jax.data import augment

SIZE = 16


def raw_images(size=6):
    rng = np.random.default_rng(0)
    blocks = rng.integers(2, size=(size, 4, 4, 1)).astype(np.uint8) * 255
    return blocks.repeat(6, axis=1).repeat(6, axis=2)


def draw(images, record_ids, views, *, seed=3, split="train", size=SIZE):
    function = jax.jit(
        augment.make_views("glyph", seed=seed, split=split, size=size),
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
    options = {"record_ids": RECORDS, "views": VIEWS}
    one, other = (
        draw(raw_images(), **{**options, **changes}) for changes in ({}, change)
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


def test_unknown_augmentation():
    with pytest.raises(ValueError, match="augmentation 'glyf' is unknown; expected one of glyph"):
        augment.make_views("glyf", seed=0, split="train", size=SIZE)


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
