import asyncio

import pytest
from fastapi import HTTPException, Request

from kc_jax.serve.limits import Limits
from kc_jax.serve.uploads import read_image


def request(*chunks, seconds_between=0.0, **headers):
    """Gives a request whose body arrives in chunks."""
    messages = iter([
        *({"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks),
        {"type": "http.request", "body": b"", "more_body": False},
    ])

    async def receive():
        await asyncio.sleep(seconds_between)
        return next(messages)

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "headers": raw}, receive)


def test_the_body_is_put_together():
    assert asyncio.run(read_image(request(b"ab", b"c"), Limits(max_bytes=3))) == b"abc"


@pytest.mark.parametrize("asked, status", [
    (request(b"ab", b"cd"), 413),
    (request(content_length="4"), 413),
    (request(b"a", b"b", seconds_between=0.1), 408),
])
def test_what_is_too_much_or_too_slow_is_refused(asked, status):
    with pytest.raises(HTTPException) as caught:
        asyncio.run(read_image(asked, Limits(max_bytes=3, max_seconds=0.05)))
    assert caught.value.status_code == status
