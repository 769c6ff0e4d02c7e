"""Images per second of the input pipeline alone: reading, decoding and assembling batches.

python -m benchmarks.input
python -m benchmarks.input --rounds=1 --seconds=0.1 --json   # a quick look

Costs two minutes of all cores: ten measures of two seconds each, six times. Glyphs are prepared
once, in the user's cache; photographs for each run, in the temporary folder.
"""

import functools
import io
import pathlib
import tempfile
import time
from collections.abc import Iterator

import numpy as np
import tensorflow_datasets as tfds
from absl import app, flags
from PIL import Image

from benchmarks import measure
from configs import common, eft
from kc_jax import config
from kc_jax.data import batches, sources
from kc_jax.data.targets import label_targets
from kc_jax.train import feed

_PRESET = flags.DEFINE_string("preset", "embedded", "Of configs/eft.py, whose glyphs are read.")
_PHOTOS = flags.DEFINE_integer("photos", 512, "Photographs to draw.", lower_bound=1)
_SECONDS = flags.DEFINE_float("seconds", 2.0, "Of each measure.", lower_bound=0)
flags.set_default(measure.ROUNDS, 5)

THREADS = (1, 2, 3, 4)
PHOTO_SIDE = 256
CLASSES = "class_id,name,vertical,path\n0,a,one,a\n1,b,two,b\n"


class Photos(tfds.core.GeneratorBasedBuilder):
    """Draws smooth noise as JPEG files."""

    VERSION = tfds.core.Version("1.0.0")
    code_path = None

    def _info(self):
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict({
            "image": tfds.features.Image(shape=(None, None, 3)), "label": np.int64,
        }))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(0), "test": self._generate_examples(1)}

    def _generate_examples(self, seed):
        rng = np.random.default_rng(seed)
        for index in range(_PHOTOS.value):
            coarse = Image.fromarray(rng.integers(256, size=(32, 32, 3), dtype=np.uint8))
            file = io.BytesIO()
            coarse.resize((PHOTO_SIDE, PHOTO_SIDE), Image.Resampling.BICUBIC).save(file, "JPEG")
            file.seek(0)
            yield str(index), {"image": file, "label": index % 2}


def photographs(folder: pathlib.Path) -> config.Data:
    """Prepares photographs in a folder and gives the options that read them at 224 pixels."""
    tfds.disable_progress_bar()
    builder = Photos(data_dir=folder, file_format="array_record")
    builder.download_and_prepare()
    label_space = folder / "classes.csv"
    label_space.write_text(CLASSES, encoding="utf-8")
    options = common.get_config("photographs")
    common.photographs(options, num_classes=2, num_verticals=2)
    options.data.update({
        "source": "tfds", "directory": str(builder.data_dir), "prepared": str(folder / "packed"),
        "label_space": str(label_space), "label_key": "label",
    })
    return config.build(options).data


def pipeline(source: sources.Source, batch_size: int, threads: int) -> float:
    """Measures the batches of training."""
    stream = batches.train_batches(
        source, np.arange(len(source)), label_targets(source.labels), batch_size=batch_size, seed=0,
        read_threads=threads,
    )
    return feed.images_per_second(stream, seconds=_SECONDS.value)


def loop(source: sources.Source, batch_size: int) -> float:
    """Measures reading in a plain loop, which makes no batches: the peer."""
    rng, start, images = np.random.default_rng(0), time.monotonic(), 0
    while time.monotonic() - start < _SECONDS.value:
        for record in rng.integers(len(source), size=batch_size):
            source.read(record)
        images += batch_size
    return images / (time.monotonic() - start)


def compare() -> Iterator[dict]:
    """Measures glyphs and photographs, in a plain loop and with 1 to 4 threads."""
    with tempfile.TemporaryDirectory() as folder:
        for name, data, batch_size in (
            ("glyphs", config.build(eft.get_config(_PRESET.value)).data, 32),
            ("photographs", photographs(pathlib.Path(folder)), 64),
        ):
            source = sources.open_source(data, "train")
            measures = {"plain loop": functools.partial(loop, source, batch_size)} | {
                f"threads: {threads}": functools.partial(pipeline, source, batch_size, threads)
                for threads in THREADS
            }
            medians = measure.interleaved_medians(measures, measure.ROUNDS.value)
            for way, speed in medians.items():
                yield {
                    "input": name, "read by": way, "images/s": round(speed),
                    "to plain loop": round(speed / medians["plain loop"], 3),
                }


def main(argv) -> None:
    del argv
    measure.report(__file__, compare())


if __name__ == "__main__":
    app.run(main)
