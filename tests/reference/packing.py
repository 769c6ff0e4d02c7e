"""The soft-target record of docs/soft_target_store.md, bit by bit, as text of zeros and ones."""

import math

LEVEL_BITS = 13


def pack(ids, levels, num_classes):
    """Gives one record's bytes."""
    pairs = sorted(zip(ids, levels, strict=True))
    low = int(math.log2(num_classes / len(pairs)))
    text = "".join(format(i, "024b")[24 - low :] for i, _ in pairs)
    previous = 0
    for class_id, _ in pairs:
        text += "0" * ((class_id >> low) - previous) + "1"
        previous = class_id >> low
    text += "0" * (((num_classes - 1) >> low) - previous)
    text += "".join(format(level, f"0{LEVEL_BITS}b") for _, level in pairs)
    text += "0" * (-len(text) % 8)
    return bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))


def unpack(record, num_kept, num_classes):
    """Gives one record's (id, level) pairs, the highest level first, equal ones by id."""
    text = "".join(format(byte, "08b") for byte in record)
    low = int(math.log2(num_classes / num_kept))
    lows, rest = text[: num_kept * low], text[num_kept * low :]
    highs, zeros = [], 0
    while len(highs) < num_kept:
        if rest[0] == "1":
            highs.append(zeros)
        else:
            zeros += 1
        rest = rest[1:]
    rest = rest[((num_classes - 1) >> low) - zeros :]
    pairs = []
    for k, high in enumerate(highs):
        digits = format(high, "b") + lows[k * low : (k + 1) * low]
        pairs.append((int(digits, 2), int(rest[k * LEVEL_BITS : (k + 1) * LEVEL_BITS], 2)))
    return sorted(pairs, key=lambda pair: (-pair[1], pair[0]))
