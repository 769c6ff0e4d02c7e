import dataclasses
from collections import Counter

import numpy as np
import pytest

from kc_jax.core import label_space
from kc_jax.data.sources import Source
from kc_jax.stages import confusions, gallery, judging
from tests.reference import confusions as reference
from tests.stages import shipped

# Class 0 is an ancestor of its vertical and 3 of 4, both labels; nothing shows class 1 or a fish.
PATHS = (
    "bird", "bird/finch", "bird/finch/gold", "bird/owl", "bird/owl/barn", "bird/emu",
    "car", "car/van", "car/bus", "car/cab",
    "fish/cod", "fish/eel",
)
SPACE = label_space.from_rows([
    {"class_id": c, "name": path, "vertical": path.split("/")[0], "path": path}
    for c, path in enumerate(PATHS)
])
LABELS = ((2,), (3,), (4, 3), (7, 2), (8, 7, 8), (2, 4, 7, 8), (7,), (4,), (3, 8), (0,), (5,), (9,))
VERTICALS = [SPACE.classes_of(v) for v in range(3)]
VIEWS = 4


@pytest.fixture(params=[False, True], ids=["distinct", "ties"])
def logits(request):
    values = np.random.default_rng(0).normal(size=(len(LABELS) * VIEWS, len(PATHS)))
    return (np.round(values) if request.param else values).astype(np.float32)


@pytest.fixture
def config(data_directory, monkeypatch):
    """Gives a configuration of 5 pairs, and pictures that say what they show."""
    monkeypatch.setattr(
        gallery, "view_writer", lambda config, source: lambda record, view: f"{record}/{view}"
    )
    return shipped.smoke(data_directory, evaluation__confusions=5)


def collect(logits, monkeypatch, pending=confusions.MOST_PENDING):
    monkeypatch.setattr(confusions, "MOST_PENDING", pending)
    test = judging.TestSet(Source("test", LABELS, None, "records"), SPACE, VIEWS)
    found = confusions.Confusions(test)
    cuts = [4, 11, 11, 12]  # An empty batch among them.
    for examples, part in zip(
        np.split(np.arange(len(logits)), cuts), np.split(logits, cuts), strict=True
    ):
        found.add(examples, part)
    return found


@pytest.mark.parametrize("pending", [1, 7, 1000])
def test_equals_the_count_from_all_logits(logits, config, monkeypatch, pending):
    entries = collect(logits, monkeypatch, pending).entries(config)
    within, overall, examples = reference.confusions(
        logits.tolist(), LABELS * VIEWS, SPACE.ancestors, VERTICALS
    )
    assert entries["missed"] == 0
    assert list(entries["verticals"]) == list(SPACE.verticals)
    occurrences = Counter(c for ids in LABELS * VIEWS for c in set(ids))
    groups = {
        **dict(enumerate(zip(entries["verticals"].values(), within, strict=True))),
        "overall": (entries["overall"], overall),
    }
    for group, (shown, counted) in groups.items():
        wanted = sorted(counted, key=lambda p: (-counted[p], occurrences[p[0]], p))[:5]
        assert [(entry["label"], entry["name"]) for entry in shown] == wanted
        for entry, pair in zip(shown, wanted, strict=True):
            assert entry["count"] == counted[pair]
            assert entry["of"] == occurrences[pair[0]]
            assert entry["images"] == [
                f"{e % len(LABELS)}/{e // len(LABELS)}" for e in examples[group, *pair][:3]
            ]
            record, view = map(int, entry["name_image"].split("/"))
            assert pair[1] in LABELS[record] and view == 0
    assert sum(overall.values()) and sum(within[0].values()) and not within[2]


def test_a_perfect_network_confuses_nothing(config, monkeypatch):
    logits = np.zeros((len(LABELS) * VIEWS, len(PATHS)), np.float32)
    for row, ids in zip(logits, LABELS * VIEWS, strict=True):
        row[list(ids)] = 1
    entries = collect(logits, monkeypatch).entries(config)
    assert entries["overall"] == [] and not any(entries["verticals"].values())


def test_forgets_rare_pairs_and_says_so(monkeypatch):
    monkeypatch.setattr(confusions, "MOST_PENDING", 10)
    counter, exact = confusions.PairCounter(most=8), Counter()
    rng = np.random.default_rng(0)
    for example in range(1000):
        pair = (0, 1) if example % 3 == 0 else tuple(rng.integers(2, 12, 2).tolist())
        exact[pair] += 1
        counter.add([pair[0]], pair[1], example)
    groups, occurrences = np.zeros(12, np.int64), np.full(12, 1000)
    (pairs,) = counter.worst(groups, occurrences, 100)
    assert counter.missed > 0 and len(pairs) <= 8 + 10
    assert (pairs[0].label, pairs[0].name, pairs[0].examples) == (0, 1, [0, 3, 6])
    for pair in pairs:
        most = exact[pair.label, pair.name]
        assert most - counter.missed <= pair.count <= most


def test_as_many_pairs_as_fit_are_exact(monkeypatch):
    monkeypatch.setattr(confusions, "MOST_PENDING", 3)
    counter = confusions.PairCounter(most=8)
    for example in range(24):
        counter.add([example % 8], 9, example)
    (pairs,) = counter.worst(np.zeros(10, np.int64), np.arange(10)[::-1], 100)
    assert [pair.label for pair in pairs] == list(range(8))[::-1] and counter.missed == 0
    for pair in pairs:
        examples = [pair.label, pair.label + 8, pair.label + 16]
        assert dataclasses.astuple(pair) == (pair.label, 9, 3, examples)
