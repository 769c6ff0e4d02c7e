"""The upload page in a browser."""

import os
import pathlib

import numpy as np
import pytest
from PIL import Image

from tests.serve import chromium
from tests.serve.running import server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium.find() is None, reason="needs Chromium on the PATH"),
]
ROWS = "[...document.querySelectorAll('#names li')].map((row) => row.innerText)"
IS_SEEN = "document.querySelector('#answer').checkVisibility()"


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "picture.png"
    pixels = np.zeros((90, 120, 3), np.uint8)
    pixels[20:70, 30:90] = (200, 80, 40)
    Image.fromarray(pixels).save(path)
    return path


def test_a_picture_is_shown_with_its_names(directory, picture, tmp_path):
    with server(directory) as (_, port), chromium.open_page(tmp_path / "profile") as page:
        page.call("Page.navigate", url=f"http://127.0.0.1:{port}/")
        page.wait_for("document.querySelectorAll('#vertical option').length === 3")
        assert not page.value_of(IS_SEEN)
        page.choose_file("#file", picture)
        rows = page.wait_for(f"{ROWS}.length === 5 && {ROWS}")
        assert all("%" in row for row in rows)
        assert page.value_of("document.querySelector('#picture').naturalWidth") == 120
        assert page.value_of(IS_SEEN)
        page.screenshot(pathlib.Path(os.environ.get("SCREENSHOT", tmp_path / "page.png")))

        page.value_of(
            "const menu = document.querySelector('#vertical'); menu.value = 'car';"
            "menu.dispatchEvent(new Event('change'))"
        )
        pruned = page.wait_for(f"{ROWS}.length === 2 && {ROWS}")
        assert all(row.endswith("car") for row in pruned)
        assert page.value_of("document.querySelectorAll('#names li.doubtful').length") == 2
        assert page.errors == []

        broken = tmp_path / "broken.png"
        broken.write_bytes(b"nonsense")
        page.choose_file("#file", broken)
        words = page.wait_for("document.querySelector('#error').innerText")
        assert words == "No names: the file is undecodable: not an image of a known format."
        assert not page.value_of(IS_SEEN)
        own = (f"http://127.0.0.1:{port}/", f"blob:http://127.0.0.1:{port}/", "about:")
        assert page.requests and all(url.startswith(own) for url in page.requests)
