"""What watches a training: the log, the checkpoints, the progress shown to a person."""

import collections
import json
import math
import pathlib
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from kc_jax import artifacts, checksums, hosts, preemption
from kc_jax.errors import UserError
from kc_jax.train.feed import Meter
from kc_jax.train.state import TrainState
from kc_jax.train.step import is_finite

SPIKE = 4.0  # Times the median of the losses before it is far above them.
WINDOW, ENOUGH = 64, 16  # Losses that the median is of, and without which there is none.


def checkpoint_hook(save: Callable[[int, TrainState], None], every_steps: int) -> Callable:
    """Saves the state every so many steps."""

    def hook(step: int, state: TrainState, metrics: Mapping) -> None:
        if step % every_steps == 0:
            save(step, state)

    return hook


def preemption_hook(save: Callable[[int, TrainState], None], title: str) -> Callable:
    """Saves the state and ends the process once the machine has asked it to end."""

    def hook(step: int, state: TrainState, metrics: Mapping) -> None:
        if hosts.are_asked_to_end(step):
            save(step, state)
            preemption.end(f"{title} is saved at step {step}")

    return hook


def end_if_asked(saved: str) -> None:
    """Ends the process if the machine has asked it to, or one that it works with.

    Args:
      saved: what was.
    """
    if hosts.highest(int(preemption.came())):
        preemption.end(saved)


class NonFiniteLossError(UserError, RuntimeError):
    """Says at which step the loss stopped being a number, and what to try."""


class LossWatch:
    """Warns of the first step whose loss is not a number, or that was left out for its gradients.

    It ends a training whose newest loss is none, or where steps are left out, one that left out
    more than it may. It warns of the first step whose loss is far above those before it, too, and
    notes all of these. Losses stay on the device until the log looks at them too, so no step is
    waited for.

    Args:
      explain: maps (step, loss) to what the person who watches should know; called once.
      every_steps: between looks.
      num_steps: of the whole training; the last step is always looked at.
      may_leave_out: steps that may be left out; 0 where none are.
      left_out: notes of those that are, earlier ones of this training among them.
      note_spike: maps (step, loss, median of the losses before it) to what the person should know.
      go_on: says how a training that ends can be gone on with.
    """

    def __init__(
        self, explain: Callable[[int, float], str], *, every_steps: int, num_steps: int,
        may_leave_out: int = 0, left_out: "StepNotes | None" = None,
        note_spike: Callable[[int, float, float], str] | None = None,
        go_on: Callable[[], str] = str,
    ):
        self._explain, self._every, self._num_steps = explain, every_steps, num_steps
        self._may_leave_out = may_leave_out
        self._left_out = StepNotes() if left_out is None else left_out
        self._note_spike, self._go_on, self._num_spikes = note_spike, go_on, 0
        self._metrics: dict[int, Mapping] = {}
        self._recent: collections.deque = collections.deque(maxlen=WINDOW)
        self._warning = ""

    def __call__(self, step: int, state: TrainState, metrics: Mapping) -> None:
        self._metrics[step] = {
            name: metrics[name] for name in ("loss", "left_out") if name in metrics
        }
        if _is_due(step, self._every, self._num_steps):
            self._judge(step)

    def _judge(self, step: int) -> None:
        broken, is_new = self._look()
        if len(self._left_out) > self._may_leave_out if self._may_leave_out else step in broken:
            raise NonFiniteLossError(self._warning + self._go_on())
        if is_new:
            left = "that step is left out; " if self._may_leave_out else ""
            print(f"WARNING: {left}{self._warning}", file=sys.stderr, flush=True)

    def check(self, step: int, state: TrainState) -> None:
        """Ends a training whose state is not finite; called before a state is saved.

        Args:
          step: the last one that was taken.
          state: after it.

        Raises:
          NonFiniteLossError: a number of it is none, as after a step whose gradients were none.
        """
        is_sound = is_finite(state)
        if is_sound or self._may_leave_out:  # What is saved counts all steps before it.
            self._judge(step)
        if not is_sound:
            self._look()
            reason = self._warning or (
                self._explain(step, self._recent[-1] if self._recent else math.nan)
                + "; it left numbers in the state that are not finite"
            )
            raise NonFiniteLossError(reason + self._go_on())

    def _look(self) -> tuple[dict[int, float], bool]:
        """Brings the losses to the host; gives those that are none, and whether they are news."""
        found, self._metrics = jax.device_get(self._metrics), {}
        losses = {number: float(seen["loss"]) for number, seen in found.items()}
        broken = {
            number: loss for number, loss in losses.items()
            if found[number].get("left_out", not np.isfinite(loss))
        }
        self._look_for_spikes({n: loss for n, loss in losses.items() if n not in broken})
        is_new = bool(broken) and not self._warning
        if is_new:
            self._warning = self._explain(*next(iter(broken.items())))
        for number, loss in broken.items() if self._may_leave_out else ():
            self._left_out.add(number, loss=str(loss))
        return broken, is_new

    def _look_for_spikes(self, losses: Mapping[int, float]) -> None:
        for number, loss in losses.items():
            median = float(np.median(self._recent)) if len(self._recent) >= ENOUGH else math.inf
            if self._note_spike and 0 < SPIKE * median < loss:  # Above none, any loss is.
                note = self._note_spike(number, loss, median)
                if not self._num_spikes:
                    print(f"WARNING: {note}", file=sys.stderr, flush=True)
                self._num_spikes += 1
            self._recent.append(loss)


class MetricsLog:
    """Writes a line of metrics every so many steps.

    Attribute ``note`` says the last line's loss and speed in words.

    Args:
      write: takes a line; see `sinks.open_sinks`.
      seconds: that the steps already done took.
      every_steps: between lines.
      num_steps: of the whole training; the last step is always logged.
      meter: of the training's speed.
      extra: maps (step, state) to further values.
    """

    def __init__(
        self,
        write: Callable[[Mapping[str, Any]], None],
        *,
        seconds: float,
        every_steps: int,
        num_steps: int,
        meter: Meter,
        extra: Callable[[int, TrainState], Mapping[str, Any]],
    ):
        self._write, self._every, self._num_steps = write, every_steps, num_steps
        self._meter, self._extra = meter, extra
        self._start = time.monotonic() - seconds
        self.note = ""

    @property
    def seconds(self) -> float:
        """Gives the seconds of the training so far, without steps that were lost and done again."""
        return round(time.monotonic() - self._start, 1)

    def __call__(self, step: int, state: TrainState, metrics: Mapping) -> None:
        self._meter.start(step, metrics)
        if not _is_due(step, self._every, self._num_steps):
            return
        values = {name: float(value) for name, value in metrics.items()}
        rates = self._meter.lap(step)
        self.note = _note(values["loss"], rates)
        entry = {"step": step, **values, **rates, "seconds": self.seconds}
        self._write({**entry, **self._extra(step, state)})


def _is_due(step: int, every_steps: int, num_steps: int) -> bool:
    return step % every_steps == 0 or step == num_steps


def _note(loss: float, rates: Mapping) -> str:
    speed, wait = rates["images_per_second"], rates["input_wait"]
    timed = "" if speed is None else f", {speed:.0f} images/s, {100 * wait:.0f} % waiting"
    return f"loss {loss:.3f}{timed}"


def read_metrics(path: pathlib.Path) -> list[dict[str, Any]]:
    """Reads a metrics.jsonl; a last line that was cut off is left out.

    Raises:
      DamagedFileError: it is not as it was written.
    """
    if not artifacts.checked(path).exists():
        return []
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        entries = [json.loads(line) for line in lines if line.endswith("\n")]
        return [{**entry, "step": int(entry["step"])} for entry in entries]
    except (ValueError, KeyError, TypeError) as error:
        raise checksums.damaged(
            path, f"it holds no lines of JSON with a step ({error})",
            "put a good copy back, or remove it: the training goes on without it",
        ) from None


def kept_lines(path: pathlib.Path, step: int) -> list[dict[str, Any]]:
    """Leaves the lines up to a step in a file of them, and gives them; one cut off goes too."""
    kept = [line for line in read_metrics(path) if line["step"] <= step]
    if path.exists():
        artifacts.write_text(path, "".join(json.dumps(line) + "\n" for line in kept))
    return kept


class StepNotes:
    """Keeps what is noted of single steps, a line of JSON each; a step counts once.

    Args:
      path: of the file; None keeps it in memory alone. What was noted of steps that are taken again
        is dropped.
      first_step: steps already done.
    """

    def __init__(self, path: pathlib.Path | None = None, first_step: int = 0):
        self._path = path
        self._steps = {line["step"] for line in kept_lines(path, first_step)} if path else set()

    def __len__(self) -> int:
        return len(self._steps)

    def add(self, step: int, **facts: Any) -> None:
        """Notes something of a step."""
        self._steps.add(step)
        if self._path and hosts.is_first():
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"step": step, **facts}) + "\n")


def shown_metrics(path: pathlib.Path) -> list[dict[str, Any]]:
    """Reads a metrics.jsonl to show it; one that is damaged is left out, and that is said."""
    try:
        return read_metrics(path)
    except checksums.DamagedFileError as error:
        print(f"{error}. It is left out of what is shown", file=sys.stderr)
        return []


def seconds_before(path: pathlib.Path, step: int) -> float:
    """Gives the seconds that a metrics.jsonl says the steps up to this one took."""
    return max((x.get("seconds", 0.0) for x in read_metrics(path) if x["step"] <= step), default=0)


def progress_hook(show: Callable, log: MetricsLog) -> Callable:
    """Shows the steps done, and what the log said last of loss and speed."""

    def hook(step: int, state: TrainState, metrics: Mapping) -> None:
        show(step, log.note)

    return hook
