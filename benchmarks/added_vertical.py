"""Steps that a student saves which starts from the one before, when a vertical is added.

python -m benchmarks.added_vertical
python -m benchmarks.added_vertical --preset=smoke --verticals=3 --epochs=1 --json   # a quick look

Glyphs are written to a folder of images, the last vertical left out, and a student learns those.
Then the vertical comes, and two students learn all: one from scratch, one from the student before.
Counted are the steps after which the second's loss, in the mean over an epoch, is that with which
the first ends. Costs two minutes of one core.
"""

import pathlib
import tempfile
from collections.abc import Iterator

import numpy as np
from absl import app, flags

from benchmarks import measure
from configs import eft
from kc_jax import artifacts, config
from kc_jax.data import sources
from kc_jax.stages import gallery, runner
from kc_jax.train import hooks
from kc_jax.workdir import Workdir

_PRESET = flags.DEFINE_string("preset", "embedded", "Of configs/eft.py, whose glyphs are learnt.")
_VERTICALS = flags.DEFINE_integer("verticals", 6, "With the one that is added.", lower_bound=2)
_EPOCHS = flags.DEFINE_float("epochs", 12.0, "Of every training.", lower_bound=1)

PARTS = ("backbone", "trunk", "bottleneck", "logits")


def write_images(folder: pathlib.Path, verticals: range) -> None:
    """Writes the glyphs of verticals as images: root/<vertical>/<class>/<record>.png."""
    data = config.build(eft.get_config(_PRESET.value)).data
    space = sources.load_label_space(data)
    for split in ("train", "test"):
        source = sources.open_source(data, split)
        for record, (class_id,) in enumerate(source.labels):
            vertical = space.vertical_of_class[class_id]
            if vertical in verticals:
                path = folder / space.verticals[vertical] / f"{class_id:05d}"
                path.mkdir(parents=True, exist_ok=True)
                (path / f"{split}_{record}.png").write_bytes(
                    gallery.encode_png(source.read(record))
                )


def learn(images: pathlib.Path, workdir: Workdir, **training) -> list[float]:
    """Lets a student learn a folder of images from labels; gives the loss of every step."""
    options = eft.get_config("embedded")
    options.data.update({
        "source": "folder", "directory": str(images), "prepared": f"{images}_packed",
        "image_key": "path", "label_key": "label",
    })
    options.student.update({"num_epochs": _EPOCHS.value, "init_from": "scratch", **training})
    options.running.update({"log_every_steps": 1, "sinks": ()})
    runner.run_stages(config.build(options), workdir, ["train_student", "evaluate"])
    log = hooks.read_metrics(workdir.student("student") / artifacts.TRAINING_LOG)
    return [line["loss"] for line in log]


def top1(workdir: Workdir) -> float:
    """Gives the student's accuracy on test images, over all classes, %."""
    return round(100 * artifacts.read_json(workdir.results)["methods"]["student"]["top1"], 1)


def means(losses: list[float]) -> np.ndarray:
    """Gives the mean loss over the epoch that ends with each step, from the first whole one on."""
    epoch = max(1, round(len(losses) / _EPOCHS.value))
    return np.convolve(losses, np.full(epoch, 1 / epoch), "valid")


def compare() -> Iterator[dict]:
    """Trains the student before, and those from scratch and from that one."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_images(folder / "before", range(_VERTICALS.value - 1))
        write_images(folder / "after", range(_VERTICALS.value))
        before, scratch, started = (Workdir(folder / x) for x in ("old", "scratch", "started"))
        learn(folder / "before", before)
        from_scratch = learn(folder / "after", scratch)
        from_old = learn(
            folder / "after", started, init_from=str(before.student("student")), init_parts=PARTS
        )
        level = means(from_scratch)[-1]
        reached = np.flatnonzero(means(from_old) <= level)
        epoch = len(from_old) - len(means(from_old)) + 1
        yield {
            "verticals before": _VERTICALS.value - 1,
            "steps from scratch": len(from_scratch),
            "its last loss": round(float(level), 3),
            "steps from the student before": int(reached[0]) + epoch if len(reached) else None,
            "test top-1 from scratch, %": top1(scratch),
            "test top-1 from the student before, %": top1(started),
        }


def main(argv) -> None:
    del argv
    measure.report(__file__, compare())


if __name__ == "__main__":
    app.run(main)
