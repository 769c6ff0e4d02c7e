"""The command in a process of its own: how it stops, and what it says to mistakes."""

import io
import signal
import socket
import subprocess
import sys
import time

import pytest
from PIL import Image

from tests.bundle import small
from tests.serve.running import server


@pytest.mark.parametrize("host, named", [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "localhost")])
def test_it_says_what_it_serves_and_where(directory, host, named):
    with server(directory, f"--host={host}") as (process, port):
        assert process.stderr.readline() == (
            f"kc_jax: serving small from {directory}: 6 classes in 2 verticals; open "
            f"http://{named}:{port}/\n"
        )


def body():
    file = io.BytesIO()
    Image.fromarray(small.noise(1)[0]).save(file, "PNG")
    return file.getvalue()


def test_a_stop_that_is_asked_for_lets_requests_under_way_end(directory):
    content = body()
    head = f"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n\r\n"
    with server(directory, "--batch_size=1") as (process, port):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(head.encode() + content[:20])
            time.sleep(0.2)  # So that the request is under way.
            process.send_signal(signal.SIGTERM)
            wait_until_refused(port)
            connection.sendall(content[20:])
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 200") and b'"names"' in answer
        assert process.wait(20) == 0


def wait_until_refused(port):
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.05)
    raise AssertionError("the server still takes connections")


@pytest.mark.parametrize("options, status, words", [
    (["--bundle={empty}"], 1, "is no bundle"),
    (["--prot=1", "--bundle={empty}"], 2, "--prot=1"),
    ([], 2, "--bundle"),
])
def test_mistakes_end_in_one_line(tmp_path, options, status, words):
    options = [option.format(empty=tmp_path) for option in options]
    done = subprocess.run(
        [sys.executable, "-m", "kc_jax.serve", *options], capture_output=True, text=True,
        timeout=120,
    )
    assert done.returncode == status and "Traceback" not in done.stderr
    assert words in done.stderr.strip().splitlines()[-1]
