"""What a run leaves behind: to compare two runs, and to see what a dead one left lying about."""

import hashlib
import json
import pathlib
import re
from typing import Any

from kc_jax import artifacts
from kc_jax.train import checkpoint
from kc_jax.train.state import digest

# What says when, how fast or by which command something was made, in files of JSON, and checksums
# of what says so, for all that they are of is compared itself.
TIMES = {
    "seconds", "images_per_second", "input_wait", "pipeline_images_per_second", "made_with",
    "checksum", "files",
}
EVENTS = re.compile(r"events\.out\.tfevents.*")  # Of TensorBoard; one more for every start.
# Files with times all over, or made of such, or whose chunks several threads write; whether they
# are there is compared all the same.
VARYING = re.compile(
    r"seconds\.json|config\.json|.*\.lock|.*\.html|bundles/\w+/(manifest\.json|.*\.md)|.*events"
    r"|.*\.array_record-.*|hosts/.*"
)
TEMPORARY = re.compile(r"\.tmp\b|-tmp\b|incomplete\.|unfinished")


def temporary_files(root: pathlib.Path) -> list[str]:
    """Lists what has a temporary name, a folder as one."""
    found: list[str] = []
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if TEMPORARY.search(path.name) and not name.startswith(tuple(f"{x}/" for x in found)):
            found.append(name)
    return found


def contents(root: pathlib.Path) -> dict[str, str]:
    """Hashes what a finished run left by its name, times left out.

    A network's checkpoints count as one: their steps, and the variables that are read from the
    newest.
    """
    found = {}
    for path in sorted(root.rglob("*")):
        name = EVENTS.sub("events", path.relative_to(root).as_posix())
        if path.name == artifacts.CHECKPOINTS:
            steps = sorted(p.name for p in path.iterdir())
            found[name] = f"{' '.join(steps)}: {digest(checkpoint.load_variables(path))}"
        elif path.is_file() and f"/{artifacts.CHECKPOINTS}/" not in name:
            found[name] = "" if VARYING.fullmatch(name) else _hash(path)
    return found


def differences(found: dict[str, str], expected: dict[str, str]) -> list[str]:
    """Lists the files that are missing, or more, or other than expected."""
    return sorted(
        name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name)
    )


def _hash(path: pathlib.Path) -> str:
    content = path.read_bytes()
    if path.suffix == ".json":
        content = json.dumps(_without_times(json.loads(content))).encode()
    if path.suffix == ".jsonl":
        lines = [_without_times(json.loads(line)) for line in content.splitlines()]
        content = json.dumps(lines).encode()
    return hashlib.sha256(content).hexdigest()


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_times(x) for key, x in value.items() if key not in TIMES}
    return [_without_times(x) for x in value] if isinstance(value, list) else value
