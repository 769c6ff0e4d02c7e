"""Bundles that are none, and what `kc_jax.predict` and `kc_jax.serve` are asked that cannot be."""

import json
import os
import shutil

from PIL import Image

from kc_jax.bundle import files
from tests.bundle import small
from tests.data.pictures import write
from tests.faults.case import ACCEPTED, SKIPPED, Case

AREA = "bundles, kc_jax.predict, kc_jax.serve"
PREDICT = "kc_jax.predict --bundle={root}/bundle"
ONE = f"{PREDICT} {{root}}/a.png"
COPY, EXPORT = "copy the whole folder again", "export"


def image(path):
    Image.fromarray(small.noise(1)[0]).save(path)


def made(root):
    """Copies a bundle that is made once, beside all cases; adds an image."""
    place = root.parent / "small"
    if not place.exists():
        small.write(place, calibration=small.CALIBRATION)
    image(root / "a.png")
    return shutil.copytree(place, root / "bundle")


def case(name, command, *words, spoil=lambda root: None, **more):
    def make(root):
        made(root)
        spoil(root)

    return Case(AREA, name, command, words, make, **more)


def manifest(name, change, *words):
    """Makes a case of another manifest: text, or a function of the one that is there."""
    def spoil(root):
        path = root / "bundle" / files.MANIFEST
        if callable(change):
            text = json.dumps(change(json.loads(path.read_text(encoding="utf-8"))))
        path.write_text(text if callable(change) else change, encoding="utf-8")

    return case(name, ONE, "bundle.json", *words, spoil=spoil)


def cut(name):
    def spoil(root):
        path = root / "bundle" / name
        path.write_bytes(path.read_bytes()[:-1])

    return spoil


def byte_name(root):
    with open(os.path.join(os.fsencode(root), b"\xff.png"), "wb") as file:
        file.write((root / "a.png").read_bytes())


def file(name, content):
    return lambda root: write(root, {name: content})


CASES = [
    Case(AREA, "no such bundle", ONE, ("bundle is no bundle", EXPORT)),
    Case(AREA, "file as the bundle", ONE, ("bundle is no bundle", EXPORT),
         lambda root: (root / "bundle").write_bytes(b"")),
    case("file missing", ONE, "weights.safetensors is missing", COPY,
         spoil=lambda root: (root / "bundle" / files.WEIGHTS).unlink()),
    case("file cut off", ONE, "weights.safetensors has", COPY, spoil=cut(files.WEIGHTS)),
    case("program cut off", ONE, "model.jax_export has", COPY, spoil=cut(files.PROGRAM)),
    manifest("manifest that is no JSON", "{", "not the manifest", COPY),
    manifest("manifest of no bytes", "", "not the manifest", COPY),
    manifest("manifest of another version", '{"schema_version": 9, "files": {}}',
             "schema version 9", EXPORT),
    manifest("manifest without files", '{"schema_version": 1}', "not the manifest", COPY),
    manifest("files that are a list", lambda m: {**m, "files": list(m["files"])},
             "not the manifest", COPY),
    manifest("files without sizes", lambda m: {**m, "files": dict.fromkeys(m["files"], 1)},
             "not the manifest", COPY),
    manifest("manifest without a name", lambda m: {k: v for k, v in m.items() if k != "name"},
             "not the manifest", COPY),
    manifest("files of somebody else", lambda m: {**m, "files": {
        **m["files"], "../../etc/passwd": {"bytes": 1, "sha256": "0"}}}, "not the manifest", COPY),
    case("no images named", PREDICT, "arguments are required", "images"),
    case("no bundle named", "kc_jax.predict a.png", "arguments are required", "--bundle"),
    case("no names wanted", f"{ONE} --top=0", "--top", "0 is not above 0"),
    case("names that are no number", f"{ONE} --top=many", "--top", "'many'"),
    case("no threads", f"{ONE} --threads=-1", "--threads", "-1 is not above 0"),
    case("unknown form", f"{ONE} --format=xml", "--format", "'xml'", "jsonl"),
    case("unknown vertical", f"{ONE} --verticals=brid", "'brid' is unknown", "mean 'bird'"),
    case("Parquet without a file", f"{ONE} --format=parquet", "--format=parquet", "--output="),
    case("output in no folder", f"{ONE} --output={{root}}/no/names", "no/names",
         "folder that does not exist"),
    case("folder as the output", f"{ONE} --output={{root}}", "is a folder", "name of a file"),
    case("file as the output's folder", f"{ONE} --output={{root}}/a.png/names", "a.png/names",
         "--output"),
    case("folder without images", f"{PREDICT} {{root}}/bundle", "there are no images in",
         "files that end in"),
    case("more images at once than fit", f"{ONE} --batch_size=100000000000", "--batch_size",
         "memory"),
    case("image that is not there", f"{ONE} {{root}}/b.png", "b.png is unreadable: No such file",
         "1 files were skipped", kind=SKIPPED),
    case("image that is none", f"{ONE} {{root}}/b.png", "b.png is undecodable: not an image",
         "1 files were skipped", spoil=file("b.png", b"notes"), kind=SKIPPED),
    case("image of no bytes", f"{ONE} {{root}}/b.png", "b.png is undecodable: empty",
         spoil=file("b.png", b""), kind=SKIPPED),
    case("100 megapixels", f"{ONE} {{root}}/b.png", "b.png is too large: 10000 x 10000",
         spoil=lambda root: Image.new("1", (10_000, 10_000)).save(root / "b.png"), kind=SKIPPED),
    case("path with an end of line", f"{ONE} '{{root}}/b\n.png'",
         "b\\n.png is unreadable", "1 files were skipped", kind=SKIPPED),
    case("name that is no UTF-8", f"{PREDICT} {{root}} --format=jsonl", '"file": ', "a.png",
         spoil=byte_name, kind=ACCEPTED),
    case("name that is no UTF-8, as text", f"{PREDICT} {{root}}", "a.png", "%",
         spoil=byte_name, kind=ACCEPTED),
    case("name that is no UTF-8, as Parquet", f"{PREDICT} {{root}} --format=parquet "
         "--output={root}/names.parquet", spoil=byte_name, kind=ACCEPTED),
    case("names from the standard input that are no UTF-8", f"{PREDICT} -",
         "is unreadable: No such file", "1 files were skipped", stdin=b"\xff.png\n",
         kind=SKIPPED),
    case("no names from the standard input", f"{PREDICT} -", kind=ACCEPTED),
    case("more names than classes", f"{ONE} --top=1000", "a.png", kind=ACCEPTED),
    Case(AREA, "server without a bundle", "kc_jax.serve --bundle={root}/bundle",
         ("bundle is no bundle", EXPORT)),
    case("port beyond", "kc_jax.serve --bundle={root}/bundle --port=70000", "--port", "65535"),
    case("negative port", "kc_jax.serve --bundle={root}/bundle --port=-1", "--port", "65535"),
    case("port that is no number", "kc_jax.serve --bundle={root}/bundle --port=http", "--port",
         "'http'"),
    case("host of nowhere", "kc_jax.serve --bundle={root}/bundle --port=0 --host=no.such.invalid",
         "--host", "no.such.invalid"),
    case("waiting that is no number", "kc_jax.serve --bundle={root}/bundle --max_wait_ms=nan "
         "--port=0", "--max_wait_ms", "nan"),
    case("negative waiting", "kc_jax.serve --bundle={root}/bundle --max_wait_ms=-1 --port=0",
         "--max_wait_ms", "-1"),
    case("no room for requests", "kc_jax.serve --bundle={root}/bundle --max_requests=0",
         "--max_requests", "0 is not above 0"),
]
