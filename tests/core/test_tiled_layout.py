import math

import numpy as np
import pytest

from kc_jax.core.tiled_layout import TILE_SIZES, TiledLayout, choose_tile

MIXED = (23, 5, 14, 9, 30, 7)
LAYOUTS = pytest.mark.parametrize("layout", [
    TiledLayout(MIXED, 1, 8),
    TiledLayout(MIXED, 4, 8),
    TiledLayout(MIXED, 4, 7, slot_classes=16),
    TiledLayout(MIXED, 8, 3),
    TiledLayout((60, 11), 8, 7),
    TiledLayout((5,), 4, 8),
    TiledLayout((1, 1, 1), 2, 8),
])


@LAYOUTS
def test_every_class_has_one_column(layout):
    positions = layout.position_of_class
    num_classes = sum(layout.sizes)
    assert len(set(positions.tolist())) == num_classes == layout.valid.sum()
    assert layout.valid.ravel()[positions].all()


@LAYOUTS
def test_a_tile_holds_classes_of_its_vertical_alone(layout):
    vertical_of_class = np.repeat(np.arange(len(layout.sizes)), layout.sizes)
    tile_of_class = layout.position_of_class // layout.tile
    np.testing.assert_array_equal(
        layout.vertical_of_tile.ravel()[tile_of_class], vertical_of_class
    )


@LAYOUTS
def test_a_tile_finds_its_vertical_among_its_shards_groups(layout):
    for shard, tiles in enumerate(layout.tiles):
        for row, (vertical, _) in enumerate(tiles):
            group = layout.group_of_tile[shard, row]
            if vertical in layout.split:
                assert layout.split[group - layout.slots_per_shard] == vertical
            else:
                slot = shard * layout.slots_per_shard + group
                assert layout.slot_of_vertical[vertical] == slot
                assert group < layout.slots_per_shard


@LAYOUTS
def test_a_vertical_has_one_slot(layout):
    slots = layout.slot_of_vertical
    assert len(set(slots.tolist())) == len(layout.sizes)
    np.testing.assert_array_equal(slots // layout.slots_per_shard, layout.home_of_vertical)
    for index, vertical in enumerate(layout.split):
        homes = np.flatnonzero(layout.slot_of_split[:, index] >= 0)
        np.testing.assert_array_equal(homes, [layout.home_of_vertical[vertical]])


@LAYOUTS
def test_only_verticals_above_a_shards_share_are_split(layout):
    tiles = [math.ceil(size / layout.tile) for size in layout.sizes]
    share = math.ceil(sum(tiles) / layout.num_shards)
    assert set(layout.split) <= {v for v, count in enumerate(tiles) if count > share}


def test_shards_are_balanced_as_the_papers_verticals_are():
    rng = np.random.default_rng(0)
    sizes = rng.integers(1_000, 15_000, 20)
    layout = TiledLayout(tuple(sizes.tolist()), 4, 512, slot_classes=4096)
    held = [len(tiles) for tiles in layout.tiles]
    assert max(held) < 1.25 * np.mean(held) and layout.slots_per_shard <= 7


@pytest.mark.parametrize("sizes, tile", [
    ((5_000,) * 20, 1024), ((1_500, 2_600), 256), ((50,) * 20, 8), ((3, 2), 8),
])
def test_the_largest_tile_that_wastes_little_is_chosen(sizes, tile):
    chosen = choose_tile(sizes)
    padded = {t: sum(math.ceil(s / t) * t for s in sizes) / sum(sizes) for t in TILE_SIZES}
    fitting = [t for t in TILE_SIZES if padded[t] <= 1.1]
    assert chosen == (fitting[0] if fitting else TILE_SIZES[-1])
    assert chosen == tile


@pytest.mark.parametrize("change", [
    {"sizes": (3, 0)}, {"num_shards": 0}, {"tile": 0}, {"slot_classes": -1},
])
def test_impossible_layouts_are_refused(change):
    with pytest.raises(ValueError, match="size below 1 or a negative weight"):
        TiledLayout(**{"sizes": (3,), "num_shards": 1, "tile": 8, **change})
