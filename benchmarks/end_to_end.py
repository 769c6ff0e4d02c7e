"""Images per second of teacher training, teacher inference and student training.

python -m benchmarks.end_to_end
python -m benchmarks.end_to_end --setting=default --steps=4 --rounds=1 --json   # a quick look

Costs minutes of all cores at the default preset, and more for 102,400 classes, whose student takes
seconds a step on two cores. Glyphs are prepared once, in the user's cache.

At the default preset, with its input, and with the paper's heads for 102,400 classes on synthetic
input: on the default backbone, and with --photographs on Inception-V2 at 224 pixels, for
accelerators. Compiling is left out; a teacher's inference ends with its top-K soft targets.
"""

import dataclasses
import functools
import itertools
import time
from collections.abc import Callable, Iterator

import jax
import numpy as np
from absl import app, flags

from benchmarks import measure
from configs import common, eft
from kc_jax import config, sharding
from kc_jax.core import soft_targets
from kc_jax.data import batches, sources
from kc_jax.stages import networks, tasks, training
from kc_jax.train import feed, layout, step
from kc_jax.train.loop import fit

_SETTING = flags.DEFINE_multi_enum(
    "setting", ["default", "many_classes"], ["default", "many_classes"], "Those to run."
)
_PRESET = flags.DEFINE_string("preset", "embedded", "Of configs/eft.py, for the default setting.")
_CLASSES = flags.DEFINE_integer("classes", 102_400, "Of the other setting.", lower_bound=20)
_PHOTOGRAPHS = flags.DEFINE_bool("photographs", False, "The other on Inception-V2 at 224 pixels.")
_STEPS = flags.DEFINE_integer("steps", None, "A round; by default 40, or 4.", lower_bound=1)
flags.set_default(measure.ROUNDS, 5)

VERTICAL = 0


def many_classes() -> config.Config:
    """Gives many classes with the paper's heads and batches, on synthetic input."""
    options = eft.get_config("paper" if _PHOTOGRAPHS.value else "embedded")
    if not _PHOTOGRAPHS.value:
        common.as_in_the_paper(options)
        options.data.update({"source": "declared", "num_verticals": 20})
        options.student.head, options.teachers.head = "FC4096-SC512", "FC4096-FC4096"
    options.data.update({
        "num_classes": _CLASSES.value, "synthetic": True, "num_records": 20_480,
    })
    return config.build(options)


def task_of(built: config.Config, name: str) -> tasks.Task:
    """Says what a teacher, or a student from scratch, is to learn from labels."""
    space = sources.load_label_space(built.data)
    source = sources.open_source(built.data, "train")
    vertical_id = VERTICAL if name == "teachers" else None
    options = dataclasses.replace(getattr(built, name), init_from="scratch", distill_weight=0.0)
    return tasks.Task(
        title=name,
        directory=None,
        training=options,
        space=space if vertical_id is None else space.restrict(vertical_id),
        record_ids=(np.arange(len(source)) if vertical_id is None
                    else source.records_of(space, vertical_id)),
        targets=tasks.hard_targets(source, space, options, vertical_id),
        seed=0,
        verticals=(),
    )


class Training:
    """Trains a network on, a few steps a call.

    Args:
      built: the configuration.
      name: ``teachers`` or ``student``.
      num_steps: steps a call.
    """

    def __init__(self, built: config.Config, name: str, num_steps: int):
        self._mesh, self._num_steps = sharding.make_mesh(), num_steps
        self._task = task_of(built, name)
        model, state, self._train_step = training.begin(built, self._task, None, self._mesh)
        self._state = layout.place(model, self._mesh, state)
        self._feed = feed.Feed(training.device_batches(built, self._task, self._mesh, 0))

    def __call__(self) -> float:
        start, first = time.monotonic(), int(self._state.step)
        self._state = fit(
            self._state, self._feed, self._train_step, learning_rate=lambda step: 0.001,
            num_steps=first + self._num_steps, hooks=[self._feed.pace],
        )
        jax.block_until_ready(self._state)
        return self._num_steps * self._task.training.batch_size / (time.monotonic() - start)


def inference(built: config.Config, num_batches: int) -> Callable[[], float]:
    """Makes the measure of a teacher's inference."""
    mesh, task, options = sharding.make_mesh(), task_of(built, "teachers"), built.soft_targets
    model, state, _ = training.begin(built, task, None, mesh)
    predict = step.make_predict_step(model, networks.split_views(built, "train"))
    source = sources.open_source(built.data, "train")
    put = functools.partial(sharding.put_batch, mesh)

    def host():
        while True:
            yield from batches.inference_batches(
                source, task.record_ids, batch_size=options.batch_size, num_views=options.num_views
            )

    on_devices = map(put, host())
    if built.data.synthetic:
        on_devices = itertools.repeat(next(on_devices))

    def run() -> float:
        start = time.monotonic()
        for batch in itertools.islice(on_devices, num_batches):
            logits = np.asarray(predict(state.variables, batch))
            soft_targets.top_k(logits, options.top_k)
        return num_batches * options.batch_size / (time.monotonic() - start)

    return run


def parts_of(built: config.Config, num_steps: int) -> dict[str, Callable[[], float]]:
    """Makes the measure of every part."""
    return {
        "teacher training": Training(built, "teachers", num_steps),
        "teacher inference": inference(built, max(1, num_steps // 4)),
        "student training": Training(built, "student", num_steps),
    }


def compare() -> Iterator[dict]:
    """Measures every part of the settings."""
    settings = {
        "default": ("default", lambda: config.build(eft.get_config(_PRESET.value)), 40),
        "many_classes": (f"{_CLASSES.value // 1024}K classes", many_classes, 4),
    }
    for name, build, num_steps in (settings[setting] for setting in _SETTING.value):
        built = build()
        speeds = measure.interleaved_medians(
            parts_of(built, _STEPS.value or num_steps), measure.ROUNDS.value
        )
        for part, speed in speeds.items():
            yield {
                "setting": name, "part": part, "images/s": round(speed, 1),
                "classes": sources.load_label_space(built.data).num_classes,
                "backbone": built.model.backbone, "image": built.data.image_size,
                "synthetic": built.data.synthetic,
            }


def main(argv) -> None:
    del argv
    measure.report(__file__, compare())


if __name__ == "__main__":
    app.run(main)
