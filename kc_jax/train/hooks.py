"""What watches a training: the log, the checkpoints, the progress shown to a person."""

import json
import pathlib
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from kc_jax import artifacts
from kc_jax.errors import UserError
from kc_jax.train.feed import Meter
from kc_jax.train.state import TrainState


class NonFiniteLossError(UserError, RuntimeError):
    """Says at which step the loss stopped being a number, and what to try."""


def checkpoint_hook(save: Callable[[int, TrainState], None], every_steps: int) -> Callable:
    """Saves the state every so many steps."""

    def hook(step: int, state: TrainState, metrics: Mapping) -> None:
        if step % every_steps == 0:
            save(step, state)

    return hook


class MetricsLog:
    """Appends a line of JSON every so many steps; `metrics.jsonl` is the source of truth.

    Attribute ``note`` says the last line's loss and speed in words.

    Args:
      path: of the file. Lines after ``first_step``, left by a run that was stopped, are removed.
      first_step: steps already done.
      every_steps: between lines.
      num_steps: of the whole training; the last step is always logged.
      meter: of the training's speed.
      extra: maps (step, state) to further values.
    """

    def __init__(
        self,
        path: pathlib.Path,
        *,
        first_step: int,
        every_steps: int,
        num_steps: int,
        meter: Meter,
        extra: Callable[[int, TrainState], Mapping[str, Any]],
    ):
        kept = [entry for entry in read_metrics(path) if entry["step"] <= first_step]
        artifacts.write_text(path, "".join(json.dumps(entry) + "\n" for entry in kept))
        self._path, self._every, self._num_steps = path, every_steps, num_steps
        self._meter, self._extra = meter, extra
        self._start = time.monotonic() - (kept[-1].get("seconds", 0.0) if kept else 0.0)
        self.note = ""

    @property
    def seconds(self) -> float:
        """Gives the seconds of the training so far, without steps that were lost and done again."""
        return round(time.monotonic() - self._start, 1)

    def __call__(self, step: int, state: TrainState, metrics: Mapping) -> None:
        self._meter.start(step, metrics)
        if step % self._every and step != self._num_steps:
            return
        values = {name: float(value) for name, value in metrics.items()}
        if not np.isfinite(values["loss"]):
            raise NonFiniteLossError(
                f"{self._path}: the loss is {values['loss']} at step {step}; lower "
                "optimizer.learning_rate or raise optimizer.warmup, and look at the images"
            )
        rates = self._meter.lap(step)
        self.note = _note(values["loss"], rates)
        entry = {"step": step, **values, **rates, "seconds": self.seconds}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**entry, **self._extra(step, state)}) + "\n")


def _note(loss: float, rates: Mapping) -> str:
    speed, wait = rates["images_per_second"], rates["input_wait"]
    timed = "" if speed is None else f", {speed:.0f} images/s, {100 * wait:.0f} % waiting"
    return f"loss {loss:.3f}{timed}"


def read_metrics(path: pathlib.Path) -> list[dict[str, Any]]:
    """Reads a metrics.jsonl; a last line that was cut off is left out."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def progress_hook(show: Callable, log: MetricsLog) -> Callable:
    """Shows the steps done, and what the log said last of loss and speed."""

    def hook(step: int, state: TrainState, metrics: Mapping) -> None:
        show(step, log.note)

    return hook
