"""How fast networks were trained, and what share of the time was spent waiting for input."""

from collections.abc import Mapping, Sequence
from typing import Any


def summarise(manifests: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    """Summarises the speed of networks that were trained one after the other.

    Each counts with the seconds that all of its images take at its own rate. Rates are those of the
    process that finished a network, without its first step, which compiles.

    Args:
      manifests: of the networks.

    Returns:
      ``images_per_second`` of training; ``input_wait``, the share of the time in which the devices
      had nothing to do for want of a batch, 0–1; ``pipeline_images_per_second`` of reading,
      decoding and assembling alone. Networks that were not timed, as after a single step, are left
      out; None where none was timed.
    """
    trained = [m for m in manifests if m.get("images_per_second") is not None]
    drawn = [m for m in manifests if m.get("pipeline_images_per_second") is not None]
    seconds = sum(_seconds(m, "images_per_second") for m in trained)
    waited = sum(m["input_wait"] * _seconds(m, "images_per_second") for m in trained)
    return {
        "images_per_second": _rate(trained, "images_per_second"),
        "input_wait": round(waited / seconds, 4) if trained else None,
        "pipeline_images_per_second": _rate(drawn, "pipeline_images_per_second"),
    }


def minutes(metrics: Mapping[str, Any]) -> float | None:
    """Gives the minutes that a method's training took, without compiling.

    Args:
      metrics: of the method: ``images_seen``, and ``images_per_second`` where it was timed.
    """
    is_timed = metrics.get("images_per_second") is not None
    return _seconds(metrics, "images_per_second") / 60 if is_timed else None


def _rate(manifests: Sequence[Mapping[str, Any]], key: str) -> float | None:
    if not manifests:
        return None
    images = sum(m["images_seen"] for m in manifests)
    return round(images / sum(_seconds(m, key) for m in manifests), 1)


def _seconds(manifest: Mapping[str, Any], key: str) -> float:
    return manifest["images_seen"] / manifest[key]
