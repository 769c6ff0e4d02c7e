"""Artifacts of several working directories, made once: where inputs are the same, the rest link."""

import contextlib
import functools
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from kc_jax import artifacts


def shared(links: pathlib.Path) -> contextlib.AbstractContextManager:
    """Lets what was made from the same inputs in another working directory be a link to it.

    Args:
      links: folder of links to complete artifacts, which `share` fills.
    """
    return artifacts.found_elsewhere(functools.partial(_link, links))


def share(root: pathlib.Path, links: pathlib.Path) -> None:
    """Adds the complete artifacts of a working directory to a folder of links."""
    links.mkdir(parents=True, exist_ok=True)
    for path in root.rglob(artifacts.MANIFEST):
        manifest = artifacts.read_json(path)
        if manifest.get("complete", False) and not path.parent.is_symlink():
            _point(links / _name(path.parent, manifest["inputs"]), path.parent)


def _link(links: pathlib.Path, directory: pathlib.Path, inputs: Mapping[str, Any]) -> bool:
    original = links / _name(directory, inputs)
    manifest = artifacts.read_json(original / artifacts.MANIFEST, None)
    if manifest is None or not manifest.get("complete", False) or manifest["inputs"] != inputs:
        return False  # Removed since, or made anew.
    _point(directory, original)
    return True


def _name(directory: pathlib.Path, inputs: Mapping[str, Any]) -> str:
    return artifacts.fingerprint([directory.name, inputs])


def _point(link: pathlib.Path, target: pathlib.Path) -> None:
    """Makes a link, or points it elsewhere; a relative one, so that both can be moved together."""
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(os.path.relpath(target.resolve(), link.parent.resolve()))
