"""Predictions made elsewhere, and ONNX files, that do not fit."""

import json

import numpy as np
import pyarrow
import pyarrow.parquet

from tests.faults.case import SKIPPED, Case

AREA = "predictions, ONNX teachers"
# 6 classes in 2 verticals, of which 8 records of noise are images.
DATA = (
    "--config=configs/folder.py:small --workdir={root}/run --config.data.source=declared "
    "--config.data.synthetic=true --config.data.num_classes=6 --config.data.num_verticals=2 "
    "--config.data.num_records=8 --config.data.image_size=8 --config.soft_targets.batch_size=4 "
)
IMPORT = f"kc_jax.import_soft_targets {DATA} --predictions={{root}}/p"
ONNX = (
    f"kc_jax.main {DATA} --stages=write_soft_targets --config.soft_targets.onnx_teachers={{root}}"
)
# Of each record the three classes of its own vertical.
ROWS = [{"image": str(r), "class_id": 3 * (r // 4) + c, "probability": 0.5}
        for r in range(8) for c in range(3)]
DECLARED = {
    "input_layout": "NHWC", "image_size": 8, "scale": 1.0, "mean": [0.5], "std": [0.5],
    "output": "logits",
}


def as_lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def case(name, content, *words, form="jsonl", options="", **more):
    """Makes a case of a file of predictions: its bytes, its rows, or its columns as Parquet."""
    def make(root):
        path = root / f"p.{form}"
        if isinstance(content, dict | pyarrow.Table):
            table = pyarrow.table(content) if isinstance(content, dict) else content
            pyarrow.parquet.write_table(table, path)
        else:
            path.write_bytes(content if isinstance(content, bytes) else as_lines(content))

    return Case(AREA, name, f"{IMPORT}.{form} {options}", words, make, **more)


def first(**changes):
    return [{**ROWS[0], **changes}, *ROWS[1:]]


def columns(**changes):
    return {key: [row[key] for row in ROWS] for key in ROWS[0]} | changes


def parquet(name, content, *words, **more):
    return case(name, content, *words, form="parquet", **more)


def spoilt():
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.table(columns()), sink)
    content = bytearray(sink.getvalue().to_pybytes())
    content[4:40] = bytes(36)
    return bytes(content)


def onnx(name, *words, declared=DECLARED, shape=(8, 8, 3), classes=3, weight=0.0, spoil=None):
    def make(root):
        from tests.models import onnx_models

        for vertical in ("vertical_00", "vertical_01"):
            weights = np.full((int(np.prod(shape)), classes), weight, np.float32)
            path = onnx_models.write(root / f"{vertical}.onnx", weights, shape)
            beside = declared if isinstance(declared, bytes) else json.dumps(declared).encode()
            path.with_suffix(".json").write_bytes(beside)
        if spoil:
            spoil(root)

    return Case(AREA, name, ONNX, words, make)


def declared(name, *words, **changes):
    return onnx(name, "vertical_00.json", *words, declared={**DECLARED, **changes})


CASES = [
    Case(AREA, "no predictions named", f"{IMPORT} --predictions=",
         ("config.soft_targets.predictions is ''", ".parquet or .jsonl")),
    Case(AREA, "no such predictions", f"{IMPORT}.jsonl",
         ("p.jsonl', where there are no predictions", ".parquet or .jsonl")),
    case("predictions as CSV", b"image,class_id,probability\n", "p.csv", ".parquet or .jsonl",
         form="csv"),
    case("no bytes", b"", "p.jsonl cannot be read", "Expected Parquet or JSONL"),
    case("no JSON", b"image: 1\n", "p.jsonl cannot be read", "Expected Parquet or JSONL"),
    case("text that is no UTF-8", as_lines(ROWS).replace(b'"image": "7"', b'"image": "\xff"'),
         "p.jsonl", "UTF"),
    parquet("no Parquet", b"PAR1", "p.parquet cannot be read", "Expected Parquet or JSONL"),
    parquet("damaged pages", spoilt(), "p.parquet cannot be read", "Expected Parquet or JSONL"),
    case("no column of classes", [{"image": "0", "probability": 1.0}], "p.jsonl has no column",
         "'class_id'", "class_name"),
    case("logits for probabilities", ROWS, "p.jsonl has no column 'logit'", "prediction_kind",
         options="--kind=logits"),
    parquet("column of images twice", pyarrow.Table.from_arrays(
        [pyarrow.array(c) for c in (*columns().values(), columns()["image"])],
        [*columns(), "image"]), "p.parquet cannot be read", "duplicate field"),
    case("class beyond", first(class_id=6), "image '0' the class_id 6", "0 to 5"),
    case("negative class", first(class_id=-1), "image '0' the class_id -1", "0 to 5"),
    case("class that is a fraction", first(class_id=0.5), "p.jsonl cannot be read", "class_id"),
    case("class by a name it has not", [{"image": "0", "class_name": "owl", "probability": 1.0}],
         "p.jsonl names the class 'owl'", "those of the label space"),
    case("probability above 1", first(probability=1.5), "image '0' the probability 1.5", "0 to 1"),
    parquet("probability that is no number", columns(probability=[float("nan"), *[0.5] * 23]),
            "p.parquet", "the probability nan", "0 to 1"),
    case("probability that is text", first(probability="high"), "p.jsonl cannot be read",
         "probability"),
    case("probability that is nothing", first(probability=None), "rows without 'probability'",
         "give each row a value"),
    case("the same pair twice", [*ROWS, ROWS[0]], "image '0'", "twice", "keep one row"),
    case("images that are others", [{**row, "image": f"{row['image']}.jpg"} for row in ROWS],
         "8 images have no predictions", "'0.jpg' is none of them"),
    case("images that have none", ROWS[3:], "1 images have no predictions", "missing=labels"),
    case("an image that is none, besides", [*ROWS, {**ROWS[0], "image": "x"}],
         "1 rows are of images that are no training records", "'x'", kind=SKIPPED),
    case("a class of another vertical, besides", [*ROWS, {**ROWS[0], "class_id": 5}],
         "1 rows are of classes outside their image's verticals", kind=SKIPPED),
    case("view beyond", [{**row, "view": 99} for row in ROWS], "the view 99",
         "config.soft_targets.num_views"),
    Case(AREA, "no folder of ONNX files", f"{ONNX}/no",
         ("vertical_00.onnx is missing", "every vertical needs")),
    onnx("one vertical without a file", "vertical_01.onnx is missing", "every vertical needs",
         spoil=lambda root: (root / "vertical_01.onnx").unlink()),
    onnx("no file beside it", "vertical_00.json is missing", "with the keys",
         spoil=lambda root: (root / "vertical_00.json").unlink()),
    onnx("file that is no ONNX", "vertical_00.onnx is no network", "onnxruntime",
         spoil=lambda root: (root / "vertical_00.onnx").write_bytes(b"onnx")),
    onnx("file of no bytes", "vertical_00.onnx is no network", "onnxruntime",
         spoil=lambda root: (root / "vertical_00.onnx").write_bytes(b"")),
    onnx("declaration that is no JSON", "vertical_00.json is no JSON object", "with the keys",
         declared=b"{"),
    onnx("declaration that is a list", "vertical_00.json is no JSON object", "with the keys",
         declared=b"[1]"),
    onnx("declaration that is no UTF-8", "vertical_00.json is no JSON object", "with the keys",
         declared=b'"\xff"'),
    declared("unknown layout", "input_layout is 'HWCN'", "NCHW, NHWC", input_layout="HWCN"),
    declared("deviation of 0", "std[0] is 0.0", "other than 0", std=[0.0]),
    declared("mean that is no number", "mean[0] is nan", "finite", mean=[float("nan")]),
    declared("means of another number of channels", "'mean' [0.5, 0.5]", "3 channels",
             mean=[0.5, 0.5]),
    declared("an unknown key", "scael is unknown", "mean 'scale'", scael=1.0),
    declared("other classes", "other 'classes'", "'owl'", classes=["owl", "wren", "crow"]),
    declared("images of another size", "vertical_00.onnx takes images", "'image_size'",
             image_size=9),
    onnx("other number of classes", "vertical_00.onnx has 4 outputs", "expected 3", classes=4),
    onnx("values that are no probabilities", "vertical_00.onnx gives values that are no",
         "set 'output'", declared={**DECLARED, "output": "probabilities"}, weight=1.0),
]
