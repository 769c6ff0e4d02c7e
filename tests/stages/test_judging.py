import contextlib
import shutil

import numpy as np
import pytest

from kc_jax import disk_space
from kc_jax.core import label_space
from kc_jax.data import score_spill
from kc_jax.data.sources import Source
from kc_jax.stages import judging
from tests.reference import judging as reference

# Class 0 is an ancestor of all of its vertical, class 3 is a label itself; nothing shows a fish.
PATHS = (
    "bird", "bird/finch", "bird/finch/gold", "bird/owl", "bird/owl/barn", "bird/emu",
    "car", "car/van", "car/bus", "car/cab",
    "fish/cod", "fish/eel",
)
VERTICALS = [path.split("/")[0] for path in PATHS]
SPACE = label_space.from_rows([
    {"class_id": c, "name": path, "vertical": vertical, "path": path}
    for c, (path, vertical) in enumerate(zip(PATHS, VERTICALS, strict=True))
])
LABELS = ((2,), (3,), (4, 3), (7, 2), (8, 7, 8), (2, 4, 7, 8), (7,), (4,), (3, 8))
BIRDS, CARS, FISH = range(3)


@pytest.fixture(params=[False, True], ids=["distinct", "ties"])
def logits(request):
    values = np.random.default_rng(0).normal(size=(len(LABELS) * 3, len(PATHS)))
    return (np.round(values) if request.param else values).astype(np.float32)


@pytest.fixture
def test_set(monkeypatch):
    """Gives three views of the records, and a spill of several tiles and blocks."""
    monkeypatch.setattr(score_spill, "TILE_BYTES", 100)
    monkeypatch.setattr(score_spill, "BLOCK_BYTES", 150)
    return judging.TestSet(Source("test", LABELS, None, "records"), SPACE, 3)


def batches(examples, logits):
    """Gives the parts in which a network would answer, of which one is empty."""
    cuts = [4, 11, 11, 12]
    return zip(np.split(examples, cuts), np.split(logits, cuts), strict=True)


def found_by_reference(logits):
    found = (
        reference.vertical(logits.tolist(), LABELS * 3, SPACE.ancestors, SPACE.classes_of(v))
        for v in range(SPACE.num_verticals)
    )
    return {v: vertical for v, vertical in enumerate(found) if vertical}


def judge(test_set, logits, directory):
    with judging.vertical_judges(test_set, range(3), directory) as judges:
        for examples, part in batches(np.arange(len(logits)), logits):
            for vertical in judges:
                vertical.add(*vertical.own(examples, part))
        return {vertical.vertical_id: vertical.verdict() for vertical in judges}


@pytest.mark.parametrize("at_k", [1, 3, 8, 50])
def test_overall_equals_the_formula_on_all_logits(test_set, logits, at_k):
    overall = judging.OverallJudge(test_set, at_k)
    for examples, part in batches(np.arange(len(logits)), logits):
        overall.add(examples, part)
    wanted = reference.overall(logits.tolist(), LABELS * 3, at_k)
    assert overall.metrics() == pytest.approx(wanted, rel=1e-12)


def test_verticals_equal_the_formula_on_all_logits(test_set, logits, tmp_path):
    verdicts, wanted = judge(test_set, logits, tmp_path), found_by_reference(logits)
    assert set(verdicts) == set(wanted) == {BIRDS, CARS}
    for vertical_id, found in wanted.items():
        verdict = verdicts[vertical_id]
        values = dict(zip(verdict.classes, verdict.class_ap, strict=True))
        assert list(values) == list(SPACE.classes_of(vertical_id))
        named = {c: x for c, x in values.items() if not np.isnan(x)}
        assert named == pytest.approx(found["class_ap"], rel=1e-12)
        np.testing.assert_allclose(verdict.ancestor_ap, found["ancestor_ap"], rtol=1e-12)
        assert verdict.top1 == pytest.approx(found["top1"], rel=1e-12)


def test_a_specialist_is_judged_like_its_part_of_a_single_network(test_set, logits, tmp_path):
    together = judge(test_set, logits, tmp_path)[CARS]
    examples, classes = test_set.examples_of(CARS), SPACE.classes_of(CARS)
    with judging.vertical_judges(test_set, [CARS], tmp_path) as (vertical,):
        for part in batches(examples, logits[np.ix_(examples, classes)]):
            vertical.add(*part)
        alone = vertical.verdict()
    np.testing.assert_array_equal(alone.class_ap, together.class_ap)
    np.testing.assert_array_equal(alone.ancestor_ap, together.ancestor_ap)
    assert alone.top1 == together.top1


def test_the_summary_is_means_over_verticals_and_ancestors(test_set, logits, tmp_path):
    metrics, class_ap = judging.summarise(SPACE, judge(test_set, logits, tmp_path))
    wanted = found_by_reference(logits)
    aps = {v: np.mean(list(found["class_ap"].values())) for v, found in wanted.items()}
    ancestors = [x for found in wanted.values() for x in found["ancestor_ap"]]
    assert len(ancestors) == 3  # Bird, finch and car.
    assert metrics["vertical_ap"] == pytest.approx({"bird": aps[BIRDS], "car": aps[CARS]})
    assert metrics["mean_vertical_ap"] == pytest.approx(np.mean(list(aps.values())))
    assert metrics["mean_vertical_top1"] == pytest.approx(
        np.mean([found["top1"] for found in wanted.values()])
    )
    assert metrics["ancestor_ap"] == pytest.approx(np.mean(ancestors))
    unnamed = [c for c, value in class_ap.items() if value is None]
    assert list(class_ap) == list(range(10)) and unnamed == [0, 1, 5, 6, 9]


def test_no_ancestors_are_none(tmp_path):
    space = label_space.from_sizes((2,))
    test = judging.TestSet(Source("test", ((0,), (1,)), None, "records"), space, 1)
    with judging.vertical_judges(test, [0], tmp_path) as (vertical,):
        vertical.add(np.arange(2), np.eye(2, dtype=np.float32))
        metrics, _ = judging.summarise(space, {0: vertical.verdict()})
    assert metrics["ancestor_ap"] is None and metrics["mean_vertical_ap"] == 1.0


@pytest.mark.parametrize("missing, outcome", [
    (0, contextlib.nullcontext()), (1, pytest.raises(disk_space.DiskSpaceError)),
])
def test_needs_room_for_the_scores_of_all_verticals(
    test_set, tmp_path, monkeypatch, missing, outcome
):
    needed = 4 * 3 * (7 * 6 + 5 * 4)  # Views, records and classes of birds, then of cars.
    usage = shutil.disk_usage(tmp_path)._replace(free=needed - missing)
    monkeypatch.setattr(shutil, "disk_usage", lambda directory: usage)
    with outcome, judging.vertical_judges(test_set, range(3), tmp_path):
        pass
