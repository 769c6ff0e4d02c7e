import json
import shutil

import pytest

from kc_jax.bundle import Bundle, files


@pytest.fixture
def spoilt(directory, tmp_path):
    return shutil.copytree(directory, tmp_path / "copy")


@pytest.mark.parametrize("name", [*files.REQUIRED, files.CALIBRATION])
def test_a_missing_a_torn_and_a_changed_file_are_named(spoilt, name):
    content = (spoilt / name).read_bytes()
    (spoilt / name).write_bytes(content[:-1])
    with pytest.raises(files.BundleError, match=f"{name} has {len(content) - 1} bytes but"):
        Bundle.load(spoilt)
    (spoilt / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(files.BundleError, match=f"{name} has another SHA-256"):
        Bundle.load(spoilt)
    (spoilt / name).unlink()
    with pytest.raises(files.BundleError, match=f"{name} is missing"):
        Bundle.load(spoilt)


@pytest.mark.parametrize("text, words", [
    ("{", "is not the manifest"),
    ("[]", "is not the manifest"),
    ("{}", "is not the manifest"),
    ('{"schema_version": 99, "files": {}}', "schema version 99, expected 1"),
    ('{"schema_version": 1, "files": {}}', f"does not list {files.PROGRAM}"),
])
def test_a_manifest_of_another_kind_is_refused(spoilt, text, words):
    (spoilt / files.MANIFEST).write_text(text)
    with pytest.raises(files.BundleError, match=words):
        Bundle.load(spoilt)


def test_a_manifest_that_says_something_else_than_was_written_is_refused(spoilt):
    path = spoilt / files.MANIFEST
    path.write_text(path.read_text().replace('"name": "', '"name": "X'))
    with pytest.raises(files.BundleError, match="by its checksum; copy the whole folder again"):
        Bundle.load(spoilt)


@pytest.mark.parametrize("make", [True, False])
def test_a_folder_without_a_bundle_is_named(tmp_path, make):
    folder = tmp_path if make else tmp_path / "nowhere"
    with pytest.raises(files.BundleError, match="is no bundle.*stage export"):
        Bundle.load(folder)


def test_every_file_is_listed_and_the_program_holds_no_weights(directory):
    manifest = json.loads((directory / files.MANIFEST).read_text())
    names = {path.name for path in directory.iterdir()} - {files.MANIFEST}
    assert set(manifest["files"]) == names == {*files.REQUIRED, files.CALIBRATION}
    assert manifest["files"][files.WEIGHTS]["bytes"] > 4 * 192 * 6  # Its largest kernel.
