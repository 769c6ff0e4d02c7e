"""Tiny image files, and options that read them."""

import dataclasses
import io
import pathlib

import numpy as np
from PIL import Image

from configs import folder
from kc_jax import config


def encoded(seed: int, side: int = 12, form: str = "PNG") -> bytes:
    """Draws noise of a seed's own, as a file."""
    pixels = np.random.default_rng(seed).integers(256, size=(side, side, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form)
    return file.getvalue()


def write(root: pathlib.Path, files: dict[str, bytes]) -> pathlib.Path:
    """Writes files, by their paths below a folder."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def tree(num_images: int = 6, first_seed: int = 0) -> dict[str, bytes]:
    """Makes four classes in two verticals, one of them above another."""
    classes = ("animal/bird", "animal/bird/wren", "car/sedan", "car/truck")
    names = [f"{c}/{i:02d}.png" for c in classes for i in range(num_images)]
    return {name: encoded(first_seed + seed) for seed, name in enumerate(names)}


def options(**changes) -> config.Data:
    """Gives the options of the folder preset, with changes."""
    data = config.build(folder.get_config("small")).data
    return dataclasses.replace(data, image_size=8, **changes)
