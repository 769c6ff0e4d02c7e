"""What a run leaves behind: file names, fingerprints, and whether a part is still good."""

import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Mapping
from typing import Any

from kc_jax import environment
from kc_jax.errors import UserError

SCHEMA_VERSION = 1
MANIFEST = "manifest.json"


class StaleArtifactError(UserError, RuntimeError):
    """Says which part of a working directory was made from other inputs, and what to do."""


class MissingArtifactError(UserError, RuntimeError):
    """Says which part of a working directory is missing and which stage makes it."""


class UnwritableFolderError(UserError, OSError):
    """Says where nothing can be written, and which option names another place."""


@dataclasses.dataclass(frozen=True)
class Workdir:
    """Names every file of a run.

    Attributes:
      root: the working directory.
    """

    root: pathlib.Path

    @property
    def config(self) -> pathlib.Path:
        return self.root / "config.json"

    @property
    def describe(self) -> pathlib.Path:
        return self.root / "describe.json"

    @property
    def generalist(self) -> pathlib.Path:
        return self.root / "generalist"

    @property
    def teachers(self) -> pathlib.Path:
        return self.root / "teachers"

    def teacher(self, vertical: str) -> pathlib.Path:
        return self.teachers / safe_name(vertical)

    @property
    def soft_targets(self) -> pathlib.Path:
        return self.root / "soft_targets"

    def soft_targets_of(self, vertical: str) -> pathlib.Path:
        return self.soft_targets / safe_name(vertical)

    @property
    def imported(self) -> pathlib.Path:
        return self.soft_targets / "imported.json"

    @property
    def soft_target_stats(self) -> pathlib.Path:
        return self.soft_targets / "stats.json"

    @property
    def students(self) -> pathlib.Path:
        return self.root / "students"

    def student(self, name: str) -> pathlib.Path:
        return self.students / name

    @property
    def generations(self) -> pathlib.Path:
        return self.root / "generations"

    def generation(self, name: str, number: int) -> pathlib.Path:
        return self.generations / name / str(number)

    @property
    def structures(self) -> pathlib.Path:
        return self.root / "structures"

    def clusters(self, name: str) -> pathlib.Path:
        return self.structures / name

    def generation_answers(self, name: str, member: str) -> pathlib.Path:
        return self.generations / name / "answers" / member

    def generation_results(self, name: str) -> pathlib.Path:
        return self.generations / name / "results.json"

    @property
    def generations_report(self) -> pathlib.Path:
        return self.root / "generations.html"

    @property
    def structures_report(self) -> pathlib.Path:
        return self.root / "structures.html"

    @property
    def evaluation(self) -> pathlib.Path:
        return self.root / "evaluation"

    @property
    def evaluation_given(self) -> pathlib.Path:
        return self.root / "evaluation_given"

    @property
    def results_given(self) -> pathlib.Path:
        return self.root / "results_given.json"

    @property
    def discovery(self) -> "Workdir":
        """Gives where the network lies whose confusions become verticals."""
        return Workdir(self.root / "discovery")

    def bundle(self, name: str) -> pathlib.Path:
        return self.root / "bundles" / name

    @property
    def seconds(self) -> pathlib.Path:
        return self.root / "seconds.json"

    @property
    def results(self) -> pathlib.Path:
        return self.root / "results.json"

    @property
    def class_table(self) -> pathlib.Path:
        return self.root / "classes.csv"

    @property
    def report(self) -> pathlib.Path:
        return self.root / "report.html"

    @property
    def class_page(self) -> pathlib.Path:
        return self.root / "classes.html"

    @property
    def vertical_pages(self) -> pathlib.Path:
        return self.root / "report"

    def vertical_page(self, vertical: str) -> pathlib.Path:
        return self.vertical_pages / f"{safe_name(vertical)}.html"

    @property
    def figures(self) -> pathlib.Path:
        return self.root / "figures"


# Inside the directory of a trained network.
CHECKPOINTS = "checkpoints"
LABEL_SPACE = "label_space.json"
AUXILIARY = "auxiliary.json"
METRICS = "metrics.jsonl"
NON_FINITE_LOSS = "non_finite_loss.json"


def safe_name(name: str) -> str:
    """Turns a vertical's name into a file name, distinct for distinct names."""
    kept = "".join(c if c.isalnum() or c in "-_" else "_" for c in name)
    return kept if kept == name else f"{kept}-{fingerprint(name)[:6]}"


def fingerprint(value: Any) -> str:
    """Hashes anything that JSON can write to 16 hexadecimal digits."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def make_folder(path: pathlib.Path, option: str) -> None:
    """Makes a folder, unless it is there, and tries whether files can be written in it.

    Args:
      path: of the folder.
      option: that a person names it by.

    Raises:
      UnwritableFolderError: they cannot.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    except OSError as error:
        raise UnwritableFolderError(
            f"nothing can be written in the folder {path} ({error.strerror}); name another one "
            f"with --{option}=…"
        ) from None


def write_text(path: pathlib.Path, text: str) -> None:
    """Writes a file so that a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def as_json(value: Any) -> Any:
    """Gives a value as it comes back from a file of JSON: tuples become lists."""
    return json.loads(json.dumps(value))


def write_json(path: pathlib.Path, value: Any) -> None:
    """Writes a JSON file so that a reader never sees half of it."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def read_json(path: pathlib.Path, *default: Any) -> Any:
    """Reads a file of JSON; gives the default, where there is one, if there is no file."""
    if default and not path.exists():
        return default[0]
    return json.loads(path.read_text(encoding="utf-8"))


def is_complete(directory: pathlib.Path, inputs: Mapping[str, Any]) -> bool:
    """Tells whether a directory's content is complete; begins it where there is none.

    The first call writes the inputs; `complete` marks the end. A directory begun with the same
    inputs is gone on with.

    Args:
      directory: one artifact's directory.
      inputs: everything that its content depends on, as JSON.

    Raises:
      StaleArtifactError: the directory was begun with other inputs; lists the differences.
    """
    inputs = as_json({"schema_version": SCHEMA_VERSION, **inputs})
    manifest_path = directory / MANIFEST
    if not _is_begun(directory):
        write_json(manifest_path, {"inputs": inputs, "complete": False})
        return False
    manifest = read_json(manifest_path)
    if manifest["inputs"] != inputs:
        lines = describe_differences(manifest["inputs"], inputs)
        raise StaleArtifactError(
            f"{directory} was made from other inputs:\n  " + "\n  ".join(lines[:10])
            + "\nUse another --workdir, or --redo=all to make all stages anew, --redo=STAGE for one"
        )
    return manifest["complete"]


def _is_begun(directory: pathlib.Path) -> bool:
    """Tells whether there is more than the manifest of something that never came to anything."""
    path = directory / MANIFEST
    if not path.exists():
        return False
    return read_json(path)["complete"] or any(p != path for p in directory.iterdir())


def describe_differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list:
    """Lists the leaves in which two nested mappings differ, as ``name: old → new``."""
    lines = []
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key), new.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            lines += describe_differences(before, after, f"{prefix}{key}.")
        elif before != after or (key in old) != (key in new):
            lines.append(f"{prefix}{key}: {_shown(old, key)} → {_shown(new, key)}")
    return lines


def _shown(mapping: Mapping[str, Any], key: str) -> str:
    return repr(mapping[key]) if key in mapping else "missing"


def complete(directory: pathlib.Path, **facts: Any) -> None:
    """Marks a directory's content as complete, and notes what it was made with.

    Args:
      directory: one artifact's directory.
      **facts: about the content; ``digest`` becomes part of its fingerprint.
    """
    path = directory / MANIFEST
    made_with = environment.describe()
    write_json(path, {**read_json(path), **facts, "made_with": made_with, "complete": True})


def manifest_of(directory: pathlib.Path, made_by: str) -> dict[str, Any]:
    """Reads the manifest of a complete artifact.

    Args:
      directory: one artifact's directory.
      made_by: the stage that makes it, for the error.

    Raises:
      MissingArtifactError: it is missing or was not finished.
    """
    path = directory / MANIFEST
    if not path.exists() or not read_json(path)["complete"]:
        raise MissingArtifactError(
            f"{directory} is missing or unfinished; run the stage {made_by} first"
        )
    return read_json(path)


def fingerprint_of(directory: pathlib.Path, made_by: str) -> str:
    """Fingerprints a complete artifact by its inputs and its content's digest."""
    manifest = manifest_of(directory, made_by)
    return fingerprint([manifest["inputs"], manifest.get("digest")])


def remove(path: pathlib.Path) -> None:
    """Removes a file or directory if it is there, manifests first, so that no half looks whole."""
    if path.is_dir():
        for manifest in path.rglob(MANIFEST):
            manifest.unlink()
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
