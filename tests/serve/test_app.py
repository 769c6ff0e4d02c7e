import concurrent.futures
import dataclasses
import io
import re
import threading

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from kc_jax.serve import app as application
from kc_jax.serve.limits import Limits
from tests.bundle import small

LIMITS = Limits(max_bytes=20_000, max_pixels=5_000, max_seconds=0.5, max_requests=4)


@pytest.fixture(scope="module")
def client(bundle):
    with TestClient(application.make_app(bundle, LIMITS, max_batch=4)) as client:
        yield client


def encode(pixels, kind="PNG"):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


IMAGE = encode(small.noise(1)[0])


def test_the_answer_is_the_bundles(client, bundle):
    [expected] = bundle.names(np.asarray(bundle.classify(small.noise(1))), top=2)
    raw = client.post("/v1/predict?top=2", content=IMAGE)
    form = client.post("/v1/predict?top=2", files={"image": ("a.png", IMAGE)})
    assert raw.status_code == form.status_code == 200
    assert raw.json() == form.json()
    assert raw.json()["bundle"] == "small" and raw.json()["calibrated"] is True
    for found, name in zip(raw.json()["names"], expected, strict=True):
        assert (found["class_id"], found["name"]) == (name.class_id, name.name)
        assert found["probability"] == pytest.approx(name.probability, rel=1e-4)
        assert [a["name"] for a in found["ancestors"]] == [a.name for a in name.ancestors]


def test_verticals_prune(client):
    names = client.post("/v1/predict?verticals=car", content=IMAGE).json()["names"]
    assert {name["vertical"] for name in names} == {"car"}


FORM = {"content-type": "multipart/form-data; boundary=x"}


@pytest.mark.parametrize("query, body, headers, status, words", [
    ("", b"", {}, 400, "body is empty"),
    ("", b"nonsense", {}, 422, "not an image of a known format"),
    ("", IMAGE[:100], {}, 422, "undecodable"),
    ("", encode(np.zeros((80, 80), np.uint8)), {}, 413, "80 x 80 pixels; at most 5,000"),
    ("", bytes(20_001), {}, 413, "more than 20,000 bytes"),
    ("?verticals=brid", IMAGE, {}, 400, "did you mean 'bird'"),
    ("?top=0", IMAGE, {}, 422, "top is '0': input should be greater than or equal to 1"),
    ("?top=many", IMAGE, {}, 422, "top is 'many': input should be a valid integer"),
    ("", b"nonsense", FORM, 400, "form is broken"),
    ("", b"--x--\r\n", FORM, 400, "has no file"),
    ("", b"--x\r\nno:", FORM, 400, "has no file"),
    ("", b"nonsense", {"content-type": "multipart/form-data"}, 400, "form is broken"),
    ("", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n', FORM, 400,
     "has no file"),
])
def test_garbage_is_the_clients_mistake(client, query, body, headers, status, words):
    response = client.post(f"/v1/predict{query}", content=body, headers=headers)
    assert response.status_code == status and words in response.json()["detail"]


def test_a_body_of_unknown_length_is_cut_off(client):
    response = client.post("/v1/predict", content=(bytes(1000) for _ in range(30)))
    assert "content-length" not in response.request.headers
    assert response.status_code == 413


def test_other_methods_and_paths(client):
    assert client.get("/v1/predict").status_code == 405
    assert client.get("/nowhere").status_code == 404


def test_health(client):
    assert client.get("/healthz").json() == {"status": "ok", "bundle": "small"}


def test_metrics_count(bundle):
    with TestClient(application.make_app(bundle, LIMITS, max_batch=4)) as client:
        for content in (IMAGE, IMAGE, b"nonsense"):
            client.post("/v1/predict", content=content)
        response = client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=")
    values = dict(re.findall(r"^(\S+) (\S+)$", response.text, re.MULTILINE))
    assert values['kc_jax_requests_total{status="200"}'] == "2.0"
    assert values['kc_jax_requests_total{status="422"}'] == "1.0"
    assert values["kc_jax_batch_images_sum"] == "2.0"
    assert values["kc_jax_request_seconds_count"] == "3.0"
    assert values['kc_jax_bundle{name="small"}'] == "1.0"


def test_what_goes_wrong_here_is_counted_too(bundle, monkeypatch):
    def broken(*_):
        raise RuntimeError("no names today")

    monkeypatch.setattr(type(bundle), "names", broken)
    made = application.make_app(bundle, LIMITS, max_batch=4)
    with TestClient(made, raise_server_exceptions=False) as client:
        assert client.post("/v1/predict", content=IMAGE).status_code == 500
        assert 'kc_jax_requests_total{status="500"} 1.0' in client.get("/metrics").text


def test_requests_at_once_share_batches_and_too_many_are_told_to_come_again(bundle, monkeypatch):
    go_on, sizes = threading.Event(), []
    real = application.make_classify

    def slow(bundle, max_batch):
        classify = real(bundle, max_batch)

        def call(images):
            sizes.append(len(images))
            go_on.wait(20)
            return classify(images)

        return call

    monkeypatch.setattr(application, "make_classify", slow)
    with TestClient(application.make_app(bundle, LIMITS, max_batch=4, max_wait=0.0)) as client:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            asked = [pool.submit(client.post, "/v1/predict", content=IMAGE) for _ in range(8)]
            refused = [
                future.result() for _, future in
                zip(range(4), concurrent.futures.as_completed(asked, timeout=20), strict=False)
            ]
            go_on.set()
        statuses = sorted(future.result().status_code for future in asked)
    assert statuses == [200] * 4 + [503] * 4 and sum(sizes) == 4
    assert all(response.headers["retry-after"] == "1" for response in refused)


def test_the_page_is_one_file_that_asks_nobody_else(client):
    response = client.get("/")
    assert response.status_code == 200
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert not re.search(r"(src|href)\s*=|https?://|@import|url\(", response.text.replace(
        '$("picture").src =', ""
    ))


def test_a_name_cannot_break_out_of_the_page(bundle):
    space = dataclasses.replace(bundle.space, verticals=("</script><b>", "car"))
    page = application._page(dataclasses.replace(bundle, space=space), LIMITS)
    assert page.count("</script>") == 1
