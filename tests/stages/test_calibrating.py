import itertools

import numpy as np
import pytest

from kc_jax.bundle import calibration as loaded_calibration
from kc_jax.core import calibration, label_space
from kc_jax.data import validation
from kc_jax.data.sources import Source
from kc_jax.stages import judging
from kc_jax.stages.calibrating import CalibrationJudge
from tests.reference import calibration as reference

# Birds are classes 0 to 3, cars 4 to 6, and no label names a fish, nor classes 3 and 6.
SPACE = label_space.from_sizes((4, 3, 2))
NAMED = ((0,), (1,), (2,), (4,), (5,), (0, 4))
LABELS = tuple(itertools.islice(itertools.cycle(NAMED), 40))
NUM_VIEWS = 2
TRUTH = np.array([[c in ids for c in range(9)] for ids in LABELS * NUM_VIEWS])
KEYS = [f"image {r}" for r in range(len(LABELS))]
TEST = judging.TestSet(Source("test", LABELS, None, "records", KEYS), SPACE, NUM_VIEWS)


@pytest.fixture(params=[False, True], ids=["distinct", "ties"])
def logits(request):
    """Gives logits that know the labels somewhat, the birds' three times as large."""
    rng = np.random.default_rng(0)
    values = (rng.normal(size=TRUTH.shape) + 1.5 * TRUTH) * ([3] * 4 + [1] * 5)
    return (np.round(values) if request.param else values).astype(np.float32)


def judged(logits, cuts, wanted_precision=0.7):
    judge = CalibrationJudge(TEST, wanted_precision)
    for examples, part in zip(
        np.split(np.arange(len(logits)), cuts), np.split(logits, cuts), strict=True
    ):
        judge.add(examples, part)
    return judge.verdict()


def fit(logits, is_right):
    return calibration.fit(np.array(logits), np.array(is_right))


@pytest.mark.parametrize("boost, is_used", [(0, True), (50, False)])
def test_equals_the_formulas_on_all_logits(logits, boost, is_used):
    """A network that is right and sure of it is best left as it is."""
    logits = logits + np.float32(boost) * (TRUTH - 0.5).astype(np.float32)
    is_first_half = np.tile(validation.in_first_half(KEYS), NUM_VIEWS).tolist()
    assert 10 < sum(is_first_half) < 70
    vertical_of_class = SPACE.vertical_of_class.tolist()
    wanted, before, after = reference.judge(
        logits.tolist(), LABELS * NUM_VIEWS, is_first_half, vertical_of_class, 0.7, fit,
        calibration.NUM_BINS,
    )
    found = judged(logits, [3, 3, 50])
    assert set(found) == {"verticals", "ece_before", "ece_after", "is_used", "wanted_precision"}
    assert found["wanted_precision"] == 0.7
    assert list(found["verticals"]) == list(SPACE.verticals)
    unnamed = found["verticals"][SPACE.verticals[2]]
    assert (unnamed["temperature"], unnamed["bias"], unnamed["threshold"]) == (1.0, 0.0, None)
    assert np.isfinite(loaded_calibration.Calibration.from_json(found, SPACE).temperature).all()
    for vertical_id, values in wanted.items():
        assert found["verticals"][SPACE.verticals[vertical_id]] == pytest.approx(values, rel=1e-9)
    assert (found["ece_before"], found["ece_after"]) == pytest.approx((before, after), rel=1e-9)
    assert (found["ece_after"] < found["ece_before"]) == found["is_used"] == is_used
    kept = [(values["temperature"], values["bias"]) for values in found["verticals"].values()]
    assert (kept == [(1.0, 0.0)] * 3) != is_used


def test_a_precision_out_of_reach_is_none(logits):
    found = judged(-logits, [], wanted_precision=1.0)
    assert None in [values["threshold"] for values in found["verticals"].values()]


def test_a_single_record_is_judged_by_the_logits_as_they_are():
    test = judging.TestSet(Source("test", ((1,),), None, "records"), SPACE, 1)
    judge = CalibrationJudge(test, 0.9)
    judge.add(np.zeros(1, np.int64), np.full((1, 9), 2.0, np.float32))
    found = judge.verdict()
    assert found["ece_before"] == found["ece_after"] == pytest.approx(1 - 1 / (1 + np.exp(-2)))
