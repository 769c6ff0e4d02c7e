"""python -m kc_jax.serve --bundle=runs/embedded/bundles/student: names images over HTTP.

An upload page at /, POST /v1/predict (the bytes of an image, or a form with one), /healthz, and
/metrics for Prometheus. SIGTERM stops it when all requests under way are answered.
"""

import argparse
import signal
import sys
from collections.abc import Sequence

from kc_jax import command
from kc_jax.errors import UserError
from kc_jax.serve.limits import Limits

GRACE_SECONDS = 30


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m kc_jax.serve", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
    )
    number = command.positive_number
    parser.add_argument("--bundle", required=True, help="folder that the stage export wrote")
    parser.add_argument("--host", default="127.0.0.1", help="address (127.0.0.1; 0.0.0.0 for all)")
    parser.add_argument(
        "--port", type=command.number_within(0, 65535), default=8000,
        help="(8000; 0 takes one that is free)",
    )
    parser.add_argument("--batch_size", type=number, default=16, help="images at once (16)")
    parser.add_argument(
        "--max_wait_ms", type=command.number_within(0, 60_000, float), default=3.0,
        help="for others (3)",
    )
    for name, meaning in (
        ("max_bytes", "of a request"), ("max_pixels", "of an image"), ("max_requests", "at once"),
        ("max_seconds", "that a request may take to arrive"),
    ):
        most = getattr(Limits, name)
        parser.add_argument(f"--{name}", type=number, default=most, help=f"{meaning} ({most:,.0f})")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until it is told to stop; gives the exit status."""
    options = parse(arguments)
    try:
        import uvicorn

        from kc_jax.serve.app import make_app
        from kc_jax.serve.server import Server
    except ImportError as error:
        raise UserError(
            f"serving needs {error.name}; install it with: pip install 'kc_jax[serve]'"
        ) from None
    from kc_jax.bundle import Bundle

    # Uvicorn raises the signal again when it has stopped; a stop that was asked for is a success.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    limits = Limits(
        max_bytes=options.max_bytes, max_pixels=options.max_pixels,
        max_requests=options.max_requests, max_seconds=options.max_seconds,
    )
    bundle = Bundle.load(options.bundle)
    app = make_app(
        bundle, limits, max_batch=options.batch_size, max_wait=options.max_wait_ms / 1000
    )
    settings = uvicorn.Config(
        app, host=options.host, port=options.port, timeout_graceful_shutdown=GRACE_SECONDS,
        access_log=False,
    )
    space = bundle.space
    what = (f"{bundle.name} from {bundle.directory}: {space.num_classes:,} classes in "
            f"{space.num_verticals:,} verticals")
    Server(settings, what).run()
    return 0


if __name__ == "__main__":
    command.run_plainly(main)
