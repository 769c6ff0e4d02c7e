"""Images per second of kc_jax.predict from JPEG files, against the bare model at the same batch.

python -m benchmarks.predict
python -m benchmarks.predict --setting=small_conv --images=128 --rounds=1 --json   # a quick look

Costs four minutes of two cores, most of them Inception-V2's. Its bundles are of untrained networks
of 1,000 classes in 20 verticals, FC512-SC64, at 224 pixels; photographs are 500 × 375 pixels, and
glyphs for the small network 64 × 64. The bare model is the network's own jitted function on one
batch that lies on the device; `bundle` is the exported one on batches in the host's memory.
"""

import functools
import io
import math
import pathlib
import tempfile
from collections.abc import Callable, Iterator

import jax
import numpy as np
from absl import app, flags
from PIL import Image

from benchmarks import measure
from configs import common
from kc_jax import config
from kc_jax.bundle import Bundle
from kc_jax.bundle.stream import answer_files
from kc_jax.core import label_space
from kc_jax.data import sources
from kc_jax.stages import export, networks

_SETTING = flags.DEFINE_multi_enum(
    "setting", ["inception_v2", "small_conv"], ["inception_v2", "small_conv"], "Those to run."
)
_IMAGES = flags.DEFINE_integer("images", 512, "Files to name, for the large.", lower_bound=1)
_BATCH = flags.DEFINE_integer("batch", 64, "Images at once.", lower_bound=1)
_CLASSES = flags.DEFINE_integer("classes", 1000, "In 20 verticals.", lower_bound=20)
_THREADS = flags.DEFINE_integer("threads", 0, "That read files; 0 takes one a core.", lower_bound=0)
flags.set_default(measure.ROUNDS, 3)

SIZES = {"inception_v2": (375, 500, 3), "small_conv": (64, 64, 1)}
TIMES_AS_MANY = {"inception_v2": 1, "small_conv": 8}  # Files, for the faster network.


def built_config(setting: str) -> config.Config:
    """Gives the configuration of a network."""
    options = common.get_config("predict")
    options.student.head = "FC512-SC64"
    if setting == "inception_v2":
        common.photographs(options, num_classes=_CLASSES.value, num_verticals=20)
        common.inception(options, base="mixed_5c")
    return config.build(options)


def write_bundle(built: config.Config, directory: pathlib.Path) -> Callable:
    """Writes an untrained network's bundle; gives the bare function of images that it holds."""
    space = label_space.from_sizes([math.ceil(_CLASSES.value / 20)] * 20)
    model = networks.build_model(built.model, built.student, space, seed=0)
    variables = jax.tree.map(np.asarray, networks.init_variables(built, model, seed=0))
    preprocessing = export.preprocessing_of(built)
    export.write_bundle(directory, {
        "name": "untrained", "fingerprint": "none", "label_space": space.to_json(),
        "network": {"model": {}, "training": {"head": built.student.head}, "seed": 0, "params": 0,
                    "images_seen": 0, "auxiliary": []},
        "data": {"source": "none", "variant": "", "records": "none", "num_records": 0,
                 "num_unlabelled": 0, "judged_on": "no", "synthetic": True},
        "preprocessing": preprocessing, "training_images": [1] * space.num_classes,
        "metrics": {"vertical_ap": {}, "mean_vertical_ap": None, "top1": None, "top5": None},
        "calibration": None,
    }, model, variables)
    function = jax.jit(export.make_function(model, preprocessing))
    return functools.partial(function, jax.device_put(export.flatten(variables)))


def draw_files(folder: pathlib.Path, shape: tuple[int, ...], count: int) -> list[str]:
    """Draws smooth noise as JPEG files, 64 of them, and names them in turn."""
    rng, files = np.random.default_rng(0), []
    for index in range(min(64, count)):
        coarse = rng.integers(256, size=(24, 32, shape[-1]), dtype=np.uint8)
        image = Image.fromarray(coarse.squeeze(-1) if shape[-1] == 1 else coarse)
        file = io.BytesIO()
        image.resize(shape[1::-1], Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
        path = folder / f"{index}.jpg"
        path.write_bytes(file.getvalue())
        files.append(str(path))
    return [files[index % len(files)] for index in range(count)]


def speed(call: Callable, count: int) -> Callable[[], float]:
    """Makes the measure of a call that is done with so many images when it returns."""
    return lambda: count / measure.timed(call)[0]


def measures_of(setting: str, folder: pathlib.Path) -> dict[str, Callable[[], float]]:
    """Makes the measures of a network, all of the same number of images in the same batches."""
    built = built_config(setting)
    bare = write_bundle(built, folder / setting)
    bundle = Bundle.load(folder / setting)
    num_batches = math.ceil(_IMAGES.value * TIMES_AS_MANY[setting] / _BATCH.value)
    count = num_batches * _BATCH.value
    side = sources.stored_side(built.data)
    shape = (_BATCH.value, side, side, built.data.channels)
    batch = np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)
    on_device = jax.device_put(batch)
    (folder / f"{setting}_files").mkdir()
    files = draw_files(folder / f"{setting}_files", SIZES[setting], count)

    def run(classify, images):
        for _ in range(num_batches):
            np.asarray(classify(images))

    def predict():
        for _ in answer_files(bundle, files, batch_size=_BATCH.value, threads=_THREADS.value):
            pass

    return {
        "bare model": speed(lambda: run(bare, on_device), count),
        "bundle": speed(lambda: run(bundle.classify, batch), count),
        "predict": speed(predict, count),
    }


def compare() -> Iterator[dict]:
    """Measures both networks."""
    for setting in _SETTING.value:
        with tempfile.TemporaryDirectory() as folder:
            medians = measure.interleaved_medians(
                measures_of(setting, pathlib.Path(folder)), measure.ROUNDS.value
            )
        yield {
            "setting": setting, "batch": _BATCH.value, "classes": _CLASSES.value,
            "threads": _THREADS.value,
            **{f"{name}, images/s": round(value, 1) for name, value in medians.items()},
            "bundle to bare": round(medians["bundle"] / medians["bare model"], 3),
            "predict to bare": round(medians["predict"] / medians["bare model"], 3),
        }


def main(argv) -> None:
    del argv
    measure.report(__file__, compare())


if __name__ == "__main__":
    app.run(main)
