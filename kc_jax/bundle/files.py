"""The files of a bundle, and whether they are whole."""

import pathlib
from typing import Any

from kc_jax import checksums
from kc_jax.errors import UserError

SCHEMA_VERSION = 1
MANIFEST = "bundle.json"
PROGRAM = "model.jax_export"  # StableHLO, as jax.export serialises it.
WEIGHTS = "weights.safetensors"
LABEL_SPACE = "label_space.json"
NETWORK = "network.json"  # How the network is built, for whoever has its code.
PREPROCESSING = "preprocessing.json"
TRAINING_IMAGES = "training_images.json"  # That name each class.
METRICS = "metrics.json"
CALIBRATION = "calibration.json"  # The only one that may be missing.
CARD = "MODEL_CARD.md"
REQUIRED = (
    PROGRAM, WEIGHTS, LABEL_SPACE, NETWORK, PREPROCESSING, TRAINING_IMAGES, METRICS, CARD,
)


class BundleError(UserError, RuntimeError):
    """Says which file of a bundle is missing, torn or not of this version, and what to do."""


def describe(directory: pathlib.Path) -> dict[str, dict]:
    """Gives bytes and SHA-256 of every file in a folder but its manifest."""
    names = sorted(path.name for path in directory.iterdir() if path.name != MANIFEST)
    return checksums.describe(directory, names)


def verify(directory: pathlib.Path) -> dict[str, Any]:
    """Compares a bundle's files with its manifest, which it gives.

    Raises:
      BundleError: names the first file that is missing or differs.
    """
    manifest = read_manifest(directory)
    other = BundleError(
        f"{directory / MANIFEST} is not the manifest of a bundle; copy the whole folder again"
    )
    if not isinstance(manifest.get("files"), dict):
        raise other
    for name in REQUIRED:
        if name not in manifest["files"]:
            raise BundleError(f"{directory / MANIFEST} does not list {name}; export it anew")
    if "name" not in manifest or not all(
        _is_described(name, facts) for name, facts in manifest["files"].items()
    ):
        raise other
    for name, wanted in manifest["files"].items():
        path = directory / name
        if not path.is_file():
            raise BundleError(f"{path} is missing from the bundle; copy the whole folder again")
        size = path.stat().st_size
        if size != wanted["bytes"]:
            raise BundleError(
                f"{path} has {size} bytes but {MANIFEST} says {wanted['bytes']}; the file was cut "
                "off or replaced: copy the whole folder again"
            )
        if checksums.sha256(path) != wanted["sha256"]:
            raise BundleError(
                f"{path} has another SHA-256 than {MANIFEST} says; the file was damaged or "
                "replaced: copy the whole folder again"
            )
    return manifest


def _is_described(name: str, facts: Any) -> bool:
    """Tells whether a file is one of the folder, and its bytes and SHA-256 are given."""
    is_in_folder = pathlib.PurePath(name).name == name
    return is_in_folder and isinstance(facts, dict) and {"bytes", "sha256"} <= facts.keys()


def read_manifest(directory: pathlib.Path) -> dict[str, Any]:
    """Reads a bundle's manifest.

    Raises:
      BundleError: there is none, or it is of another version.
    """
    path = directory / MANIFEST
    if not path.is_file():
        raise BundleError(
            f"{directory} is no bundle, it has no {MANIFEST}; give the folder that the stage "
            "export wrote, such as runs/NAME/bundles/student"
        )
    try:
        manifest = checksums.read_json(path, "copy the whole folder again")
        version = manifest["schema_version"]
    except checksums.DamagedFileError as error:
        raise BundleError(f"this is not the manifest of a bundle: {error}") from None
    except (KeyError, TypeError):
        raise BundleError(
            f"{path} is not the manifest of a bundle; copy the whole folder again"
        ) from None
    if version != SCHEMA_VERSION:
        raise BundleError(
            f"{path} has schema version {version}, expected {SCHEMA_VERSION}; use the version of "
            "kc_jax that wrote it, or export it anew with this one"
        )
    return manifest
