"""What a person should know of images that were packed."""

import collections
import csv
import io

from rich.console import Console
from rich.table import Table

from kc_jax.core.label_space import LabelSpace
from kc_jax.data import selection
from kc_jax.data.collection import UNLABELLED, some
from kc_jax.data.packed import LABEL_CSV, LEFT_OUT, Packed
from kc_jax.errors import one_line

FEW = 10  # Training images below which a class is named.


def report(packed: Packed) -> str:
    """Tells how many images there are, of what, and what was left out and why."""
    space = packed.label_space()
    labels = {split: packed.index(split)[1] for split in packed.manifest["records"]}
    num_records = sum(packed.manifest["records"].values())
    lines = [
        f"{num_records:,} images of {space.num_classes:,} classes in {space.num_verticals:,} "
        f"verticals, packed in {packed.directory}",
        "",
        _table(space, labels),
        *_few(space, labels["train"]),
        *_above_others(space, [
            ids for split, records in labels.items() if split != UNLABELLED for ids in records
        ]),
        *_left_out(packed, num_records),
        *packed.manifest["notes"],
        f"Images of every class: {packed.directory / LABEL_CSV}",
    ]
    return "\n".join(lines)


def _table(space: LabelSpace, labels) -> str:
    table = Table(show_edge=False)
    table.add_column("vertical")
    for column in ("classes", *labels):
        table.add_column(column, justify="right")
    of_vertical = {
        split: collections.Counter(
            v for ids in records for v in (ids if split == UNLABELLED else space.verticals_of(ids))
        ) for split, records in labels.items()
    }
    for vertical_id, name in enumerate(space.verticals):
        counts = (f"{n[vertical_id]:,}" for n in of_vertical.values())
        table.add_row(name, f"{space.sizes[vertical_id]:,}", *counts)
    text = io.StringIO()
    Console(file=text, width=100).print(table)
    return text.getvalue()


def _few(space: LabelSpace, records) -> list[str]:
    """Names classes with few training images; those that only stand above others are left out."""
    counts = collections.Counter(c for ids in records for c in ids)
    above = {a for c in counts for a in space.ancestors[c]}
    few = sorted((counts[c], space.paths[c] or space.names[c]) for c in range(space.num_classes)
                 if counts[c] < FEW and (counts[c] or c not in above))
    if not few:
        return []
    named = [f"{name} ({count})" for count, name in few]
    return [f"Classes with fewer than {FEW} training images: {len(few):,}: {some(named)}"]


def _above_others(space: LabelSpace, records) -> list[str]:
    """Names classes above others that have images of their own, as stray pictures make them."""
    above = {a for ancestors in space.ancestors for a in ancestors}
    counts = collections.Counter(
        c for ids in records for c in above.intersection(ids)
        if not any(c in space.ancestors[other] for other in ids)
    )
    if not counts:
        return []
    named = [f"{space.paths[c] or space.names[c]} ({count:,} images)"
             for c, count in sorted(counts.items(), key=lambda item: (item[1], item[0]))]
    return [f"Classes above others that have images themselves, stray or meant: {len(named):,}: "
            f"{some(named)}"]


def _left_out(packed: Packed, num_records: int) -> list[str]:
    manifest = packed.manifest
    lines = []
    if manifest["untrained"]:
        lines.append(f"Classes without a training image: {len(manifest['untrained']):,}: "
                     f"{some(manifest['untrained'])}")
    if manifest["unknown_labels"]:
        named = [f"{label!r} ({count:,} images)" for label, count in manifest["unknown_labels"]]
        lines.append(f"Labels that are not in the label space: {len(named):,}: {some(named)}")
    if not manifest["left_out"]:
        return [*lines, "Left out: nothing"]
    with open(packed.directory / LEFT_OUT, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    kinds = collections.Counter(row["kind"] for row in rows)
    lines.append(f"Left out: {len(rows):,} of {num_records + len(rows):,} images, all named in "
                 f"{packed.directory / LEFT_OUT}")
    for kind, count in kinds.most_common():
        first = next(row for row in rows if row["kind"] == kind)
        detail = f" ({first['detail']})" if first["detail"] else ""
        named = one_line(f"{first['key']}{detail}")
        lines.append(f"  {count:,} {kind}, such as {named}{selection.remedy_of(kind)}")
    return lines
