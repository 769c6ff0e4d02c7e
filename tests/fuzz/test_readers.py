"""Whatever a person's tables, folders, label spaces and images hold, no reader breaks."""

import csv
import io
import json
import os
import pathlib
import tempfile

import hypothesis.strategies as st
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import example, given
from PIL import Image

from kc_jax.core import label_space
from kc_jax.data import class_groups, images, predictions, preparation
from kc_jax.errors import UserError
from tests.data.pictures import encoded, options
from tests.fuzz import drawn

NAMES = st.text(max_size=6) | st.sampled_from(["wren", "owl", "a/b", "0", "-1", "nan", "train", ""])
SCALARS = (
    NAMES | st.none() | st.booleans() | st.integers() | st.floats() | st.binary(max_size=6)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=4,
)
COLUMNS = ["path", "label", "vertical", "split", "sure", "id"]
KEYS = st.fixed_dictionaries({}, optional={
    "vertical_key": st.sampled_from(["vertical", "label", "no"]),
    "confidence_key": st.just("sure"), "id_key": st.just("id"),
    "test_split": st.sampled_from(["", "test", "held_out"]),
})


@pytest.fixture(scope="module")
def place():
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        (root / "a.png").write_bytes(encoded(0))
        yield root


def read_all(**changes):
    """Opens a collection as `prepare` does, and reads all of it, as `inspection` does."""
    try:
        collection = preparation._open(options(**changes))
        for position in range(collection.size):
            entry = collection.read(position)
            json.dumps([entry.key, entry.labels], ensure_ascii=False).encode()
            try:
                entry.load()
            except OSError:
                pass
    except UserError as error:
        assert str(error)


def as_json(value):
    return value.hex() if isinstance(value, bytes) else value


@drawn(60)
@given(st.data())
def test_lines_of_json(place, data):
    row = st.dictionaries(st.sampled_from(COLUMNS) | NAMES, VALUES)
    rows = data.draw(st.lists(row, max_size=4))
    text = "\n".join(json.dumps(row, default=as_json, ensure_ascii=True) for row in rows)
    path = place / "list.jsonl"
    path.write_text(text, encoding="utf-8")
    read_all(source="manifest", manifest=str(path), **data.draw(KEYS))


@drawn(60)
@given(st.binary(max_size=80) | st.text(alphabet='path,label;"\n\r\0é|/1', max_size=80).map(
    str.encode), st.sampled_from(["csv", "jsonl", "parquet"]), KEYS)
def test_tables_of_any_bytes(place, content, form, keys):
    path = place / f"any.{form}"
    path.write_bytes(content)
    read_all(source="manifest", manifest=str(path), **keys)


@drawn(60)
@given(st.lists(st.lists(st.text(max_size=8), max_size=7), max_size=4), KEYS)
def test_csv(place, rows, keys):
    file = io.StringIO()
    csv.writer(file).writerows([COLUMNS, *rows])
    path = place / "list.csv"
    path.write_text(file.getvalue(), encoding="utf-8", errors="replace", newline="")
    read_all(source="manifest", manifest=str(path), **keys)


@drawn(40)
@given(st.data())
def test_parquet(place, data):
    columns = {}
    for name in data.draw(st.lists(st.sampled_from(COLUMNS), unique=True)):
        values = data.draw(st.lists(VALUES, min_size=3, max_size=3))
        try:
            columns[name] = pyarrow.array(values)
        except (pyarrow.ArrowException, OverflowError, UnicodeEncodeError):
            columns[name] = pyarrow.array(["a.png", None, "b"])
    path = place / "list.parquet"
    try:
        pyarrow.parquet.write_table(pyarrow.table(columns), path)
    except pyarrow.ArrowException:
        return  # Of a type that Parquet has not.
    content = bytearray(path.read_bytes())
    for position in data.draw(st.lists(st.integers(4, len(content) - 9), max_size=3)):
        content[position] ^= 0xFF
    path.write_bytes(content)
    read_all(source="manifest", manifest=str(path), **data.draw(KEYS))


@drawn(30)
@given(st.lists(st.lists(st.binary(min_size=1, max_size=6).filter(
    lambda name: not set(name) & set(b"/\0") and name not in (b".", b"..")
), min_size=1, max_size=4), max_size=4))
def test_folders_of_any_names(paths):
    with tempfile.TemporaryDirectory() as name:
        root = os.fsencode(name)
        for parts in paths:
            *above, last = parts
            where = os.path.join(root, *above)
            try:
                os.makedirs(where, exist_ok=True)
                with open(os.path.join(where, last + b".png"), "wb") as file:
                    file.write(b"x")
            except (FileExistsError, NotADirectoryError, IsADirectoryError):
                pass
        read_all(source="folder", directory=name)


@drawn(60)
@given(st.lists(st.fixed_dictionaries({}, optional={
    name: SCALARS.filter(lambda value: not isinstance(value, bytes))
    for name in ("class_id", "name", "vertical", "path", "parent")
}), max_size=5), st.binary(max_size=40))
def test_label_spaces_and_clusters(place, rows, content):
    path = place / "classes.csv"
    header = ["class_id", "name", "vertical", "path", "parent", "cluster"]
    file = io.StringIO()
    csv.writer(file).writerows([header, *([row.get(name, "") for name in header] for row in rows)])
    for written in (file.getvalue().encode(errors="replace"), content):
        path.write_bytes(written)
        for read in (
            lambda: label_space.read_csv(path),
            lambda: class_groups.read(path, label_space.from_sizes([1, 1])),
        ):
            try:
                read()
            except UserError as error:
                assert str(path) in str(error)


SPACE = label_space.from_sizes([2, 2])


@drawn(40)
@given(st.lists(st.fixed_dictionaries({}, optional={
    name: VALUES for name in ("image", "class_id", "class_name", "probability", "view")
}), max_size=4), st.binary(max_size=40), st.sampled_from(["jsonl", "parquet"]))
def test_predictions(place, rows, content, form):
    path = place / f"p.{form}"
    lines = "\n".join(json.dumps(row, default=as_json) for row in rows).encode()
    for written in (lines, content):
        path.write_bytes(written)
        try:
            found = predictions.find(str(path), "probabilities")
            for batch, _ in predictions.read_rows(found, {"a": 0}, SPACE, 2):
                assert np.all((batch["class_id"] >= 0) & (batch["class_id"] < 4))
        except UserError as error:
            assert str(path) in str(error)


def pictures():
    rng = np.random.default_rng(0)
    for form, mode in (("PNG", "RGB"), ("JPEG", "RGB"), ("JPEG", "CMYK"), ("GIF", "P"),
                       ("WEBP", "RGBA"), ("TIFF", "LA"), ("BMP", "L"), ("PNG", "I;16")):
        file = io.BytesIO()
        pixels = rng.integers(256, size=(9, 11, 4), dtype=np.uint8)
        bands = len(Image.new(mode, (1, 1)).getbands()) * (1 + (mode == "I;16"))
        Image.frombytes(mode, (11, 9), pixels[..., :bands].tobytes()).save(file, form)
        yield file.getvalue()


@drawn(250)
@given(st.sampled_from(list(pictures())), st.data())
def test_damaged_images(image, data):
    """What `check` lets through, training can use; what it does not, it names."""
    content = bytearray(image)
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = bytes(content[: data.draw(st.integers(0, len(content)))] if data.draw(
        st.booleans()) else content)
    try:
        images.check(content, 10_000)
    except images.BadImageError as error:
        assert error.kind in (images.TOO_LARGE, images.UNDECODABLE) and error.detail
        return
    for channels in (1, 3):
        assert images.fit_square(content, 5, channels).shape == (5, 5, channels)


@drawn(40)
@given(st.binary(max_size=60))
@example(b"")
def test_images_of_any_bytes(content):
    with pytest.raises(images.BadImageError):
        images.check(content, 10_000)
