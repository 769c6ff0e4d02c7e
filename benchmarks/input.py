"""Images per second of the input pipeline alone: reading, decoding and assembling batches.

PYTHONPATH=. python benchmarks/input.py
"""

import functools
import io
import pathlib
import tempfile
import time

import numpy as np
import recording
import tensorflow_datasets as tfds
from PIL import Image

from configs import common, eft
from kc_jax import config
from kc_jax.data import batches, sources
from kc_jax.data.targets import label_targets
from kc_jax.train import feed

THREADS = (1, 2, 3, 4)
NUM_PHOTOS, PHOTO_SIDE = 512, 256
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
        return {split: self._generate_examples() for split in ("train", "test")}

    def _generate_examples(self):
        rng = np.random.default_rng(0)
        for index in range(NUM_PHOTOS):
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
        "source": "tfds_folder", "directory": str(builder.data_dir),
        "label_space": str(label_space), "label_key": "label",
    })
    return config.build(options).data


def pipeline(source: sources.Source, batch_size: int, threads: int) -> float:
    """Measures the batches of training."""
    stream = batches.train_batches(
        source, np.arange(len(source)), label_targets(source.labels), batch_size=batch_size, seed=0,
        read_threads=threads,
    )
    return feed.images_per_second(stream, seconds=2.0)


def loop(source: sources.Source, batch_size: int) -> float:
    """Measures reading in a plain loop, which makes no batches: the peer."""
    rng, start, images = np.random.default_rng(0), time.monotonic(), 0
    while time.monotonic() - start < 2.0:
        for record in rng.integers(len(source), size=batch_size):
            source.read(record)
        images += batch_size
    return images / (time.monotonic() - start)


def main() -> None:
    """Measures glyphs and photographs with 1 to 4 threads."""
    options = recording.parser(__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        glyphs = config.build(eft.get_config("embedded")).data
        rows = []
        for name, data, batch_size in (
            ("glyphs", glyphs, 32),
            ("photographs", photographs(pathlib.Path(folder)), 64),
        ):
            source = sources.open_source(data, "train")
            measures = {"plain loop": functools.partial(loop, source, batch_size)} | {
                f"threads: {threads}": functools.partial(pipeline, source, batch_size, threads)
                for threads in THREADS
            }
            medians = recording.interleaved_medians(measures, options.rounds)
            rows += [
                {"input": name, "read by": way, "images/s": round(speed),
                 "to plain loop": round(speed / medians["plain loop"], 3)}
                for way, speed in medians.items()
            ]
    recording.report(__file__, rows, options.json)


if __name__ == "__main__":
    main()
