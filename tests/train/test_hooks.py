import jax.numpy as jnp
import pytest

from kc_jax import artifacts
from kc_jax.errors import UserError
from kc_jax.train import hooks
from kc_jax.train.hooks import NonFiniteLossError


class Looked:
    """Stands for a loss on the device; tells when it is brought to the host."""

    def __init__(self, value):
        self.value, self.looked = value, False

    def __array__(self, *args, **kwargs):
        self.looked = True
        return jnp.float32(self.value).__array__()


def test_notes_of_steps_that_are_taken_again_are_dropped(tmp_path):
    path = tmp_path / "notes.jsonl"
    notes = hooks.StepNotes(path)
    for step in (2, 5, 5, 9):
        notes.add(step, loss="nan")
    assert len(notes) == 3
    with path.open("a") as file:
        file.write('{"step": 11, "lo')  # The disk was full.
    notes = hooks.StepNotes(path, first_step=5)
    assert len(notes) == 2
    notes.add(7)
    assert [line["step"] for line in hooks.read_metrics(path)] == [2, 5, 5, 7]
    assert len(hooks.StepNotes()) == 0


def watch(losses, every_steps=3, num_steps=None, left_out=None, **options):
    """Shows losses, those of steps 1, 2, …; gives what was explained."""
    explained = []

    def explain(step, loss):
        explained.append((step, str(loss)))
        return f"the loss is {loss} at step {step}"

    hook = hooks.LossWatch(
        explain, every_steps=every_steps, num_steps=num_steps or len(losses), **options
    )
    for step, loss in enumerate(losses, start=1):
        metrics = {"loss": loss if isinstance(loss, Looked) else jnp.float32(loss)}
        if left_out is not None:
            metrics["left_out"] = jnp.float32(step in left_out)
        hook(step, None, metrics)
    return explained


NAN, INF = float("nan"), float("inf")


def test_finite_losses_say_nothing(capsys):
    assert watch([3.0, 2.0, 1.0, 0.0, -1.0]) == []
    assert capsys.readouterr().err == ""


def test_losses_stay_where_they_are_between_looks():
    losses = [Looked(1.0) for _ in range(5)]
    watch(losses, every_steps=3, num_steps=9)
    assert [loss.looked for loss in losses] == [True, True, True, False, False]


def test_the_first_bad_step_is_found_and_the_training_ends():
    with pytest.raises(NonFiniteLossError, match="^the loss is nan at step 5$"):
        watch([1.0, 1.0, 1.0, 1.0, NAN, NAN, NAN])


def test_a_loss_that_recovers_is_warned_of_once(capsys):
    assert watch([1.0, INF, 1.0, NAN, 1.0, 1.0, INF, 1.0]) == [(2, "inf")]
    assert capsys.readouterr().err == "WARNING: the loss is inf at step 2\n"


def test_the_last_step_is_looked_at():
    with pytest.raises(NonFiniteLossError, match="step 4"):
        watch([1.0, 1.0, 1.0, NAN])


def test_a_warning_came_first_then_the_end():
    with pytest.raises(NonFiniteLossError, match="step 2"):
        watch([1.0, INF, 1.0, 1.0, 1.0, NAN])


def test_steps_may_be_left_out_up_to_a_count(capsys):
    losses = [1.0, NAN, 1.0, 1.0, 1.0, INF]
    assert watch(losses, left_out={2, 4, 6}, may_leave_out=3) == [(2, "nan")]
    warning = "WARNING: that step is left out; the loss is nan at step 2\n"
    assert capsys.readouterr().err == warning
    with pytest.raises(NonFiniteLossError, match="step 2"):
        watch(losses, left_out={2, 4, 6}, may_leave_out=2)


def test_a_loss_that_is_no_number_is_no_step_left_out_where_none_may_be():
    notes = hooks.StepNotes()
    hook = hooks.LossWatch(lambda step, loss: "", every_steps=3, num_steps=3, left_out=notes)
    for step, loss in enumerate([1.0, NAN, 1.0], start=1):
        hook(step, None, {"loss": jnp.float32(loss)})
    assert len(notes) == 0


def test_steps_left_out_before_a_stop_count_too(tmp_path):
    path = tmp_path / artifacts.STEPS_LEFT_OUT

    def part(first_step):
        hook = hooks.LossWatch(
            lambda step, loss: "", every_steps=100, num_steps=100, may_leave_out=2,
            left_out=hooks.StepNotes(path, first_step),
        )
        for step in (first_step + 1, first_step + 2):
            hook(step, None, {"loss": jnp.float32(1), "left_out": jnp.float32(step != 2)})
        hook.check(first_step + 2, {"a": jnp.ones(1)})  # As before each state that is saved.

    part(0)
    assert [line["step"] for line in hooks.read_metrics(path)] == [1]
    with pytest.raises(NonFiniteLossError):
        part(2)


@pytest.mark.parametrize("line", ['{"step": 3', '{"stfp": 3}', '[3]', '{"step": "x"}', "\x00"])
def test_a_damaged_log_stops_a_training_and_is_not_shown(tmp_path, capsys, line):
    path = tmp_path / "metrics.jsonl"
    path.write_text(f'{{"step": 2, "seconds": 1.5}}\n{line}\n{{"step": 4, "sec')
    with pytest.raises(UserError, match=f"{path} is damaged: .*remove it: the training goes on"):
        hooks.seconds_before(path, 9)
    assert hooks.shown_metrics(path) == []
    assert str(path) in capsys.readouterr().err
    path.write_text('{"step": 2, "seconds": 1.5}\n{"step": 4, "sec')  # Cut off by a kill.
    assert hooks.seconds_before(path, 9) == 1.5


def noted(losses, **options):
    """Shows losses; gives what was noted of those far above the others."""
    spikes = []

    def note(step, loss, median):
        spikes.append((step, loss, median))
        return f"a spike at step {step}"

    watch(losses, note_spike=note, **options)
    return spikes


def test_losses_far_above_those_before_them_are_noted_and_warned_of_once(capsys):
    losses = [1.0, 2.0, 3.0] * 8 + [9.0, 2.0, 8.0, 7.5]
    assert noted(losses, num_steps=99) == [(25, 9.0, 2.0)]  # Step 28 is not looked at yet.
    assert noted(losses, every_steps=1) == [(25, 9.0, 2.0)]
    assert capsys.readouterr().err == "WARNING: a spike at step 25\n" * 2
    assert noted([*losses, 30.0, 40.0], every_steps=5) == [
        (25, 9.0, 2.0), (29, 30.0, 2.0), (30, 40.0, 2.0)]
    assert capsys.readouterr().err == "WARNING: a spike at step 25\n"


def test_what_is_far_above_needs_losses_to_compare_with():
    few = hooks.ENOUGH - 1
    assert noted([1.0] * few + [99.0]) == []
    assert noted([1.0] * (few + 1) + [99.0]) == [(hooks.ENOUGH + 1, 99.0, 1.0)]


def test_above_a_median_of_nothing_no_loss_is_far(capsys):
    assert noted([0.0] * hooks.ENOUGH + [1e-6, 1.0]) == []


def test_losses_are_looked_at_before_a_state_is_saved():
    spikes = []
    hook = hooks.LossWatch(
        lambda step, loss: "", every_steps=100, num_steps=100,
        note_spike=lambda step, loss, median: spikes.append(step) or "",
    )
    for step in range(1, hooks.ENOUGH + 2):
        hook(step, None, {"loss": jnp.float32(9.0 if step > hooks.ENOUGH else 1.0)})
    assert not spikes
    hook.check(hooks.ENOUGH + 1, state_of(0.0))
    assert spikes == [hooks.ENOUGH + 1]


def test_a_loss_that_stays_high_is_no_spike_for_ever():
    spikes = noted([1.0] * hooks.WINDOW + [10.0] * (2 * hooks.WINDOW))
    assert len(spikes) == hooks.WINDOW // 2


def test_losses_that_are_no_numbers_are_no_spikes_and_change_no_median(capsys):
    losses = [1.0] * 20 + [NAN, INF, 9.0, 1.0]
    assert noted(losses, every_steps=4) == [(23, 9.0, 1.0)]
    assert capsys.readouterr().err.count("WARNING: the loss is nan at step 21") == 1


def state_of(value):
    return {"step": jnp.int32(7), "params": {"kernel": jnp.array([1.0, value], jnp.float32)}}


@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_a_state_that_is_not_finite_is_refused(value):
    hook = hooks.LossWatch(
        lambda step, loss: f"the loss is {loss} at step {step}", every_steps=10, num_steps=20,
        go_on=lambda: "; go on so",
    )
    hook(7, None, {"loss": jnp.float32(2.0)})
    hook.check(7, state_of(0.0))
    with pytest.raises(NonFiniteLossError, match="^the loss is 2.0 at step 7; it left numbers in "
                       "the state that are not finite; go on so$"):
        hook.check(7, state_of(value))


def test_where_a_state_is_not_finite_the_first_loss_that_is_none_is_named():
    hook = hooks.LossWatch(
        lambda step, loss: f"the loss is {loss} at step {step}", every_steps=10, num_steps=20)
    for step, loss in ((1, 1.0), (2, NAN), (3, NAN)):
        hook(step, None, {"loss": jnp.float32(loss)})
    with pytest.raises(NonFiniteLossError, match="^the loss is nan at step 2$"):
        hook.check(3, state_of(NAN))
