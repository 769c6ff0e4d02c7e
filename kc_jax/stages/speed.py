"""How fast networks were trained, and what share of the time was spent waiting for input."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def summarise(manifests: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    """Summarises the speed of networks that were trained one after the other.

    Each counts with the seconds that all of its images take at its own rate. Rates are those of the
    process that finished a network, without its first step, which compiles.

    Args:
      manifests: of the networks.

    Returns:
      ``images_per_second`` of training; ``input_wait``, the share of the time in which the devices
      had nothing to do for want of a batch, 0–1; ``pipeline_images_per_second`` of reading,
      decoding and assembling alone. None where a network was not timed.
    """
    images = _column(manifests, "images_seen")
    trained = images / _column(manifests, "images_per_second")
    drawn = images / _column(manifests, "pipeline_images_per_second")
    waited = trained * _column(manifests, "input_wait")
    return {
        "images_per_second": _rounded(images.sum() / trained.sum(), 1),
        "input_wait": _rounded(waited.sum() / trained.sum(), 4),
        "pipeline_images_per_second": _rounded(images.sum() / drawn.sum(), 1),
    }


def _column(manifests: Sequence[Mapping[str, Any]], key: str) -> np.ndarray:
    return np.array([manifest.get(key) for manifest in manifests], np.float64)


def _rounded(value: float, digits: int) -> float | None:
    return None if np.isnan(value) else round(float(value), digits)
