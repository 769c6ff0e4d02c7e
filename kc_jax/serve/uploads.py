"""The image in a request's body, within limits."""

import asyncio
from collections.abc import AsyncIterator

from fastapi import HTTPException, Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from kc_jax.serve.limits import Limits

MAX_FIELDS = 8  # Of a form, besides the image.


async def read_image(request: Request, limits: Limits) -> bytes:
    """Reads the bytes of an image file: the whole body, or the file of a form (multipart).

    Args:
      request: not yet read.
      limits: for bytes and seconds.

    Raises:
      HTTPException: 413 for too many bytes, 408 where they come too slowly, 400 for a form that is
        broken or has no file, an empty body, or a length that is no number.
    """
    content_type = request.headers.get("content-type", "")
    try:
        async with asyncio.timeout(limits.max_seconds):
            if content_type.lower().startswith("multipart/form-data"):
                encoded = await _read_form(request, limits)
            else:
                encoded = b"".join([chunk async for chunk in _limited(request, limits)])
    except TimeoutError:
        raise HTTPException(408, f"the body took more than {limits.max_seconds} s") from None
    if not encoded:
        raise HTTPException(400, "the body is empty; send the bytes of an image file")
    return encoded


async def _read_form(request: Request, limits: Limits) -> bytes:
    parser = MultiPartParser(
        request.headers, _limited(request, limits), max_files=1, max_fields=MAX_FIELDS
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise HTTPException(400, f"the form is broken: {error.message}") from None
    try:
        for value in form.values():
            if isinstance(value, UploadFile):
                return await value.read()
    finally:
        await form.close()
        for file in parser._files_to_close_on_error:  # One that was cut off is not in the form.
            file.close()
    raise HTTPException(400, "the form has no file; add one, as in -F image=@photo.jpg")


async def _limited(request: Request, limits: Limits) -> AsyncIterator[bytes]:
    """Gives a body's chunks as long as they are within the limit."""
    announced = request.headers.get("content-length", "0")
    num_bytes = 0
    error = HTTPException(413, f"the body has more than {limits.max_bytes:,} bytes")
    if not (announced.isascii() and announced.isdecimal()):
        raise HTTPException(400, f"content-length is {announced!r}; expected a number of bytes")
    if len(announced) > len(str(limits.max_bytes)) or int(announced) > limits.max_bytes:
        raise error
    async for chunk in request.stream():
        num_bytes += len(chunk)
        if num_bytes > limits.max_bytes:
            raise error
        yield chunk
