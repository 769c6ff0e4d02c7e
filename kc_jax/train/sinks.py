"""Where the lines of a training's log go: metrics.jsonl, the source of truth, and who else watches.

A sink is made from a `Network`, is called with a line, and is closed.
"""

import contextlib
import dataclasses
import functools
import json
import os
import pathlib
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from kc_jax import artifacts, hosts
from kc_jax.errors import UserError
from kc_jax.train.hooks import kept_lines

Line = Mapping[str, Any]

# Weights & Biases is never waited for longer than this, seconds.
START_SECONDS, LOGIN_SECONDS, FINISH_SECONDS = 30.0, 10.0, 30.0


class MissingExtraError(UserError, ImportError):
    """Says which extra a sink needs."""


@dataclasses.dataclass(frozen=True)
class Network:
    """Says whose lines are written.

    Attributes:
      title: for the person who watches.
      group: the run's name, which its networks share.
      directory: of the network.
      first_step: steps already done; what was written of later ones counts no more.
      verticals: names for values that come one a vertical.
      config: everything about the run, as JSON.
    """

    title: str
    group: str
    directory: pathlib.Path
    first_step: int
    verticals: Sequence[str]
    config: Mapping[str, Any]


class JsonLines:
    """Appends lines to metrics.jsonl, without those after the first step."""

    def __init__(self, network: Network):
        self._path = network.directory / artifacts.TRAINING_LOG
        kept_lines(self._path, network.first_step)
        if not self._path.exists():
            artifacts.write_text(self._path, "")

    def __call__(self, line: Line) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def close(self) -> None:
        pass


class TensorBoard:
    """Writes event files beside metrics.jsonl; a run that goes on hides what was lost."""

    def __init__(self, network: Network):
        # Imported here since it imports PyTorch where that is installed.
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto import event_pb2, summary_pb2

        self._event, self._summary = event_pb2.Event, summary_pb2.Summary
        self._verticals = network.verticals
        first = network.first_step + 1
        # Written at once: a thread of its own would die of a full disk and then block the training.
        self._writer = EventsWriter(str(network.directory / "events"), f".{first}")
        start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        self._writer.write_event(self._event(step=first, session_log=start))

    def __call__(self, line: Line) -> None:
        values = [
            self._summary.Value(tag=name, simple_value=value)
            for name, value in scalars(line, self._verticals).items()
        ]
        event = self._event(step=line["step"], summary=self._summary(value=values))
        event.wall_time = time.time()
        self._writer.write_event(event)
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


class WeightsAndBiases:
    """Logs to Weights & Biases: to files for `wandb sync`, or at once where WANDB_MODE=online."""

    def __init__(self, network: Network):
        try:
            import wandb
        except ImportError:
            raise MissingExtraError(
                "config.running.sinks has 'wandb', which is not installed; "
                "pip install 'kc_jax[wandb]', or leave it out"
            ) from None
        self._verticals = network.verticals
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "kc_jax"),
            group=network.group,
            name=network.title,
            id=_kept_id(network.directory / "wandb_id"),
            resume="allow",
            dir=network.directory,
            mode=os.environ.get("WANDB_MODE", "offline"),
            config=dict(network.config),
            settings=wandb.Settings(
                init_timeout=START_SECONDS, login_timeout=LOGIN_SECONDS,
                finish_timeout=FINISH_SECONDS, console="off", silent=True,
            ),
        )

    def __call__(self, line: Line) -> None:
        self._run.log(scalars(line, self._verticals), step=line["step"])

    def close(self) -> None:
        self._run.finish()


SINKS: dict[str, Callable[[Network], Any]] = {
    "tensorboard": TensorBoard,
    "wandb": WeightsAndBiases,
}


@contextlib.contextmanager
def open_sinks(names: Sequence[str], network: Network) -> Iterator[Callable[[Line], None]]:
    """Opens metrics.jsonl and further sinks; of several processes only the first has any.

    Args:
      names: of `SINKS`. One that fails is named once and gets no more lines; the training goes on.
      network: whose lines are written.

    Yields:
      A function that writes a line to all.

    Raises:
      MissingExtraError: a sink's package is not installed.
    """
    makers = [JsonLines, *(functools.partial(Harmless, name) for name in names)]
    makers = makers if hosts.is_first() else []
    with contextlib.ExitStack() as stack:
        sinks = [stack.enter_context(contextlib.closing(make(network))) for make in makers]

        def write(line: Line) -> None:
            for sink in sinks:
                sink(line)

        yield write


class Harmless:
    """Stands before a sink that must not end a training.

    Args:
      name: of the sink, in `SINKS`.
      network: whose lines are written.
    """

    def __init__(self, name: str, network: Network):
        self._name, self._title, self._works = name, network.title, True
        self._sink = self._attempt(SINKS[name], network)

    def __call__(self, line: Line) -> None:
        self._attempt(lambda: self._sink(line))

    def close(self) -> None:
        self._attempt(lambda: self._sink.close())

    def _attempt(self, call: Callable, *args):
        if not self._works:
            return None
        try:
            return call(*args)
        except UserError:
            raise
        except Exception as error:  # Whatever a service's client may raise.
            self._works = False
            print(
                f"WARNING: {self._title}: {self._name} failed and gets no more lines; "
                f"metrics.jsonl goes on, and so does the training: {error!r}",
                file=sys.stderr, flush=True,
            )
            return None


def scalars(line: Line, verticals: Sequence[str]) -> dict[str, float]:
    """Gives a line's numbers by name, those of a vertical as ``name/vertical``.

    Args:
      line: of the log; values that are None are left out.
      verticals: names for values that come in a list.
    """
    values = {}
    for name, value in line.items():
        if isinstance(value, list):
            values |= {f"{name}/{v}": x for v, x in zip(verticals, value, strict=True)}
        elif value is not None and name != "step":
            values[name] = value
    return values


def _kept_id(path: pathlib.Path) -> str:
    """Gives the id under which a network's lines go on, drawing one the first time."""
    if not path.exists():
        artifacts.write_text(path, secrets.token_hex(4))
    return path.read_text(encoding="utf-8")
