"""A tiny multi-label dataset of colour images, prepared by TFDS as a user would."""

import io

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

CSV = """class_id,name,vertical,path
0,bird,animal,bird
1,wren,animal,bird/wren
2,owl,animal,bird/owl
3,sedan,car,sedan
4,truck,car,truck
"""
LABELS = ([1], [2], [3], [4], [1, 3], [2, 4])
COPIES = {"train": 6, "test": 2}


PERIODS = (2, 5, 12)  # Of the stripes, pixels: crops do not make one look like another.


def level(kind: int) -> int:
    """Gives the mean brightness of a kind of image."""
    return 40 + 35 * kind


def stripes(kind: int, height: int, width: int) -> np.ndarray:
    """Draws stripes, lying or standing, of the kind's period and brightness: u8[H, W, 3]."""
    rows, columns = np.mgrid[:height, :width]
    along = rows if kind % 2 else columns
    bright = (along // PERIODS[kind // 2]) % 2
    grey = level(kind) + 60 * bright - 30
    return np.repeat(grey[..., None], 3, axis=-1).astype(np.uint8)


class Tiny(tfds.core.GeneratorBasedBuilder):
    """Draws each label set as stripes of its own, at odd sizes."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict({
            "image": tfds.features.Image(shape=(None, None, 3)),
            "class_ids": tfds.features.Sequence(np.int64),
            "caption": tfds.features.Text(),
        }))

    code_path = None  # As a class written in a notebook has none.

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples(split) for split in COPIES}

    def _generate_examples(self, split):
        for copy in range(COPIES[split]):
            for kind, class_ids in enumerate(LABELS):
                file = io.BytesIO()
                height = 40 + copy + (10 if split == "test" else 0)  # No image is in both.
                Image.fromarray(stripes(kind, height, width=52)).save(file, "PNG")
                file.seek(0)
                yield f"{copy}-{kind}", {
                    "image": file, "class_ids": class_ids, "caption": f"copy {copy}",
                }


def prepare(directory):
    """Prepares the dataset.

    Args:
      directory: to prepare it in.

    Returns:
      The folder of the dataset and the path of its label space.
    """
    builder = Tiny(data_dir=directory, file_format="array_record")
    builder.download_and_prepare()
    label_space = directory / "classes.csv"
    label_space.write_text(CSV, encoding="utf-8")
    return builder.data_dir, label_space
