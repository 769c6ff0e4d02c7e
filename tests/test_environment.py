import shlex
import subprocess
import sys

import jax
import pytest

from kc_jax import artifacts, environment


def test_versions_are_those_that_are_installed():
    found = environment.versions(["jax", "numpy", "no-such-package"])
    assert list(found) == ["python", "jax", "numpy"]
    assert found["jax"] == jax.__version__
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))


def test_a_process_is_described():
    described = environment.describe()
    assert set(described["versions"]) >= {"python", "jax", "jaxlib", "flax", "optax", "numpy"}
    assert described["device"] == f"{jax.device_count()} × cpu"
    assert described["command"] == shlex.join(sys.argv)


@pytest.fixture
def checkout(tmp_path):
    def git(*arguments):
        who = ("-c", "user.name=n", "-c", "user.email=e@x")
        return subprocess.run(
            ["git", "-C", tmp_path, *who, *arguments], check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init")
    (tmp_path / "file").write_text("a")
    git("add", "file")
    git("commit", "-m", "m")
    return tmp_path, git("rev-parse", "HEAD")


def test_the_commit_says_whether_files_were_changed(checkout):
    folder, commit = checkout
    assert environment.git_commit(folder) == commit
    (folder / "new").write_text("b")
    assert environment.git_commit(folder) == commit
    (folder / "file").write_text("b")
    assert environment.git_commit(folder) == f"{commit} and changes"


@pytest.mark.parametrize("name", [".", "inside"])
def test_there_may_be_no_commit(checkout, tmp_path_factory, name):
    folder = checkout[0] / "inside" if name == "inside" else tmp_path_factory.mktemp("plain")
    folder.mkdir(exist_ok=True)
    assert environment.git_commit(folder) is None


def test_git_may_be_missing(checkout, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert environment.git_commit(checkout[0]) is None


def test_manifests_say_what_they_were_made_with_and_no_fingerprint_does(tmp_path, monkeypatch):
    fingerprints = []
    for commit in "ab":
        monkeypatch.setattr(environment, "describe", lambda commit=commit: {"git_commit": commit})
        artifacts.is_complete(tmp_path / commit, {"seed": 1})
        artifacts.complete(tmp_path / commit, digest="d")
        manifest = artifacts.manifest_of(tmp_path / commit, "make")
        assert manifest["made_with"] == {"git_commit": commit}
        fingerprints.append(artifacts.fingerprint_of(tmp_path / commit, "make"))
    assert fingerprints[0] == fingerprints[1]
