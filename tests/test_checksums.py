import json

import pytest

from kc_jax import checksums
from kc_jax.checksums import DamagedFileError


@pytest.mark.parametrize("spoil, words", [
    (lambda path: path.unlink(), "it is missing"),
    (lambda path: path.write_bytes(b"ab"), "it has 2 bytes; expected 3"),
    (lambda path: path.write_bytes(b"abd"), "it has the SHA-256 a52d159f…; expected ba7816bf…"),
])
def test_a_file_is_as_it_was_described_or_it_is_said_in_what_it_is_not(tmp_path, spoil, words):
    (tmp_path / "x").write_bytes(b"abc")
    wanted = checksums.describe(tmp_path, ["x"])["x"]
    assert checksums.difference(tmp_path / "x", wanted) == ""
    spoil(tmp_path / "x")
    assert checksums.difference(tmp_path / "x", wanted) == words


def test_a_seal_is_of_the_content_and_the_files_name(tmp_path):
    value = {"a": (1, 2.5), "é": {"b": None, "10": 1, "9": 2}}
    text = json.dumps(checksums.sealed("x.json", value))
    for name in ("x.json", "y.json"):
        (tmp_path / name).write_text(text)
    assert checksums.read_json(tmp_path / "x.json", "run") == json.loads(json.dumps(value))
    with pytest.raises(DamagedFileError, match=r"y\.json is damaged: it does not say what .*; run"):
        checksums.read_json(tmp_path / "y.json", "run")
    (tmp_path / "x.json").write_text(text.replace("2.5", "2.6"))
    with pytest.raises(DamagedFileError, match="by its checksum"):
        checksums.read_json(tmp_path / "x.json", "run")


@pytest.mark.parametrize("content, words", [
    (b"", "it is no JSON"), (b'{"a": 1', "it is no JSON"), (b'"\xff"', "it is no JSON"),
    (b"[1]", "it lacks a"), (b"{}", "it lacks a"), (None, "it cannot be read"),
])
def test_what_cannot_be_read_is_refused_in_one_line(tmp_path, content, words):
    if content is not None:
        (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(DamagedFileError, match=words) as caught:
        checksums.read_json(tmp_path / "x.json", "run it again", needs=["a"])
    assert str(caught.value).startswith(str(tmp_path / "x.json"))
    assert str(caught.value).endswith("; run it again") and "\n" not in str(caught.value)
