"""Where the tiles of a sharded logit layer lie: which shard has which classes and verticals."""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np

TILE_SIZES = (1024, 512, 256, 128, 64, 32, 16, 8)
WASTE = 0.1


@dataclasses.dataclass(frozen=True)
class TiledLayout:
    """Lays classes out in tiles of one size, and tiles on shards.

    A tile holds classes of one vertical. The tiles of a vertical lie on one shard, its home, unless
    they are more than a shard's share; then they are split. Verticals go to the shards largest
    first, each to the one that holds least. Shards have equally many tiles and slots: slot s of
    shard m holds the bottleneck of a vertical at home there. A tile's last columns, whole tiles and
    slots may be padding.

    Attributes:
      sizes: class count of each vertical.
      num_shards: devices on the mesh's ``model`` axis, M.
      tile: classes a tile.
      slot_classes: what a slot weighs when shards are balanced, in classes: a bottleneck's
        parameters over those of a class's logit.
    """

    sizes: tuple[int, ...]
    num_shards: int
    tile: int
    slot_classes: int = 0

    def __post_init__(self):
        if min(*self.sizes, self.num_shards, self.tile) < 1 or self.slot_classes < 0:
            raise ValueError(f"{self} has a size below 1 or a negative weight")

    @functools.cached_property
    def tiles(self) -> list[list[tuple[int, int]]]:
        """Lists for each shard its tiles as (vertical, number within the vertical)."""
        counts = [-(-size // self.tile) for size in self.sizes]
        share = -(-sum(counts) // self.num_shards)
        pieces = []
        for vertical, count in enumerate(counts):
            bounds = np.linspace(0, count, -(-count // share) + 1).round().astype(int).tolist()
            pieces += [(vertical, *ends) for ends in zip(bounds[:-1], bounds[1:], strict=True)]
        shards = [[] for _ in range(self.num_shards)]
        loads = [0] * self.num_shards
        for vertical, first, end in sorted(pieces, key=lambda piece: piece[1] - piece[2]):
            shard = loads.index(min(loads))
            shards[shard] += [(vertical, number) for number in range(first, end)]
            loads[shard] += (end - first) * self.tile + self.slot_classes * (first == 0)
        return [sorted(shard) for shard in shards]

    @functools.cached_property
    def tiles_per_shard(self) -> int:
        return max(map(len, self.tiles))

    @property
    def num_tiles(self) -> int:
        return self.num_shards * self.tiles_per_shard

    @functools.cached_property
    def vertical_of_tile(self) -> np.ndarray:
        """Gives the vertical of each tile: i32[M, tiles_per_shard]; 0 for padding."""
        return self._by_tile(lambda vertical, number: vertical)

    @functools.cached_property
    def valid(self) -> np.ndarray:
        """Tells which columns are classes: bool[num_tiles, tile]."""
        filled = self._by_tile(lambda v, number: min(self.tile, self.sizes[v] - number * self.tile))
        return np.arange(self.tile) < filled.reshape(-1, 1)

    @functools.cached_property
    def position_of_class(self) -> np.ndarray:
        """Gives each class's column, counted through all tiles: i32[C]."""
        starts = np.concatenate([[0], np.cumsum(self.sizes)])
        positions = np.empty(starts[-1], np.int32)
        for shard, tiles in enumerate(self.tiles):
            for row, (vertical, number) in enumerate(tiles):
                first = starts[vertical] + number * self.tile
                end = min(first + self.tile, starts[vertical + 1])
                column = (shard * self.tiles_per_shard + row) * self.tile
                positions[first:end] = np.arange(column, column + end - first)
        return positions

    def in_class_order(self, values):
        """Takes the classes out of the tiles: maps [..., tiles, tile] to [..., C]."""
        return values.reshape(*values.shape[:-2], -1)[..., self.position_of_class]

    @functools.cached_property
    def home_of_vertical(self) -> np.ndarray:
        """Gives the shard that holds each vertical's bottleneck: i32[V]."""
        homes = np.empty(len(self.sizes), np.int32)
        for shard, tiles in enumerate(self.tiles):
            homes[[vertical for vertical, number in tiles if number == 0]] = shard
        return homes

    @functools.cached_property
    def slots_per_shard(self) -> int:
        return int(np.bincount(self.home_of_vertical).max())

    @property
    def num_slots(self) -> int:
        return self.num_shards * self.slots_per_shard

    @functools.cached_property
    def slot_of_vertical(self) -> np.ndarray:
        """Gives each vertical's slot, counted through all shards: i32[V]."""
        slots = np.empty(len(self.sizes), np.int32)
        for shard in range(self.num_shards):
            own = np.flatnonzero(self.home_of_vertical == shard)
            slots[own] = shard * self.slots_per_shard + np.arange(len(own))
        return slots

    @functools.cached_property
    def split(self) -> tuple[int, ...]:
        """Lists the verticals that lie on several shards."""
        shards = [{vertical for vertical, _ in tiles} for tiles in self.tiles]
        return tuple(
            v for v in range(len(self.sizes)) if sum(v in present for present in shards) > 1
        )

    @functools.cached_property
    def slot_of_split(self) -> np.ndarray:
        """Gives the slot on each shard of each split vertical: i32[M, len(split)]; −1 elsewhere."""
        table = np.full((self.num_shards, len(self.split)), -1, np.int32)
        for index, vertical in enumerate(self.split):
            shard, slot = divmod(int(self.slot_of_vertical[vertical]), self.slots_per_shard)
            table[shard, index] = slot
        return table

    @functools.cached_property
    def group_of_tile(self) -> np.ndarray:
        """Gives the group of each tile on its shard: i32[M, tiles_per_shard].

        A shard's groups are its slots, then all split verticals.
        """
        return self._by_tile(lambda vertical, number: (
            self.slots_per_shard + self.split.index(vertical) if vertical in self.split
            else self.slot_of_vertical[vertical] % self.slots_per_shard
        ))

    def _by_tile(self, value) -> np.ndarray:
        table = np.zeros((self.num_shards, self.tiles_per_shard), np.int32)
        for shard, tiles in enumerate(self.tiles):
            table[shard, : len(tiles)] = [value(*tile) for tile in tiles]
        return table


def choose_tile(sizes: Sequence[int]) -> int:
    """Chooses the largest tile that pads the verticals by at most a tenth, else the smallest.

    Args:
      sizes: class count of each vertical.
    """
    for tile in TILE_SIZES:
        if sum(-(-size // tile) * tile for size in sizes) <= (1 + WASTE) * sum(sizes):
            return tile
    return TILE_SIZES[-1]
