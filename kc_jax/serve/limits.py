"""What is asked of one server at most."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Limits:
    """Says what is asked of one server at most.

    Attributes:
      max_bytes: of a request's body.
      max_pixels: of an image.
      max_seconds: that a body may take to arrive.
      max_requests: under way at once; more are told to come again.
    """

    max_bytes: int = 10_000_000
    max_pixels: int = 25_000_000
    max_seconds: float = 30.0
    max_requests: int = 64
