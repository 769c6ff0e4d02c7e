"""Tables of images that cannot be, or only in part."""

import json

import pyarrow
import pyarrow.parquet

from tests.data.pictures import encoded, write
from tests.faults.case import ACCEPTED, SKIPPED, Case

AREA = "tables of images"
COMMAND = (
    "kc_jax.prepare --config=configs/folder.py:small --config.data.source=manifest "
    "--config.data.manifest={root}/list.%s --config.data.prepared={root}/packed "
    "--config.data.vertical_key=vertical %s"
)
ROWS = [
    {"path": f"{name}{i}.png", "label": name, "vertical": vertical}
    for name, vertical in (("wren", "bird"), ("owl", "bird"), ("sedan", "car")) for i in range(3)
]
LINES = [",".join(row.values()) for row in ROWS]
HEAD = "path,label,vertical"
ALL = ("9 images of 3 classes in 2 verticals", "Left out: nothing")
OUT = "Left out: 1 of 10 images"
NEEDED = "expected a .csv"


def images(root):
    write(root, {row["path"]: encoded(seed) for seed, row in enumerate(ROWS)})


def text(*more, head=HEAD, lines=LINES):
    return "".join(f"{line}\n" for line in (head, *lines, *more))


def case(name, content, *words, form="csv", options="", files=None, **more):
    """Makes a case of a table's text or bytes, or of a function that writes it."""
    def make(root):
        images(root)
        write(root, files or {})
        path = root / f"list.{form}"
        if callable(content):
            content(path)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())

    return Case(AREA, name, COMMAND % (form, options), words, make, **more)


def out(name, row, *words, **more):
    """Makes a case of one more row, whose image is left out and named."""
    return case(name, text(row), OUT, *words, kind=SKIPPED, **more)


def lines(name, row, *words, **more):
    """Makes a case of one more line of JSON."""
    rows = [*map(json.dumps, ROWS), row if isinstance(row, str) else json.dumps(row)]
    return case(name, "".join(f"{row}\n" for row in rows), *words, form="jsonl", **more)


def another(**changes):
    return {**ROWS[0], "path": "none.png", **changes}


def parquet(name, change, *words, **more):
    """Makes a case of a Parquet file's columns."""
    def make(path):
        columns = {key: [row[key] for row in ROWS] for key in ROWS[0]}
        found = change(columns)
        table = found if isinstance(found, pyarrow.Table) else pyarrow.table(found)
        pyarrow.parquet.write_table(table, path)

    return case(name, make, *words, form="parquet", **more)


def with_bytes(columns, position=None, image=None):
    images = [encoded(seed) for seed in range(len(ROWS))]
    if position is not None:
        images[position] = image
    return {**columns, "path": pyarrow.array(images, pyarrow.binary())}


def twice(columns):
    arrays = [pyarrow.array(column) for column in columns.values()]
    return pyarrow.Table.from_arrays([*arrays, arrays[0]], [*columns, "path"])


def at_root(path):
    """Writes a table of whole paths."""
    lines = [f"{path.parent}/{line}" for line in LINES]
    path.write_text(text("/dev/zero,wren,bird", lines=lines), encoding="utf-8")


def damaged(path):
    """Writes a Parquet file some of whose bytes are others."""
    table = pyarrow.table(with_bytes({key: [row[key] for row in ROWS] for key in ROWS[0]}))
    pyarrow.parquet.write_table(table, path, compression="zstd")
    content = bytearray(path.read_bytes())
    content[4:60] = bytes(56)  # The first page begins there.
    path.write_bytes(content)


CASES = [
    Case(AREA, "no table", COMMAND % ("csv", "--config.data.manifest="),
         ("config.data.manifest is empty", NEEDED)),
    Case(AREA, "no such table", COMMAND % ("csv", ""), ("list.csv', which is not a file", NEEDED)),
    case("table of another kind", "x", "list.xlsx", NEEDED, form="xlsx"),
    Case(AREA, "folder as the table", COMMAND % ("csv", ""), ("list.csv', which is not a", NEEDED),
         lambda root: (root / "list.csv").mkdir()),
    case("empty table", "", "list.csv", "no column 'path'", "config.data.image_key"),
    case("header alone", text(lines=()), "list.csv", "no images"),
    case("lines of blanks", " \n\n \n", "list.csv", "no column 'path'"),
    case("column missing", text(head="file,label,vertical"), "list.csv", "no column 'path'",
         "config.data.image_key", "file, label, vertical"),
    case("column of confidences missing", text(), "list.csv", "no column 'sure'",
         "config.data.confidence_key", options="--config.data.confidence_key=sure"),
    case("column twice", text(head="path,label,label"), "list.csv", "two columns 'label'"),
    case("semicolons", text().replace(",", ";"), "list.csv", "no column 'path'", "commas"),
    case("tabs", text().replace(",", "\t"), "list.csv", "no column 'path'", "commas"),
    case("row with a cell too many", text("none.png,wren, brown,bird"), "list.csv", "row 10",
         "4 cells", "3 columns"),
    out("row with a cell too few", "none.png", "1 unreadable, such as none.png (No such file"),
    out("row of a path alone whose image is there", "more.png", "1 no label, such as more.png",
        files={"more.png": encoded(99)}),
    case("quote without an end", text('none.png,"wren,bird'), "list.csv is not well formed",
         NEEDED),
    case("a huge cell", text(f"none.png,{'w' * 200_000},bird"), "list.csv is not well formed",
         "field"),
    case("a byte of 0", text("no\0ne.png,wren,bird"), "list.csv is not well formed", "row 10"),
    case("UTF-16", text().encode("utf-16"), "list.csv is not well formed", "UTF-8"),
    case("Latin 1", text("none.png,rödhake,bird").encode("latin-1"), "list.csv is not well formed",
         "UTF-8"),
    case("byte-order mark", "\ufeff" + text(), *ALL, kind=ACCEPTED),
    case("ends of lines of Windows", text().replace("\n", "\r\n"), *ALL, kind=ACCEPTED),
    case("names of many alphabets", text("鳥/よだか 🐦.png,よだか 🐦,bird", "b.png,よだか 🐦,bird",
         "c.png,よだか 🐦,bird"), "12 images of 4 classes", kind=ACCEPTED,
         files={"鳥/よだか 🐦.png": encoded(97), "b.png": encoded(98), "c.png": encoded(99)}),
    out("image that is not there", "none.png,wren,bird",
        "1 unreadable, such as none.png (No such file"),
    out("no image", ",wren,bird", "1 unreadable", "no image"),
    out("folder as an image", ".,wren,bird", "1 unreadable, such as . ("),
    case("device as an image", at_root, OUT, "1 unreadable, such as /dev/zero",
         "not an ordinary file", options="--config.data.directory=/", kind=SKIPPED),
    out("path out of the folder", "../secret.png,wren,bird", "1 unreadable, such as ../secret.png",
        "lies outside", "set config.data.directory", files={"../secret.png": encoded(99)}),
    out("path out by a detour", "a/../../secret.png,wren,bird", "lies outside",
        "set config.data.directory"),
    out("whole path elsewhere", "/etc/hostname,wren,bird", "lies outside",
        "set config.data.directory"),
    out("path longer than any may be", f"{'n' * 5000}.png,wren,bird", "1 unreadable",
        "name too long"),
    out("image that is none", "notes.png,wren,bird", "1 undecodable, such as notes.png",
        "not an image", files={"notes.png": b"notes"}),
    out("the same image twice", "wren0.png,wren,bird", "1 duplicate"),
    case("the same name for another image", text(
        "w.png,owl,bird,x0", head=f"{HEAD},id", lines=[f"{x},x{i}" for i, x in enumerate(LINES)]),
        OUT, "1 repeated key, such as x0", options="--config.data.id_key=id", kind=SKIPPED,
        files={"w.png": encoded(99)}),
    case("name that is nothing", text(head=f"{HEAD},id", lines=[f"{line}," for line in LINES]),
         "row 1", "list.csv", "config.data.id_key", options="--config.data.id_key=id"),
    out("label of no class", "none.png,,bird", "1 unreadable"),
    case("class in two verticals", text("a.png,wren,car"), "'wren' is in two verticals",
         "config.data.vertical_key", files={"a.png": encoded(99)}),
    case("class in no vertical", text("a.png,crow,"), "'crow', are in no vertical",
         "config.data.vertical_key", files={"a.png": encoded(99)}),
    case("two labels, three verticals", text("a.png,wren|owl,bird|bird|car"), "row 10", "2 labels",
         "3 values", "config.data.vertical_key"),
    case("confidence that is text", text(head=f"{HEAD},sure", lines=[f"{x},high" for x in LINES]),
         "list.csv is not well formed", "high", options="--config.data.confidence_key=sure"),
    case("confidence that is no number", text(head=f"{HEAD},sure", lines=[
         *(f"{x},1" for x in LINES[1:]), f"{LINES[0]},nan"]), "row 9", "confidence nan",
         "config.data.confidence_key", options="--config.data.confidence_key=sure"),
    case("split that is not there", text(head=f"{HEAD},split", lines=[f"{x},a" for x in LINES]),
         "config.data.train_split", "'train'", "there are a"),
    lines("a line that is no JSON", "{", "list.jsonl is not well formed", "line 10"),
    lines("a line that is a list", "[1]", "list.jsonl is not well formed", "line 10",
          "not an object"),
    lines("JSON in JSON a million deep", "[" * 1_000_000, "list.jsonl is not well formed",
          "line 10"),
    lines("a number of 5,000 figures", '{"label": ' + "9" * 5000 + "}",
          "list.jsonl is not well formed", "line 10"),
    lines("half of a character", '{"path": "none.png", "label": "\\ud800", "vertical": "bird"}',
          "list.jsonl is not well formed", "line 10"),
    lines("label that is an object", another(label={"name": "wren"}), "row 10", "list.jsonl",
          "{'name': 'wren'}", "text or a whole number", "config.data.label_key"),
    lines("label that is a fraction", another(label=1.5), "row 10", "1.5",
          "text or a whole number"),
    lines("label that is yes or no", another(label=True), "row 10", "True",
          "text or a whole number"),
    lines("vertical that is a list in a list", another(vertical=[["bird"]]), "row 10", "['bird']",
          "config.data.vertical_key"),
    lines("confidence that is text in JSON", {**another(), "sure": "high"}, "row 10", "'high'",
          "config.data.confidence_key", options="--config.data.confidence_key=sure"),
    lines("split that is a list", {**another(), "split": ["train"]}, "row 10", "split", "['train']",
          "text"),
    lines("split that is a number", {**another(), "split": 1}, "row 10", "split", "1", "text"),
    lines("image that is a number", another(path=5), OUT, "1 unreadable", "5 is no path",
          kind=SKIPPED),
    lines("image that is nothing", another(path=None), OUT, "1 unreadable", "no image",
          kind=SKIPPED),
    lines("path with a byte of 0", another(path="a\0b.png"), OUT, "1 unreadable", kind=SKIPPED),
    lines("name with an end of line", another(path="a\nb.png"), OUT,
          "1 unreadable, such as a\\nb.png (No such file", kind=SKIPPED),
    lines("other columns in a line", {"file": "x"}, OUT, "1 unreadable", kind=SKIPPED),
    case("Parquet that is none", b"PAR1 and no more", "list.parquet is not well formed",
         NEEDED, form="parquet"),
    case("empty Parquet", b"", "list.parquet is not well formed", NEEDED, form="parquet"),
    case("damaged Parquet", damaged, "list.parquet is not well formed", NEEDED,
         form="parquet"),
    parquet("column twice in Parquet", twice, "list.parquet", "two columns 'path'"),
    parquet("Parquet without rows", lambda c: {k: pyarrow.array([], pyarrow.string()) for k in c},
            "list.parquet", "no images"),
    parquet("labels that are dates in Parquet", lambda c: {**c, "label": pyarrow.array(
        range(9), pyarrow.date32())}, "row 1", "text or a whole number", "config.data.label_key"),
    parquet("image in Parquet that is none", lambda c: with_bytes(c, 8, b"notes"),
            "Left out: 1 of 9 images", "1 undecodable, such as 00000008", kind=SKIPPED),
    parquet("image missing in Parquet", lambda c: with_bytes(c, 8, None),
            "Left out: 1 of 9 images", "1 unreadable, such as 00000008 (no image", kind=SKIPPED),
    parquet("paths as large strings", lambda c: {**c, "path": pyarrow.array(
        c["path"], pyarrow.large_string())}, *ALL, kind=ACCEPTED),
    parquet("paths and labels as categories", lambda c: {
        k: pyarrow.array(v).dictionary_encode() for k, v in c.items()}, *ALL, kind=ACCEPTED),
    parquet("images that are numbers in Parquet", lambda c: {**c, "path": list(range(9))},
            "none of the 9 images can be used", "9 unreadable"),
]
