import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from kc_jax import artifacts, sharding
from kc_jax.train import checkpoint
from kc_jax.train.checkpoint import CheckpointError, Checkpoints, load_variables
from kc_jax.train.state import TrainState, digest
from tests.train import tiny


def make_state(step=3, width=tiny.NUM_CLASSES):
    """Makes a state of odd values: subnormals, infinities and negative zeros."""
    values = jnp.array([1e-40, -0.0, jnp.inf, 1 / 3, 3e38][:width], jnp.float32)
    params = {"logits": {"kernel": jnp.outer(jnp.arange(4.0), jnp.ones(width)), "bias": values}}
    state = TrainState(
        jnp.int32(step), params, {"batch_stats": {"mean": values}},
        optax.adagrad(0.1).init(params),
    )
    return jax.device_put(state, sharding.replicated(sharding.make_mesh()))


def test_round_trip_is_bit_identical(tmp_path):
    state = make_state()
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        checkpoints.save(3, state)
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        assert checkpoints.latest_step == 3
        restored = checkpoints.restore(jax.tree.map(jnp.zeros_like, state))
    assert jax.tree.structure(restored) == jax.tree.structure(state)
    assert digest(restored) == digest(state)
    shardings = [leaf.sharding == sharding.replicated(sharding.make_mesh())
                 for leaf in jax.tree.leaves(restored)]
    assert all(shardings)


def test_variables_alone(tmp_path):
    state = make_state()
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(3, state)
        variables = load_variables(tmp_path)
    assert {type(leaf) for leaf in jax.tree.leaves(variables)} == {np.ndarray}
    assert digest(variables) == digest(state.variables)


def test_the_latest_two_are_kept(tmp_path):
    with Checkpoints(tmp_path, keep=2) as checkpoints:
        assert checkpoints.latest_step is None
        for step in (1, 2, 3, 4):
            checkpoints.save(step, make_state(step))
        assert checkpoints.latest_step == 4
        assert int(checkpoints.restore(make_state()).step) == 4
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["3", "4"]


def test_what_a_killed_process_did_not_come_to_remove_is_removed(tmp_path):
    """It was killed between its last save and the removal of the state before the kept ones."""
    with Checkpoints(tmp_path, keep=3) as checkpoints:
        for step in (1, 2, 3):
            checkpoints.save(step, make_state(step))
    with Checkpoints(tmp_path, keep=2) as checkpoints:
        checkpoints.save(3, checkpoints.restore(make_state()))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2", "3"]


def test_saving_a_step_again_does_nothing(tmp_path):
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(3, make_state(3))
        checkpoints.save(3, make_state(3))
        assert checkpoints.latest_step == 3


def test_a_state_saved_by_a_process_that_was_killed_then_gets_its_checksums(saved):
    path = saved / "2" / checkpoint.CHECKSUMS
    wanted = path.read_text()
    path.rename(path.with_name(path.name + artifacts.TEMPORARY))
    with Checkpoints(saved, owner="this") as checkpoints:
        checkpoints.save(2, make_state(2))
    assert path.read_text() == wanted
    with Checkpoints(saved, owner="this") as checkpoints:
        assert checkpoints.latest_step == 2


@pytest.mark.parametrize(
    "read",
    [lambda path: load_variables(path), lambda path: Checkpoints(path).restore(make_state())],
)
def test_without_a_checkpoint(tmp_path, read):
    with pytest.raises(CheckpointError, match=f"{tmp_path} holds no checkpoint; train"):
        read(tmp_path)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda s: make_state(width=4),
         r".*; model_state/batch_stats/mean has shape \(5,\), expected \(4,\); and 2 more"),
        (lambda s: s.replace(params={**s.params, "pace": {"gamma": jnp.ones(2)}}),
         "params/pace/gamma is missing"),
        (lambda s: s.replace(params={"logits": {"bias": s.params["logits"]["bias"]}}),
         "params/logits/kernel is not expected"),
    ],
)
def test_other_shapes_name_the_leaf(tmp_path, change, message):
    state = make_state()
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(3, state)
        with pytest.raises(CheckpointError, match=f"{tmp_path} does not fit: {message}"):
            checkpoints.restore(change(state))


def test_a_restored_state_trains_on(tmp_path):
    state, _ = tiny.train_once(tiny.make_batch())
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, state)
        restored = checkpoints.restore(state)
    np.testing.assert_array_equal(
        restored.params["logits"]["kernel"], state.params["logits"]["kernel"]
    )


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def largest(step):
    """Gives the file of a state that holds its arrays."""
    return max((p for p in step.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)


@pytest.fixture
def saved(tmp_path):
    """Gives a directory with the states of steps 1 and 2."""
    directory = tmp_path / "network" / "checkpoints"
    with Checkpoints(directory, owner="this") as checkpoints:
        for step in (1, 2):
            checkpoints.save(step, make_state(step))
    return directory


@pytest.mark.parametrize("damage", [flip, lambda path: path.unlink(), lambda p: p.write_bytes(b"")])
@pytest.mark.parametrize("which", [largest, lambda step: step / "_CHECKPOINT_METADATA"])
def test_a_damaged_state_is_set_aside_and_the_older_one_gone_on_from(saved, capsys, which, damage):
    file = which(saved / "2")
    damage(file)
    with pytest.raises(CheckpointError, match="step 1") as caught:
        load_variables(saved)
    assert str(caught.value).startswith(f"{file} is damaged: ")
    assert f"remove {saved / '2'} and run" in str(caught.value)
    with Checkpoints(saved, owner="this") as checkpoints:
        assert digest(checkpoints.restore(make_state())) == digest(make_state(1))
        said = capsys.readouterr().err
        assert said.startswith(f"{file} is damaged: ")
        assert "goes on from the state of step 1\n" in said
        checkpoints.save(2, make_state(2))
    assert sorted(path.name for path in saved.iterdir()) == ["1", "2", "2.damaged"]
    assert digest(load_variables(saved, "this")) == digest(make_state(2).variables)


def test_nothing_is_gone_on_from_where_all_states_are_damaged(saved):
    for step in ("1", "2"):
        flip(largest(saved / step))
    for read in (load_variables, Checkpoints):
        with pytest.raises(CheckpointError, match=f"{saved / '2'}.*remove {saved.parent} and run"):
            read(saved)
    assert sorted(path.name for path in saved.iterdir()) == ["1", "2"]


@pytest.mark.parametrize("change", ["owner", "step"])
def test_a_state_of_another_training_or_step_is_none(saved, change):
    owner = "other" if change == "owner" else "this"
    if change == "step":
        (saved / "2").rename(saved / "3")
    with pytest.raises(CheckpointError, match="of another step or of another training"):
        load_variables(saved, owner)


def test_states_without_checksums_are_read_as_they_are(saved, capsys):
    for path in saved.glob(f"*/{checkpoint.CHECKSUMS}"):
        path.unlink()
    with Checkpoints(saved, owner="this") as checkpoints:
        assert digest(checkpoints.restore(make_state())) == digest(make_state(2))
    assert capsys.readouterr().err == ""
    assert (saved / "2" / checkpoint.CHECKSUMS).exists()  # It could be read whole.
    (saved / "2" / checkpoint.CHECKSUMS).unlink()
    largest(saved / "2").unlink()
    with pytest.raises(CheckpointError, match=f"{saved / '2'} is damaged: .*state of step 1"):
        load_variables(saved)
