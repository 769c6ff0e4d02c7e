import numpy as np
import pytest

from kc_jax.data import score_spill
from kc_jax.data.score_spill import ScoreSpill

NUM_CLASSES = 7


@pytest.fixture
def scores():
    return np.random.default_rng(0).normal(size=(53, NUM_CLASSES)).astype(np.float32)


def read(spill):
    covered, parts = [], []
    for classes, part in spill.blocks():
        covered += classes
        parts.append(part.copy())
    assert covered == list(range(NUM_CLASSES))
    return np.concatenate(parts)


@pytest.mark.parametrize("tile_examples", [1, 4, 5, 53, 1000])
@pytest.mark.parametrize("block_classes", [0.5, 1, 3, 7, 100])
def test_gives_back_by_class_what_was_added_by_example(
    scores, tmp_path, monkeypatch, tile_examples, block_classes
):
    monkeypatch.setattr(score_spill, "TILE_BYTES", 4 * NUM_CLASSES * tile_examples)
    monkeypatch.setattr(score_spill, "BLOCK_BYTES", int(4 * len(scores) * block_classes))
    with ScoreSpill(tmp_path, *scores.shape) as spill:
        for part in np.split(scores, [0, 1, 3, 20, 21, 40]):
            spill.append(part)
        np.testing.assert_array_equal(read(spill), scores.T)
        np.testing.assert_array_equal(read(spill), scores.T)


@pytest.mark.parametrize("num_examples", [52, 54])
def test_refuses_another_number_of_examples(scores, tmp_path, num_examples):
    with ScoreSpill(tmp_path, num_examples, NUM_CLASSES) as spill:
        spill.append(scores)
        with pytest.raises(ValueError, match=f"53 examples; expected {num_examples}"):
            next(spill.blocks())


def test_leaves_nothing_behind_also_after_an_error(scores, tmp_path):
    with pytest.raises(KeyboardInterrupt), ScoreSpill(tmp_path, 53, NUM_CLASSES) as spill:
        spill.append(scores)
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="closed"):
        next(spill.blocks())
