"""Which images are kept, under which labels and in which split: all decided before any is packed.

Nothing here depends on the order of the images, except the order of what is kept.
"""

import collections
import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from kc_jax.config import ConfigError
from kc_jax.core import label_space as label_spaces
from kc_jax.core.label_space import LabelSpace
from kc_jax.data import images
from kc_jax.data.collection import UNLABELLED
from kc_jax.data.hold_out import hold_out
from kc_jax.data.inspection import Finding
from kc_jax.data.label_finder import class_finder, path_of, vertical_finder

SPLITS = ("train", "test")
ALL = "all"  # The vertical of classes of which none is in one.


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """Holds one image that is kept.

    Attributes:
      position: in the collection.
      key: its name.
      labels: sorted class ids; in the split `UNLABELLED` sorted vertical ids.
      sha256: of the file's bytes.
      num_bytes: of the file.
    """

    position: int
    key: str
    labels: tuple[int, ...]
    sha256: str
    num_bytes: int


@dataclasses.dataclass(frozen=True)
class Selection:
    """Says what is kept.

    Attributes:
      space: of the labels.
      splits: ``train`` and ``test``, and `UNLABELLED` if there are any: what they hold, in order.
      left_out: (key, kind, detail) of every other image, in order.
      untrained: paths of the classes that have no training image.
      unknown: (label, images) for labels that are not in the label space, the commonest first.
      notes: what a person should know besides.
    """

    space: LabelSpace
    splits: dict[str, tuple[Kept, ...]]
    left_out: tuple[tuple[str, str, str], ...]
    untrained: tuple[str, ...]
    unknown: tuple[tuple[str, int], ...]
    notes: tuple[str, ...] = ()


def select(
    findings: Sequence[Finding], given: LabelSpace | None, *, one_vertical_a_name: bool,
    test_share: float,
) -> Selection:
    """Decides what is kept.

    Args:
      findings: of every entry.
      given: the label space; None makes it of the labels, which then are paths.
      one_vertical_a_name: see `Collection`.
      test_share: of the images that no split claims, held out by a hash of their keys.

    Raises:
      ConfigError: the labels make no label space, or a vertical lacks images in a split.
    """
    out: dict[int, tuple[str, str]] = {
        i: (finding.kind, finding.detail) for i, finding in enumerate(findings) if finding.kind
    }
    aside = [i for i, f in enumerate(findings) if f.split == UNLABELLED and i not in out]
    out |= dict.fromkeys(aside, ("no label", ""))
    _check_some_are_left(findings, out)
    notes: tuple[str, ...] = ()
    if given is None and _is_flat(finding for finding in findings if finding.split != UNLABELLED):
        findings = [_in_one_vertical(finding) for finding in findings]
        notes = (f"No class is in a vertical, so all were put into one, {ALL!r}; what verticals "
                 "are for, and how to choose them, says docs/choosing_verticals.md",)
    space = given or _space_of_paths(
        {path_of(label) for i, finding in enumerate(findings) if i not in out
         for label in finding.labels},
        one_vertical_a_name,
    )
    labels, unknown = _resolve(findings, space, out)
    _drop_repeated_keys(findings, out)
    _drop_duplicates(findings, labels, out)
    _check_some_are_left(findings, out)
    split_of = _split(findings, labels, space, test_share, out)
    trained = {c for i, split in split_of.items() if split == "train" for c in labels[i]}
    for i in sorted(split_of):
        labels[i] = tuple(c for c in labels[i] if c in trained)
        if not labels[i]:
            out[i] = ("untrained class", "no training image has its label")
            del split_of[i]
    untrained = _untrained(space, trained)
    if given is None:
        space, number = _without(space, trained)
        labels = {i: tuple(sorted(number[c] for c in labels[i])) for i in split_of}
    splits = {
        split: tuple(Kept(i, findings[i].key, labels[i], findings[i].sha256, findings[i].num_bytes)
                     for i in sorted(split_of) if split_of[i] == split)
        for split in SPLITS
    }
    is_parted = any(finding.split is None for finding in findings)
    _check_verticals(space, splits, test_share if is_parted else None)
    for i in aside:
        del out[i]
    unlabelled = _without_labels(findings, aside, space, splits, out)
    if unlabelled:
        splits[UNLABELLED] = unlabelled
    left_out = tuple((findings[i].key, *out[i]) for i in sorted(out))
    return Selection(space, splits, left_out, untrained, unknown, notes)


def _without_labels(
    findings: Sequence[Finding], aside: Sequence[int], space: LabelSpace,
    splits: Mapping[str, Sequence[Kept]], out: dict,
) -> tuple[Kept, ...]:
    """Finds the verticals of images without labels; those that are there with labels go out."""
    vertical_of = vertical_finder(space)
    labelled = [kept for records in splits.values() for kept in records]
    keys, first = {kept.key for kept in labelled}, {kept.sha256: kept.key for kept in labelled}
    found = []
    for i in aside:
        finding = findings[i]
        ids = sorted({v for v in map(vertical_of, finding.labels or [""]) if v is not None})
        if not ids:
            out[i] = ("unknown vertical", ", ".join(map(path_of, finding.labels)))
        elif finding.sha256 in first:
            out[i] = ("duplicate", f"same bytes as {first[finding.sha256]}")
        elif finding.key in keys:
            out[i] = ("repeated key", "another image has the same key")
        else:
            first[finding.sha256] = finding.key
            keys.add(finding.key)
            found.append(Kept(i, finding.key, tuple(ids), finding.sha256, finding.num_bytes))
    return tuple(found)


def _is_flat(findings: Iterable[Finding]) -> bool:
    """Tells whether no label says what its class belongs to."""
    return not any("/" in path_of(label) for finding in findings for label in finding.labels)


def _in_one_vertical(finding: Finding) -> Finding:
    labels = tuple(f"{ALL}/{path}" for path in map(path_of, finding.labels) if path)
    return dataclasses.replace(finding, labels=labels)


def _space_of_paths(paths: Iterable[str], one_vertical_a_name: bool) -> LabelSpace:
    """Makes a label space of slash-separated paths, whose first parts are the verticals."""
    parts = sorted(tuple(path.split("/")) for path in paths if path)
    verticals = {path[0] for path in parts if len(path) > 1}
    alone = [path[0] for path in parts if path[0] not in verticals]
    if alone:
        raise ConfigError(
            f"{len(alone)} of {len(parts)} classes, such as {alone[0]!r}, are in no vertical; put "
            "every class's folder into a folder of its vertical, name a key for it "
            "(config.data.vertical_key), or give a label space (config.data.label_space, a CSV "
            "with the columns class_id,name,vertical,path)"
        )
    if one_vertical_a_name:
        first: dict[str, str] = {}
        for vertical, *_, name in parts:
            if first.setdefault(name, vertical) != vertical:
                raise ConfigError(
                    f"class {name!r} is in two verticals, {first[name]!r} and {vertical!r} "
                    "(config.data.vertical_key); every class needs one, always the same"
                )
    return label_spaces.from_rows([
        {"class_id": i, "name": path[-1], "vertical": path[0], "path": "/".join(path)}
        for i, path in enumerate(parts)
    ])


def _resolve(findings, space: LabelSpace, out: dict):
    """Finds the class ids of every image, and counts labels that are unknown.

    An image goes out that has no label, or none that is known.
    """
    class_id_of = class_finder(space)
    found, unknown = {}, collections.Counter()
    for i, finding in enumerate(findings):
        if i in out:
            continue
        ids = {label: class_id_of(label) for label in finding.labels}
        unknown.update(str(label) for label, class_id in ids.items() if class_id is None)
        found[i] = tuple(sorted({c for c in ids.values() if c is not None}))
        if not found[i]:
            labels = ", ".join(map(str, finding.labels))
            out[i] = ("unknown label", labels) if labels else ("no label", "")
    return found, tuple(unknown.most_common())


def _drop_repeated_keys(findings, out: dict) -> None:
    seen: dict[str, str] = {}
    for i, finding in enumerate(findings):
        if i not in out and seen.setdefault(finding.key, finding.sha256) != finding.sha256:
            out[i] = ("repeated key", "another image has the same key")


def _drop_duplicates(findings, labels: dict, out: dict) -> None:
    """Keeps one of images with equal bytes, rather in the test; none where labels differ."""
    groups = collections.defaultdict(list)
    for i, finding in enumerate(findings):
        if i not in out:
            groups[finding.sha256].append(i)
    for group in groups.values():
        if len(group) == 1:
            continue
        group.sort(key=lambda i: (findings[i].split != "test", findings[i].key))
        first = group[0]
        if len({labels[i] for i in group}) > 1:
            other = {i: next(j for j in group if labels[j] != labels[i]) for i in group}
            out |= {i: ("duplicate under other labels", f"same bytes as {findings[j].key}")
                    for i, j in other.items()}
            continue
        for i in group[1:]:
            crosses = findings[i].split != findings[first].split
            kind = "duplicate of a test image" if crosses else "duplicate"
            out[i] = (kind, f"same bytes as {findings[first].key}")


def _split(findings, labels, space: LabelSpace, test_share: float, out) -> dict[int, str]:
    kept = [i for i in range(len(findings)) if i not in out]
    split_of = {i: findings[i].split for i in kept}
    free = [i for i in kept if split_of[i] is None]
    held = hold_out([findings[i].key for i in free], [labels[i] for i in free],
                    space.vertical_of_class, test_share)
    return split_of | {i: "test" if test else "train" for i, test in zip(free, held, strict=True)}


def _untrained(space: LabelSpace, trained: set[int]) -> tuple[str, ...]:
    """Lists the classes that neither have a training image nor stand above one that has."""
    reached = trained.union(*(space.ancestors[c] for c in trained))
    return tuple(space.paths[c] or space.names[c]
                 for c in range(space.num_classes) if c not in reached)


def _without(space: LabelSpace, trained: set[int]) -> tuple[LabelSpace, dict[int, int]]:
    """Takes out the classes that are not trained; numbers the others anew."""
    kept = sorted(trained)
    rows = [{"class_id": new, "name": space.names[old], "path": space.paths[old],
             "vertical": space.verticals[space.vertical_of_class[old]]}
            for new, old in enumerate(kept)]
    if not rows:
        raise ConfigError("no image with a label is left to be learnt from; see left_out.csv")
    return label_spaces.from_rows(rows), {old: new for new, old in enumerate(kept)}


def _check_some_are_left(findings, out: dict) -> None:
    if len(out) == len(findings):
        kinds = collections.Counter(kind for kind, _ in out.values()).most_common()
        first = min(out)
        raise ConfigError(
            f"none of the {len(findings)} images can be used ("
            + ", ".join(f"{count} {kind}" for kind, count in kinds)
            + f"); the first is {findings[first].key!r}: {' '.join(out[first])}"
            + remedy_of(out[first][0])
        )


def remedy_of(kind: str) -> str:
    """Says, after a semicolon, what to do about images of a kind that are left out, if anything."""
    remedies = {images.TOO_LARGE: "config.data.max_pixels says how large one may be"}
    return f"; {remedies[kind]}" if kind in remedies else ""


def _check_verticals(
    space: LabelSpace, splits: dict[str, Sequence[Kept]], test_share: float | None
) -> None:
    """Refuses verticals that lack images; ``test_share`` where it parted them, else None."""
    remedies = dict.fromkeys(SPLITS, (
        ", or, to test on a part of all images, set --config.data.test_split=held_out (with "
        "--config.data.train_split=train+test where both splits are to be parted)"
    ))
    if test_share is not None:
        remedies = {"train": "", "test": f", or raise config.data.test_share above {test_share}"}
    for split in SPLITS:
        seen = {int(space.vertical_of_class[c]) for kept in splits[split] for c in kept.labels}
        missing = [name for v, name in enumerate(space.verticals) if v not in seen]
        if missing:
            raise ConfigError(
                f"{len(missing)} of {space.num_verticals} verticals have no image left for "
                f"{split}, such as {missing[0]!r}; give them some or take them out"
                + remedies[split]
            )
