"""What a server counts, in the text format of Prometheus."""

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

CONTENT_TYPE = prometheus_client.CONTENT_TYPE_LATEST


class Metrics:
    """Counts requests and batches of one server.

    Args:
      bundle_name: a label that the server's figures can be told by.
    """

    def __init__(self, bundle_name: str):
        registry = self._registry = CollectorRegistry()
        Gauge("kc_jax_bundle", "Which bundle is served.", ["name"], registry=registry).labels(
            bundle_name
        ).set(1)
        self.requests = Counter(
            "kc_jax_requests", "Answers to /v1/predict, by status.", ["status"], registry=registry
        )
        self.seconds = Histogram(
            "kc_jax_request_seconds", "From a request's head to its answer.", registry=registry
        )
        self.batch_images = Histogram(
            "kc_jax_batch_images", "Images that go through the network together.",
            buckets=[1, 2, 4, 8, 16, 32, 64, 128, 256], registry=registry,
        )
        self.under_way = Gauge(
            "kc_jax_requests_under_way", "Requests that are not answered yet.", registry=registry
        )

    def text(self) -> bytes:
        """Gives all of them."""
        return prometheus_client.generate_latest(self._registry)
