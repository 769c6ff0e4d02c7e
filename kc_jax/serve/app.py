"""The web application: /, /v1/predict, /healthz and /metrics."""

import asyncio
import contextlib
import dataclasses
import json
import pathlib
import reprlib
import time

from fastapi import FastAPI, HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.requests import ClientDisconnect

from kc_jax.bundle import Bundle
from kc_jax.bundle.images import read_square
from kc_jax.bundle.loaded import UnknownVerticalError
from kc_jax.bundle.writers import as_fields
from kc_jax.data.images import TOO_LARGE, BadImageError
from kc_jax.serve.batcher import Batcher, make_classify
from kc_jax.serve.limits import Limits
from kc_jax.serve.metrics import CONTENT_TYPE, Metrics
from kc_jax.serve.uploads import read_image

PAGE = pathlib.Path(__file__).with_name("page.html")
PAGE_POLICY = (  # The page is one file and speaks to its own server alone.
    "default-src 'none'; img-src blob:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
MAX_TOP = 100
BODY = {"requestBody": {"required": True, "content": {
    "image/*": {"schema": {"type": "string", "format": "binary"}},
    "multipart/form-data": {"schema": {
        "type": "object", "properties": {"image": {"type": "string", "format": "binary"}},
    }},
}}}
LINE = {"application/json": {"schema": {
    "type": "object", "properties": {"detail": {"type": "string"}}, "required": ["detail"],
}}}
MISTAKES = {  # Answers besides names; each says in a line what is the matter.
    status: {"description": why, "content": LINE} for status, why in (
        (400, "No image, a broken form, or an unknown vertical."),
        (408, "The body did not arrive in time."),
        (413, "Too many bytes or pixels."),
        (422, "No image of a known format, a damaged one, or an option that cannot be."),
        (503, "Too many requests are under way; come again after Retry-After seconds."),
    )
}


def make_app(
    bundle: Bundle, limits: Limits | None = None, *, max_batch: int = 16, max_wait: float = 0.003
) -> FastAPI:
    """Makes the application.

    Args:
      bundle: to ask.
      limits: of requests.
      max_batch: images that go through the network together.
      max_wait: seconds that an image waits for others.
    """
    limits, metrics = limits or Limits(), Metrics(bundle.name)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI):
        classify = await asyncio.to_thread(make_classify, bundle, max_batch)

        def counted(images):
            metrics.batch_images.observe(len(images))
            return classify(images)

        async with Batcher(counted, max_batch, max_wait) as app.state.batcher:
            yield

    # FastAPI's pages of documentation load scripts from elsewhere; /openapi.json stays.
    app = FastAPI(title=f"kc_jax: {bundle.name}", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.add_exception_handler(RequestValidationError, _explain)
    _add_predict(app, bundle, limits, metrics)
    page = _page(bundle, limits)

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    def show_page():
        return HTMLResponse(page, headers={"Content-Security-Policy": PAGE_POLICY})

    @app.get("/healthz")
    def healthz():
        return {"status": "ok", "bundle": bundle.name}

    @app.get("/metrics", include_in_schema=False)
    def show_metrics():
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    return app


def _add_predict(app: FastAPI, bundle: Bundle, limits: Limits, metrics: Metrics) -> None:
    under_way = asyncio.Semaphore(limits.max_requests)

    async def answer(request: Request, top: int, verticals: list[str]) -> dict:
        bundle.vertical_ids(verticals)
        encoded = await read_image(request, limits)
        image = await asyncio.to_thread(read_square, bundle, encoded, limits.max_pixels)
        logits = await app.state.batcher.ask(image)
        [names] = await asyncio.to_thread(bundle.names, logits[None], top, verticals)
        return {
            "bundle": bundle.name, "calibrated": bundle.is_calibrated, "names": as_fields(names),
        }

    @app.post("/v1/predict", openapi_extra=BODY, responses=MISTAKES)
    async def predict(
        request: Request, top: int = Query(5, ge=1, le=MAX_TOP),
        verticals: str = Query("", description="Take names from these, such as bird,car."),
    ):
        if under_way.locked():
            metrics.requests.labels(503).inc()
            return _error(503, "too many requests are under way", {"Retry-After": "1"})
        start, status = time.perf_counter(), 500
        try:
            async with under_way:
                with metrics.under_way.track_inprogress():
                    response = await _as_response(
                        answer(request, top, bundle.listed(verticals))
                    )
            status = response.status_code
            return response
        finally:
            metrics.seconds.observe(time.perf_counter() - start)
            metrics.requests.labels(status).inc()


async def _as_response(answer) -> Response:
    """Turns what a client did wrong into a status from 400 to 499 and a line of JSON."""
    try:
        return JSONResponse(await answer)
    except HTTPException as error:
        return _error(error.status_code, error.detail)
    except BadImageError as error:
        return _error(413 if error.kind == TOO_LARGE else 422, f"the file is {error}")
    except UnknownVerticalError as error:
        return _error(400, str(error))
    except ClientDisconnect:
        return Response(status_code=400)  # Nobody reads it.


async def _explain(request: Request, error: RequestValidationError) -> JSONResponse:
    """Says in a sentence which option of a request cannot be, and why."""
    del request
    first = error.errors()[0]
    why = first["msg"]
    found = reprlib.repr(first["input"])
    return _error(422, f"{first['loc'][-1]} is {found}: {why[0].lower()}{why[1:]}")


def _error(status: int, detail: str, headers: dict | None = None) -> JSONResponse:
    return JSONResponse({"detail": detail}, status, headers)


def _page(bundle: Bundle, limits: Limits) -> str:
    settings = json.dumps({
        "name": bundle.name, "classes": bundle.space.num_classes,
        "verticals": bundle.space.verticals, "limits": dataclasses.asdict(limits),
    }).replace("<", "\\u003c")  # No name ends the script.
    return PAGE.read_text(encoding="utf-8").replace("{{SETTINGS}}", settings)
