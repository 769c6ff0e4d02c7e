import functools
import json
import re

import pytest

from tests import eight_devices
from tests.train import sharded_steps

FAST = ("sc_2x4", "sc_1x8_paced_by_class", "few_1x8_paced", "fc_2x4")
CASES = [
    pytest.param(name, marks=() if name in FAST else pytest.mark.slow)
    for name in sharded_steps.CASES
]


@functools.cache
def results(names):
    return json.loads(eight_devices.run_module(sharded_steps.__name__, *names))


def result(name):
    group = FAST if name in FAST else tuple(n for n in sharded_steps.CASES if n not in FAST)
    return results(group)[name]


@pytest.mark.parametrize("name", CASES)
def test_steps_equal_those_of_dense_targets_on_one_device(name):
    found = result(name)
    for what in ("loss", "params", "accumulators", "logits"):
        assert found[what] < 1e-5, what


@pytest.mark.parametrize("name", CASES)
def test_no_logits_kernels_or_their_gradients_are_gathered(name):
    """Only activations [examples, units] may be gathered; gradients are summed, shard by shard."""
    gathered = [
        shape for shape, operation in result(name)["exchanged"] if operation != "all-reduce"
    ]
    examples = sharded_steps.BATCH // sharded_steps.CASES[name][0]
    for shape in gathered:
        dimensions = [int(n) for n in re.fullmatch(r"f32\[([\d,]+)\].*", shape)[1].split(",")]
        assert len(dimensions) == 2 and sharded_steps.TILE not in dimensions, shape
        assert dimensions[0] in (examples, examples // sharded_steps.CASES[name][5]), shape


@pytest.mark.parametrize("name", CASES)
def test_sums_over_devices_are_of_a_shard_at_most(name):
    found = result(name)
    shards = sharded_steps.CASES[name][1]
    for shapes, operation in found["exchanged"]:
        for shape in re.findall(r"\[([\d,]+)\]", shapes):
            dimensions = [int(n) for n in shape.split(",")]
            if operation == "all-reduce" and dimensions[-1] == sharded_steps.TILE:
                assert found["num_tiles"] // shards in dimensions, shape


@pytest.mark.parametrize("name", CASES)
def test_every_device_holds_an_equal_part(name):
    held = result(name)["shard_bytes"]
    assert len(set(held)) == 1


def test_a_vertical_above_a_shards_share_is_split():
    assert result("few_1x8_paced")["split"] == 1 and result("sc_2x4")["split"] == 0
