"""The images to test on where a dataset has no test split, chosen by a hash of their names."""

import collections
import hashlib
from collections.abc import Sequence


def hold_out(
    keys: Sequence[str], labels: Sequence[Sequence[int]], vertical_of_class: Sequence[int],
    share: float,
) -> list[bool]:
    """Chooses the images to test on, by a hash of their keys.

    An image's place does not depend on others, but for two cases: a class whose every image is
    chosen gets one back to be learnt from, and a vertical of which none is chosen gives one.

    Args:
      keys: of the images, distinct.
      labels: their class ids.
      vertical_of_class: i32[C].
      share: of the images, 0 to 1; 0 chooses none.

    Returns:
      Whether each image is chosen.
    """
    rank = [_rank(key) for key in keys]
    chosen = [r < share for r in rank]
    of_class, of_vertical = collections.defaultdict(list), collections.defaultdict(list)
    for i in sorted(range(len(keys)), key=rank.__getitem__):
        for class_id in labels[i]:
            of_class[class_id].append(i)
        for vertical in {int(vertical_of_class[c]) for c in labels[i]}:
            of_vertical[vertical].append(i)
    learnt = collections.Counter()
    for class_id in sorted(of_class):
        if all(chosen[i] for i in of_class[class_id]):
            chosen[of_class[class_id][-1]] = False
    for class_id, images in of_class.items():
        learnt[class_id] = sum(not chosen[i] for i in images)
    for vertical in sorted(of_vertical) if share else ():
        images = of_vertical[vertical]
        if any(chosen[i] for i in images):
            continue
        for i in images:
            if all(learnt[c] > 1 for c in labels[i]):
                chosen[i] = True
                learnt.subtract(labels[i])
                break
    return chosen


def _rank(key: str) -> float:
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") / 2**64
