import json
import pathlib

import pytest

from kc_jax import artifacts
from kc_jax.artifacts import MissingArtifactError, StaleArtifactError
from kc_jax.checksums import DamagedFileError
from kc_jax.workdir import Workdir

INPUTS = {"config": {"seed": 1, "sizes": (2, 3)}, "data": "abc"}


def test_an_artifact_is_begun_gone_on_with_and_completed(tmp_path):
    directory = tmp_path / "students" / "one"
    assert not artifacts.is_complete(directory, INPUTS)
    assert not artifacts.is_complete(directory, INPUTS)
    artifacts.complete(directory, digest="d", images=7)
    assert artifacts.is_complete(directory, INPUTS)
    manifest = artifacts.manifest_of(directory, "train_student")
    assert (manifest["digest"], manifest["images"]) == ("d", 7)
    assert manifest["inputs"]["config"] == {"seed": 1, "sizes": [2, 3]}


@pytest.mark.parametrize("place", ["a file", "a file/below", "/proc/x"])
def test_a_folder_that_cannot_be_written_in_is_named(tmp_path, place):
    (tmp_path / "a file").write_text("")
    with pytest.raises(artifacts.UnwritableFolderError) as caught:
        artifacts.make_folder(tmp_path / place, "workdir")
    assert str(tmp_path / place) in str(caught.value) and "--workdir=…" in str(caught.value)
    artifacts.make_folder(tmp_path / "new" / "folder", "workdir")
    assert not list((tmp_path / "new" / "folder").iterdir())


@pytest.mark.parametrize("finished", [False, True])
def test_other_inputs_are_refused_with_the_differences(tmp_path, finished):
    artifacts.is_complete(tmp_path, INPUTS)
    if finished:
        artifacts.complete(tmp_path)
    else:
        (tmp_path / "checkpoints").mkdir()
    before = (tmp_path / artifacts.MANIFEST).read_bytes()
    with pytest.raises(StaleArtifactError) as caught:
        artifacts.is_complete(tmp_path, {"config": {"seed": 2, "sizes": (2, 3)}, "data": "abd"})
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{tmp_path} was made from other inputs:"
    assert [line.strip() for line in lines[1:3]] == ["config.seed: 1 → 2", "data: 'abc' → 'abd'"]
    assert "--redo" in lines[3] and len(lines) == 4
    assert (tmp_path / artifacts.MANIFEST).read_bytes() == before


def test_what_never_came_to_anything_is_begun_anew(tmp_path):
    artifacts.is_complete(tmp_path, INPUTS)
    assert not artifacts.is_complete(tmp_path, {"data": "other"})
    assert artifacts.read_json(tmp_path / artifacts.MANIFEST)["inputs"]["data"] == "other"


def test_other_schemas_are_refused(tmp_path, monkeypatch):
    artifacts.is_complete(tmp_path, INPUTS)
    artifacts.complete(tmp_path)
    version = artifacts.SCHEMA_VERSION
    monkeypatch.setattr(artifacts, "SCHEMA_VERSION", version + 1)
    with pytest.raises(StaleArtifactError, match=f"schema_version: {version} → {version + 1}"):
        artifacts.is_complete(tmp_path, INPUTS)


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("read", [artifacts.manifest_of, artifacts.fingerprint_of])
def test_missing_and_unfinished_artifacts_name_their_stage(tmp_path, begun, read):
    if begun:
        artifacts.is_complete(tmp_path / "x", INPUTS)
    message = "x is missing or unfinished; run the stage make first"
    with pytest.raises(MissingArtifactError, match=message):
        read(tmp_path / "x", "make")


def finished(directory, inputs, **facts):
    artifacts.is_complete(directory, inputs)
    artifacts.complete(directory, **facts)
    return artifacts.fingerprint_of(directory, "make")


def test_fingerprints_follow_inputs_and_digest_alone(tmp_path):
    base = finished(tmp_path / "a", INPUTS, digest="d", seconds=1)
    assert finished(tmp_path / "b", INPUTS, digest="d", seconds=2) == base
    assert finished(tmp_path / "c", INPUTS, digest="e", seconds=1) != base
    assert finished(tmp_path / "d", {**INPUTS, "data": "x"}, digest="d", seconds=1) != base


def test_fingerprints_ignore_the_order_of_keys():
    assert artifacts.fingerprint({"a": 1, "b": 2}) == artifacts.fingerprint({"b": 2, "a": 1})
    assert artifacts.fingerprint([1, 2]) != artifacts.fingerprint([2, 1])


def test_safe_names_are_file_names_and_distinct():
    names = ["birds", "Birds", "a b", "a_b", "a/b", "a.b", "..", ".", "été", "x-y", "/etc", "a  b"]
    safe = [artifacts.safe_name(name) for name in names]
    assert len(set(safe)) == len(names)
    assert all(pathlib.Path(name).name == name and name not in (".", "..") for name in safe)
    assert safe[0] == "birds" and safe[8] == "été"


def test_a_workdirs_parts_are_apart():
    workdir = Workdir(pathlib.Path("w"))
    parts = [workdir.config, workdir.describe, workdir.generalist, workdir.soft_targets,
             workdir.teacher("a b"), workdir.teacher("a_b"), workdir.student("s"),
             workdir.evaluation, workdir.results, workdir.class_table, workdir.report,
             workdir.class_page, workdir.vertical_page("a b"), workdir.vertical_page("a_b")]
    assert len(set(parts)) == len(parts)
    assert workdir.teacher("x").parent == workdir.teachers
    assert workdir.student("x").parent == workdir.students
    assert all(part.is_relative_to("w") for part in parts)


def test_json_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "deep" / "x.json"
    artifacts.write_json(path, {"é": [1, None]})
    assert artifacts.read_json(path) == {"é": [1, None]}
    with pytest.raises(TypeError):
        artifacts.write_json(path, {"é": object()})
    assert json.loads(path.read_text(encoding="utf-8")) == {"é": [1, None]}
    assert [p.name for p in path.parent.iterdir()] == ["x.json"]


def test_remove(tmp_path):
    (tmp_path / "d" / "e").mkdir(parents=True)
    (tmp_path / "f").touch()
    for name in ("d", "f", "missing"):
        artifacts.remove(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_differences_name_the_leaves():
    old = {"a": {"b": 1, "c": [1]}, "d": 1, "e": 1, "g": None}
    new = {"a": {"b": 2, "c": [1]}, "d": {"x": 1}, "e": None, "f": None, "h": None}
    assert artifacts.describe_differences(old, new) == [
        "a.b: 1 → 2", "d: 1 → {'x': 1}", "e: 1 → None", "f: missing → None", "g: None → missing",
        "h: missing → None",
    ]
    assert artifacts.describe_differences(old, old) == []


def test_files_are_compared_with_what_the_manifest_says(tmp_path):
    artifacts.is_complete(tmp_path, INPUTS)
    for name in ("a.json", "b.json"):
        artifacts.write_json(tmp_path / name, [name])
    artifacts.complete(tmp_path, files=["a.json"])
    assert artifacts.read_json(tmp_path / "a.json") == ["a.json"]
    (tmp_path / "b.json").write_text("[1]")  # Of it nothing is said.
    assert artifacts.read_json(tmp_path / "b.json") == [1]
    (tmp_path / "a.json").write_text("[1]")
    with pytest.raises(DamagedFileError, match=rf"a\.json is damaged.*or remove {tmp_path} and"):
        artifacts.read_json(tmp_path / "a.json")
    (tmp_path / "a.json").unlink()
    with pytest.raises(DamagedFileError, match=r"a\.json is damaged: it is missing"):
        artifacts.read_json(tmp_path / "a.json", None)


@pytest.mark.parametrize("spoil, words", [
    (lambda path: path.write_text(path.read_text().replace("true", "false")), "by its checksum"),
    (lambda path: path.write_text("[]"), "it lacks inputs"),
    (lambda path: path.unlink(), "it is missing, and nothing else says"),
])
def test_nothing_is_removed_where_the_manifest_is_damaged(tmp_path, spoil, words):
    artifacts.is_complete(tmp_path / "x", INPUTS)
    (tmp_path / "x" / "checkpoint").write_text("weeks of work")
    artifacts.complete(tmp_path / "x")
    spoil(tmp_path / "x" / artifacts.MANIFEST)
    with pytest.raises(DamagedFileError, match=words) as caught:
        artifacts.is_complete(tmp_path / "x", INPUTS)
    assert str(tmp_path / "x" / artifacts.MANIFEST) in str(caught.value)
    assert (tmp_path / "x" / "checkpoint").exists()


def test_what_was_being_removed_is_begun_anew(tmp_path, monkeypatch):
    directory = tmp_path / "teachers" / "birds"
    artifacts.is_complete(directory, INPUTS)
    (directory / "checkpoint").touch()
    artifacts.complete(directory)
    with monkeypatch.context() as patch:
        patch.setattr(artifacts, "_clear", lambda path: None)  # As if it were killed.
        artifacts.remove(tmp_path / "teachers")
    with pytest.raises(MissingArtifactError):
        artifacts.manifest_of(directory, "train_teachers")
    assert not artifacts.is_complete(directory, {"data": "other"})
    assert [path.name for path in directory.iterdir()] == [artifacts.MANIFEST]


def test_manifests_of_earlier_versions_are_read(tmp_path):
    inputs = artifacts.as_json({"schema_version": artifacts.SCHEMA_VERSION, **INPUTS})
    artifacts.write_json(tmp_path / artifacts.MANIFEST, {"inputs": inputs, "complete": True})
    assert artifacts.is_complete(tmp_path, INPUTS)
