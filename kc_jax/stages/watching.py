"""What a training says of itself besides its metrics, and of losses that are none or too high."""

import math
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kc_jax import artifacts
from kc_jax.core.label_space import LabelSpace
from kc_jax.core.tiled_layout import TiledLayout
from kc_jax.data.sources import Source
from kc_jax.errors import one_line
from kc_jax.train.hooks import StepNotes

NAMED = 8  # Records that a warning names; a file lists all.


def further_values(
    space: LabelSpace, epoch_steps: float, schedule: Callable, layout: TiledLayout | None
) -> Callable:
    """Makes what a log line says besides metrics and speed.

    Args:
      space: label space of the network.
      epoch_steps: steps an epoch.
      schedule: learning rate by the number of steps done.
      layout: of the network's logits; None where each vertical has its kernel.

    Returns:
      Maps (step, state) to ``epoch``, ``learning_rate`` and, where logits are paced, ``pace``.
    """

    def extra(step_number: int, state) -> dict[str, Any]:
        values = {
            "epoch": round(step_number / epoch_steps, 3),
            "learning_rate": float(schedule(step_number)),
        }
        if "pace" in state.params:
            gamma = np.asarray(state.params["pace"]["gamma"])
            if gamma.ndim == 2:
                gamma = layout.in_class_order(gamma)
            values["pace"] = _pace_by_vertical(gamma, space)
        return values

    return extra


def _pace_by_vertical(gamma: np.ndarray, space: LabelSpace) -> list[float]:
    """Averages the scaling factors of each vertical and divides them by √N_v."""
    if len(gamma) != space.num_verticals:
        gamma = np.add.reduceat(gamma, space.starts[:-1]) / np.asarray(space.sizes)
    return [round(float(g) / math.sqrt(n), 5) for g, n in zip(gamma, space.sizes, strict=True)]


def loss_explainer(
    title: str, directory: pathlib.Path, source: Source, records_of: Callable
) -> Callable[[int, float], str]:
    """Makes what a person should know of a loss that is not a number.

    Args:
      title: of the network.
      directory: of the network, where the whole batch is listed.
      source: of the training records.
      records_of: maps a step to its record ids and views, i64[B] each.

    Returns:
      Maps (step, loss) to the message.
    """

    def explain(step: int, loss: float) -> str:
        record_ids, views = records_of(step)
        names = [source.key(record_id) for record_id in record_ids]
        path = directory / artifacts.NON_FINITE_LOSS
        artifacts.write_json(path, {
            "step": step, "loss": str(loss), "record_ids": record_ids.tolist(),
            "views": views.tolist(), "names": names,
        })
        return (
            f"{title}: the loss is {loss} at step {step}, of the training records {_some(names)} "
            f"(all {len(names)} in {path}); lower this "
            "network's optimizer.learning_rate, raise its optimizer.warmup or "
            "initial_accumulator, keep model.compute_dtype at float32, and look at those images"
        )

    return explain


def _some(names: Sequence[str]) -> str:
    return one_line(", ".join(names[:NAMED])) + (" …" if len(names) > NAMED else "")


def going_on(directory: pathlib.Path, last_step: Callable[[], int | None]) -> Callable[[], str]:
    """Makes what a person should know of a training that ended for its numbers.

    Args:
      directory: of the network.
      last_step: gives that of the newest checkpoint, None where there is none.

    Returns:
      Gives a sentence to follow the reason; only states of finite numbers are ever saved.
    """
    def sentence() -> str:
        step = last_step()
        where = "no checkpoint was saved yet, so the same command begins anew"
        if step is not None:
            where = (
                f"the last good checkpoint is that of step {step} in "
                f"{directory / artifacts.CHECKPOINTS}, from which the same command goes on"
            )
        return (
            f"; {where}: add --config.running.may_leave_out=10 to leave such steps out, or --redo "
            "this stage with other options"
        )

    return sentence


def spike_noter(
    title: str, directory: pathlib.Path, source: Source, records_of: Callable, notes: StepNotes
) -> Callable[[int, float, float], str]:
    """Makes what notes a loss far above those before it.

    Args:
      title: of the network.
      directory: of the network.
      source: of the training records.
      records_of: maps a step to its record ids and views, i64[B] each.
      notes: in `artifacts.LOSS_SPIKES`.

    Returns:
      Maps (step, loss, median of those before it) to what a person should know.
    """
    def note(step: int, loss: float, median: float) -> str:
        record_ids, views = records_of(step)
        names = [source.key(record_id) for record_id in record_ids]
        notes.add(
            step, loss=loss, median=median, record_ids=record_ids.tolist(), views=views.tolist()
        )
        return (
            f"{title}: the loss is {loss:.4g} at step {step}, {loss / median:.1f} times the median "
            f"of those before it, of the training records {_some(names)}; this and all later ones "
            f"are noted in {directory / artifacts.LOSS_SPIKES}; look at those images, and lower "
            "this network's optimizer.learning_rate or set its optimizer.clip_norm where there are "
            "many"
        )

    return note
