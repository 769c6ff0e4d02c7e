"""Images, and folders of them, that cannot be used, or look as if they could not."""

import io
import os
import zlib

import numpy as np
from PIL import Image

from tests.data.pictures import encoded, tree, write
from tests.faults.case import ACCEPTED, SKIPPED, Case

AREA = "images, folders"
COMMAND = (
    "kc_jax.prepare --config=configs/folder.py:small --config.data.directory={root}/photos "
    "--config.data.prepared={root}/packed"
)
OUT, ALL, NOTHING = "Left out: 1 of 13 images", "13 images of 4 classes", "Left out: nothing"
NOISE = np.random.default_rng(0).integers(256, size=(16, 16, 4), dtype=np.uint8)


def saved(image, form, **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def noise(mode):
    bands = len(Image.new(mode, (1, 1)).getbands())
    return Image.frombytes(mode, (16, 16), NOISE[..., :bands].tobytes())


def case(name, *words, file="car/truck/one.png", content=b"", after=None, options="", **more):
    """Makes a case of one file among good ones, or of what is done to them."""
    def make(root):
        write(root / "photos", {**tree(3), **({file: content} if content is not None else {})})
        if after:
            after(root / "photos")

    return Case(AREA, name, f"{COMMAND} {options}", words, make, **more)


def bad(name, content, *words, **more):
    return case(name, OUT, *words, content=content, kind=SKIPPED, **more)


def good(name, content, **more):
    return case(name, ALL, NOTHING, content=content, kind=ACCEPTED, **more)


def turned(rotation):
    exif = Image.Exif()
    exif[0x0112] = rotation
    return saved(noise("RGB"), "JPEG", exif=exif)


def of_size(width, height):
    """Gives a PNG whose header claims a size that its pixels have not."""
    content = encoded(99)
    head = b"IHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + content[24:29]
    return content[:12] + head + zlib.crc32(head).to_bytes(4, "big") + content[33:]


def link_to(place):
    return lambda photos: os.symlink(place, photos / "car/truck/one.png")


def byte_name(photos):
    with open(os.path.join(os.fsencode(photos), b"car/truck/\xff.png"), "wb") as file:
        file.write(encoded(99))


def bomb():
    return saved(Image.new("1", (10_000, 10_000)), "PNG")


FILM = [noise("RGB"), noise("RGB").rotate(90)]

CASES = [
    Case(AREA, "no folder named", COMMAND.replace("{root}/photos", ""),
         ("config.data.directory is empty", "expected a folder")),
    Case(AREA, "no such folder", COMMAND, ("photos', which is not a folder", "expected a folder")),
    Case(AREA, "file as the folder", COMMAND, ("photos', which is not a folder", "expected"),
         lambda root: (root / "photos").write_bytes(b"")),
    Case(AREA, "empty folder", COMMAND, ("no files ending in .bmp", "expected a folder"),
         lambda root: (root / "photos").mkdir()),
    Case(AREA, "folder of documents", COMMAND, ("no files ending in .bmp", "expected a folder"),
         lambda root: write(root / "photos", {"a/b.pdf": b"", "c.docx": b""})),
    Case(AREA, "images that are none, all of them", COMMAND,
         ("none of the 12 images can be used", "12 undecodable", "animal/bird/00.png"),
         lambda root: write(root / "photos", dict.fromkeys(tree(3), b"notes"))),
    Case(AREA, "images too large, all of them", f"{COMMAND} --config.data.max_pixels=9",
         ("none of the 12 images can be used", "12 too large", "config.data.max_pixels"),
         lambda root: write(root / "photos", tree(3))),
    Case(AREA, "some classes in no vertical", COMMAND, ("'owl', are in no vertical", "put every"),
         lambda root: write(root / "photos", {**tree(3), "owl/1.png": encoded(99)})),
    case("every image a test image, but one a class", "12 images of 4 classes", content=None,
         options="--config.data.test_share=1.0", kind=ACCEPTED),
    case("no image a test image", "no image left for test", "config.data.test_share", content=None,
         options="--config.data.test_share=0.0"),
    case("folder for packed images that holds others", "photos is to hold packed images",
         "config.data.prepared", "name an empty", content=None,
         options="--config.data.prepared={root}/photos"),
    case("file as the folder for packed images", "photos/car/truck/00.png", "config.data.prepared",
         content=None, options="--config.data.prepared={root}/photos/car/truck/00.png"),
    bad("no bytes", b"", "1 undecodable, such as car/truck/one.png (empty)"),
    bad("text", b"not an image", "1 undecodable", "not an image of a known format"),
    bad("cut-off JPEG", saved(noise("RGB"), "JPEG")[:-40], "1 undecodable", "runcated"),
    bad("cut-off PNG", encoded(99)[:-30], "1 undecodable"),
    bad("head of a PNG", encoded(99)[:20], "1 undecodable"),
    bad("cut-off GIF", saved(noise("P"), "GIF")[:-60], "1 undecodable", file="car/truck/one.gif"),
    bad("cut-off WebP", saved(noise("RGB"), "WEBP")[:-40], "1 undecodable",
        file="car/truck/one.webp"),
    bad("page of a site", b"<!doctype html><img>", "1 undecodable", file="car/truck/one.jpg"),
    bad("PDF with the name of an image", b"%PDF-1.7\n", "1 undecodable", file="car/truck/one.jpg"),
    bad("drawing in PostScript", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        "1 undecodable", file="car/truck/one.jpg"),
    bad("100 megapixels in 12 kB", bomb(), "1 too large", "10000 x 10000 pixels",
        "config.data.max_pixels says how large"),
    bad("4,000 million pixels by its head", of_size(63_000, 63_000), "1 too large"),
    bad("no width", of_size(0, 12), "1 undecodable"),
    bad("fractions as pixels", saved(Image.new("F", (9, 9)), "TIFF"), "1 undecodable",
        "floating-point", file="car/truck/one.tif"),
    case("the same image under another label", "Left out: 2 of 13 images",
         "2 duplicate under other labels", content=tree(3)["car/sedan/00.png"], kind=SKIPPED),
    bad("the same image twice", tree(3)["car/truck/00.png"], "1 duplicate"),
    case("link that leads nowhere", OUT, "1 unreadable, such as car/truck/one.png (No such file",
         content=None, after=link_to("nowhere.png"), kind=SKIPPED),
    case("link to itself", OUT, "1 unreadable, such as car/truck/one.png (Too many levels",
         content=None, after=link_to("one.png"), kind=SKIPPED),
    case("pipe", "12 images of 4 classes", NOTHING, content=None, kind=ACCEPTED,
         after=lambda photos: os.mkfifo(photos / "car/truck/one.png")),
    case("folder that is a link to one above", "12 images of 4 classes", NOTHING, content=None,
         kind=ACCEPTED, after=lambda photos: os.symlink("..", photos / "car/again")),
    good("CMYK", saved(noise("CMYK"), "JPEG"), file="car/truck/one.jpg"),
    good("grey", saved(noise("L"), "PNG")),
    good("black and white", saved(noise("L").convert("1"), "PNG")),
    good("16 bits", saved(Image.fromarray(NOISE[..., 0].astype(np.uint16) * 257), "PNG")),
    good("palette", saved(noise("RGB").quantize(8), "GIF"), file="car/truck/one.gif"),
    good("alpha", saved(noise("RGBA"), "PNG")),
    good("grey and alpha", saved(noise("LA"), "PNG")),
    good("animation", saved(FILM[0], "GIF", save_all=True, append_images=FILM[1:], duration=9),
         file="car/truck/one.gif"),
    good("turned by its camera", turned(6), file="car/truck/one.jpg"),
    good("turned as no camera can", turned(77), file="car/truck/one.jpg"),
    good("1 × 1", saved(noise("RGB").resize((1, 1)), "PNG")),
    good("1 × 5,000", saved(noise("RGB").resize((1, 5000)), "PNG")),
    good("ending in capitals", encoded(99), file="car/truck/ONE.PNG"),
    good("rows by its head that are not there, and stay black", of_size(12, 900)),
    good("PNG called JPEG", encoded(99), file="car/truck/one.jpg"),
    good("name with an end of line", encoded(99), file="car/truck/one\ntwo.png"),
    good("name of many alphabets", encoded(99), file="car/truck/鳥 🐦 ø.png"),
    good("name of 250 letters", encoded(99), file=f"car/truck/{'n' * 246}.png"),
    good("name with quotes and commas", encoded(99), file="car/truck/'a', \"b\".png"),
    case("name that is no UTF-8", ALL, NOTHING, content=None, after=byte_name, kind=ACCEPTED),
    case("no image by its name, named", "files that are no images by their names: 1 .heic",
         file="car/truck/one.heic", kind=SKIPPED),
    case("bad image whose name has an end of line", OUT, "such as car/truck/a\\nb.png (empty)",
         file="car/truck/a\nb.png", kind=SKIPPED),
]
