"""Requests to the server that cannot be answered."""

import dataclasses
import io
import pathlib

from PIL import Image

from kc_jax.serve.limits import Limits
from tests.bundle import small
from tests.faults.case import ACCEPTED, REFUSED, TRACEBACK, WRONG

AREA = "requests to the server"
LIMITS = Limits(max_bytes=20_000, max_pixels=5_000, max_seconds=5.0, max_requests=4)
FORM = "multipart/form-data; boundary=x"


def encoded(mode="RGB", size=(9, 9), form="PNG"):
    file = io.BytesIO()
    Image.new(mode, size).save(file, form)
    return file.getvalue()


GOOD = encoded()


def part(name, content, more=b"; filename=a.png"):
    head = b'--x\r\nContent-Disposition: form-data; name="' + name + b'"' + more + b"\r\n\r\n"
    return head + content + b"\r\n"


END = b"--x--\r\n"


@dataclasses.dataclass(frozen=True)
class Request:
    """Is a request, and what the answer is to be.

    Attributes:
      name: what is bad.
      status: of the answer.
      words: that its line must have.
      content: of the body.
      target: path and query.
      headers: of the request.
      method: of the request.
    """

    name: str
    status: int
    words: tuple[str, ...] = ()
    content: bytes = GOOD
    target: str = "/v1/predict"
    headers: dict = dataclasses.field(default_factory=dict)
    method: str = "POST"
    area: str = AREA

    @property
    def kind(self) -> str:
        return ACCEPTED if self.status == 200 else REFUSED

    def run(self, client, root: pathlib.Path):
        """Asks; gives the answer, or the error in its place."""
        del root
        try:
            return client.request(
                self.method, self.target, content=self.content, headers=self.headers
            )
        except Exception as error:
            return error

    def verdict(self, answer) -> str:
        """Tells what came of it: ``kind`` where it is as it should be."""
        if isinstance(answer, Exception) or answer.status_code >= 500:
            return TRACEBACK
        is_right = answer.status_code == self.status and "\n" not in answer.text.strip()
        if self.kind == REFUSED and self.method != "HEAD":
            line = answer.json().get("detail")
            is_right &= isinstance(line, str) and all(word in line for word in self.words)
        return self.kind if is_right else WRONG


def ask(name, status, *words, **more):
    return Request(name, status, words, **more)


def form(name, content, status, *words, kind=FORM):
    return ask(name, status, *words, content=content, headers={"content-type": kind})


def query(name, text, status, *words):
    return ask(name, status, *words, target=f"/v1/predict?{text}")


FILE = part(b"image", GOOD)

CASES = [
    ask("no bytes", 400, "body is empty", "send the bytes", content=b""),
    ask("text", 422, "not an image of a known format", content=b"notes"),
    ask("PostScript", 422, "not an image of a known format", content=b"%!PS-Adobe-3.0 EPSF-3.0"),
    ask("cut-off PNG", 422, "undecodable", content=GOOD[:45]),
    ask("cut-off JPEG", 422, "undecodable", content=encoded(form="JPEG")[:-50]),
    ask("too many pixels", 413, "80 x 80 pixels; at most 5,000", content=encoded("1", (80, 80))),
    ask("bomb", 413, "too large", content=encoded("1", (20_000, 10_000))[:20_000]),
    ask("too many bytes", 413, "more than 20,000 bytes", content=bytes(20_001)),
    ask("too many bytes announced", 413, "more than 20,000 bytes",
        headers={"content-length": "9" * 30}),
    ask("length that is no number", 400, "content-length is 'many'",
        headers={"content-length": "many"}),
    ask("negative length", 400, "content-length is '-5'", headers={"content-length": "-5"}),
    ask("length in other figures", 400, "content-length",
        headers={"content-length": "٥".encode()}),
    query("no names wanted", "top=0", 422, "top is '0'", "greater than or equal to 1"),
    query("too many names wanted", "top=101", 422, "top is '101'", "less than or equal to 100"),
    query("names that are no number", "top=many", 422, "top is 'many'", "valid integer"),
    query("names that are a fraction", "top=1.5", 422, "top is '1.5'", "valid integer"),
    query("names of 5,000 figures", "top=" + "9" * 5000, 422, "top is"),
    query("names of nothing", "top=", 422, "top is ''", "valid integer"),
    query("unknown vertical", "verticals=brid", 400, "'brid' is unknown", "mean 'bird'"),
    query("vertical that is a path", "verticals=../../etc", 400, "'../../etc' is unknown", "bird"),
    query("vertical with a byte of 0", "verticals=%00", 400, "is unknown"),
    query("vertical that is no UTF-8", "verticals=%ff%fe", 400, "is unknown"),
    query("vertical with an end of line", "verticals=a%0Ab", 400, "'a\\nb' is unknown"),
    form("no form", b"notes", 400, "form is broken"),
    form("form without a boundary", FILE + END, 400, "form is broken", kind="multipart/form-data"),
    form("form of another character set", FILE + END, 200, kind=f"{FORM}; charset=nonsense"),
    form("form with an empty boundary", FILE + END, 400, "form is broken",
         kind="multipart/form-data; boundary="),
    form("form without a file", part(b"a", b"1", b"") + END, 400, "has no file", "-F image="),
    form("form with a file of no bytes", part(b"image", b"") + END, 400, "body is empty"),
    form("form with a file of text", part(b"image", b"notes") + END, 422, "not an image"),
    form("form with two files", FILE + FILE + END, 400, "form is broken", "1"),
    form("form with many fields", b"".join(part(b"a", b"", b"") for _ in range(20)) + END, 400,
         "form is broken", "8"),
    form("form cut off", FILE[:80], 400, "form"),
    form("form with a name out of the folder",
         part(b"image", GOOD, b"; filename=../../etc/passwd") + END, 200),
    form("form with a name that is no UTF-8", part(b"image", GOOD, b"; filename=\xff") + END, 200),
    form("form with a header without an end", b"--x\r\nContent-Disposition" + bytes(9000), 400,
         "form"),
    ask("body called JSON", 200, headers={"content-type": "application/json"}),
    ask("body called nothing at all", 200, headers={"content-type": "///"}),
    ask("other method", 405, "Method Not Allowed", method="GET"),
    ask("method that is none", 405, "Method Not Allowed", method="BREW"),
    ask("other path", 404, "Not Found", target="/v1/predic"),
    ask("path out of the server", 404, "Not Found", target="/../../etc/passwd"),
    ask("path with a byte of 0", 404, "Not Found", target="/%00"),
    ask("grey image", 200, content=encoded("L")),
    ask("CMYK image", 200, content=encoded("CMYK", form="JPEG")),
    ask("1 × 1", 200, content=encoded(size=(1, 1))),
]


def open_client(folder: pathlib.Path):
    """Gives a client of the application, to be opened with ``with``.

    Args:
      folder: for a bundle.
    """
    from fastapi.testclient import TestClient

    from kc_jax.bundle import Bundle
    from kc_jax.serve.app import make_app

    bundle = Bundle.load(small.write(folder, calibration=small.CALIBRATION))
    return TestClient(make_app(bundle, LIMITS, max_batch=4), raise_server_exceptions=False)
