"""K class ids and levels as a record of so many bits that any record is found by its index.

Ids are sorted and coded as Elias (1974) and Fano (1971) did: the l low bits of each as they are,
l = ⌊log2(C_v / K)⌋, and what is above them in unary: bit h_i + i is 1 for the i-th id, whose upper
part is h_i. That takes K l + K + ⌊(C_v − 1) / 2^l⌋ bits and is within half a bit an id of the best
there is. The levels follow in the order of the ids, so an id's rank needs no bits of its own.
"""

import dataclasses

import numpy as np

from kc_jax.core.quantisation import LEVEL_BITS, MAX_LEVEL

ID_BITS = 24
MAX_CLASSES = 1 << ID_BITS


@dataclasses.dataclass(frozen=True)
class RecordLayout:
    """Says where the fields of a record begin and end, bits counted from the highest of byte 0.

    Attributes:
      num_classes: of the vertical, C_v.
      num_kept: K, at most C_v.

    Raises:
      ValueError: K is not among 1 to C_v, or C_v is above 2^24.
    """

    num_classes: int
    num_kept: int

    def __post_init__(self):
        if not 1 <= self.num_kept <= self.num_classes <= MAX_CLASSES:
            raise ValueError(
                f"a record of {self.num_kept} of {self.num_classes} classes; expected at least 1, "
                f"at most all of them, and at most {MAX_CLASSES:,} classes"
            )

    @property
    def low_bits(self) -> int:
        """Gives l, the low bits of an id that are kept as they are."""
        return (self.num_classes // self.num_kept).bit_length() - 1

    @property
    def low_end(self) -> int:
        return self.num_kept * self.low_bits

    @property
    def high_end(self) -> int:
        return self.low_end + self.num_kept + (self.num_classes - 1 >> self.low_bits)

    @property
    def level_end(self) -> int:
        return self.high_end + self.num_kept * LEVEL_BITS

    @property
    def num_bytes(self) -> int:
        return -(-self.level_end // 8)


def pack(ids: np.ndarray, levels: np.ndarray, layout: RecordLayout) -> np.ndarray:
    """Packs rows of ids and levels into records.

    Args:
      ids: integer[B, K], distinct in a row, 0 to C_v − 1, any order.
      levels: u16[B, K], of the ids.
      layout: of the records.

    Returns:
      u8[B, layout.num_bytes].

    Raises:
      ValueError: the shape is not the layout's, or an id is not of the vertical.
    """
    if ids.shape != levels.shape or ids.shape[1:] != (layout.num_kept,):
        raise ValueError(
            f"ids {ids.shape} and levels {levels.shape}; expected [B, {layout.num_kept}] both"
        )
    rows = np.sort(ids.astype(np.int64) << LEVEL_BITS | levels, axis=-1)
    ids, levels = rows >> LEVEL_BITS, rows & MAX_LEVEL
    if len(ids) and not (ids[:, 0].min() >= 0 and ids[:, -1].max() < layout.num_classes):
        raise ValueError(
            f"class ids from {ids[:, 0].min()} to {ids[:, -1].max()}; expected 0 to "
            f"{layout.num_classes - 1}"
        )
    bits = [_to_bits(ids, layout.low_bits), _to_unary(ids, layout), _to_bits(levels, LEVEL_BITS)]
    return np.packbits(np.concatenate(bits, axis=-1), axis=-1)


def unpack(records: np.ndarray, layout: RecordLayout) -> tuple[np.ndarray, np.ndarray]:
    """Gives the ids and levels of records, the highest level first, equal ones by class id.

    Args:
      records: u8[B, layout.num_bytes], as `pack` made them.
      layout: of the records.

    Returns:
      ids i32[B, K] and levels u16[B, K].
    """
    ends = [layout.low_end, layout.high_end, layout.level_end]
    low, high, levels, _ = np.split(np.unpackbits(records, axis=-1), ends, axis=-1)
    ids = _from_unary(high, layout) << layout.low_bits | _from_bits(low, layout.low_bits, layout)
    # Sorting both in one number is several times as fast as sorting indices.
    rows = np.sort(MAX_LEVEL - _from_bits(levels, LEVEL_BITS, layout) << ID_BITS | ids, axis=-1)
    return (
        (rows & MAX_CLASSES - 1).astype(np.int32),
        (MAX_LEVEL - (rows >> ID_BITS)).astype(np.uint16),
    )


def _to_bits(values: np.ndarray, width: int) -> np.ndarray:
    """Writes the lowest bits of i64[B, K] one after the other: u8[B, K · width]."""
    rows, count = values.shape
    octets = values.astype(">u4").view(np.uint8).reshape(rows, count, 4)
    return np.unpackbits(octets, axis=-1)[..., 32 - width :].reshape(rows, count * width)


def _from_bits(bits: np.ndarray, width: int, layout: RecordLayout) -> np.ndarray:
    """Reads what `_to_bits` wrote: i64[B, K]."""
    digits = bits.reshape(len(bits), layout.num_kept, width).astype(np.float32)
    weights = np.exp2(np.arange(width - 1, -1, -1, dtype=np.float32))
    return (digits @ weights).astype(np.int64)  # Exact: at most 24 bits.


def _to_unary(ids: np.ndarray, layout: RecordLayout) -> np.ndarray:
    bits = np.zeros((len(ids), layout.high_end - layout.low_end), np.uint8)
    positions = (ids >> layout.low_bits) + np.arange(layout.num_kept)
    np.put_along_axis(bits, positions, 1, axis=-1)
    return bits


def _from_unary(bits: np.ndarray, layout: RecordLayout) -> np.ndarray:
    width = layout.high_end - layout.low_end
    positions = np.flatnonzero(np.ascontiguousarray(bits).view(np.bool_)) % width
    return positions.reshape(len(bits), layout.num_kept) - np.arange(layout.num_kept)
