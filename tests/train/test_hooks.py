import jax.numpy as jnp
import pytest

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
