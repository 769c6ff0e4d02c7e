"""requirements.lock fits setup.py, and names nothing without a hash."""

import importlib.metadata
import pathlib
import re

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement

LOCK = pathlib.Path(__file__).parents[1] / "requirements.lock"


def locked(python: str) -> dict[str, str]:
    """Gives the locked version of each package for a version of Python on Linux."""
    environment = {**default_environment(), "python_version": python[:4]}
    environment |= {"python_full_version": python, "sys_platform": "linux"}
    lines = re.findall(r"^(\S.*==.*?) \\$", LOCK.read_text("utf-8"), re.MULTILINE)
    found = [Requirement(line) for line in lines]
    return {
        each.name.lower().replace("_", "-"): str(each.specifier).removeprefix("==")
        for each in found if each.marker is None or each.marker.evaluate(environment)
    }


@pytest.mark.parametrize("python", ["3.11.9", "3.12.1"])
def test_all_that_setup_asks_for_is_locked_in_its_range(python):
    found = locked(python)
    assert len(found) > 50
    for text in importlib.metadata.requires("kc_jax"):
        wanted = Requirement(text)
        extra = re.search(r'extra == "(\w+)"', text)
        if extra and extra[1] not in ("serve", "dev"):
            continue
        version = found[wanted.name.lower().replace("_", "-")]
        assert version in wanted.specifier, f"{wanted}: {version} is locked; make the lock anew"


def test_everything_has_a_hash():
    text = LOCK.read_text("utf-8")
    packages = re.findall(r"^\S+==.*$", text, re.MULTILINE)
    assert len(packages) > 50 and all(line.endswith("\\") for line in packages)
    assert text.count("--hash=sha256:") > len(packages)
