import pytest

from kc_jax import artifacts, links

INPUTS = {"config": {"seed": 1, "sizes": (2, 3)}, "data": "abc"}


@pytest.fixture
def made_once(tmp_path):
    original = tmp_path / "a" / "generalist"
    artifacts.is_complete(original, INPUTS)
    (original / "weights").write_text("1")
    artifacts.complete(original, digest="d")
    links.share(tmp_path / "a", tmp_path / "links")
    return original


def is_complete_when_shared(directory, inputs=INPUTS):
    with links.shared(directory.parents[1] / "links"):
        return artifacts.is_complete(directory, inputs)


def test_what_was_made_from_the_same_inputs_elsewhere_is_linked(tmp_path, made_once):
    other = tmp_path / "b" / "generalist"
    assert is_complete_when_shared(other)
    assert other.is_symlink() and other.resolve() == made_once
    assert (other / "weights").read_text() == "1"
    assert artifacts.fingerprint_of(other, "s") == artifacts.fingerprint_of(made_once, "s")
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for name in ("a", "b", "links"):
        (tmp_path / name).rename(moved / name)
    assert is_complete_when_shared(moved / "b" / "generalist")


@pytest.mark.parametrize("name, inputs", [
    ("teacher", INPUTS), ("generalist", {**INPUTS, "data": "other"}),
])
def test_other_names_and_inputs_are_not_linked(tmp_path, made_once, name, inputs):
    assert not is_complete_when_shared(tmp_path / "b" / name, inputs)
    assert not (tmp_path / "b" / name).is_symlink()


def test_nothing_is_linked_outside_nor_what_is_begun(tmp_path, made_once):
    assert not artifacts.is_complete(tmp_path / "b" / "generalist", INPUTS)
    (tmp_path / "b" / "generalist" / "checkpoints").mkdir()
    assert not is_complete_when_shared(tmp_path / "b" / "generalist")


def test_links_to_what_was_removed_or_made_anew_are_not_believed(tmp_path, made_once):
    is_complete_when_shared(tmp_path / "b" / "generalist")
    artifacts.remove(made_once)
    assert not is_complete_when_shared(tmp_path / "c" / "generalist")
    assert not is_complete_when_shared(tmp_path / "b" / "generalist")
    assert (tmp_path / "b" / "generalist" / artifacts.MANIFEST).exists()
    artifacts.is_complete(made_once, {**INPUTS, "data": "other"})
    artifacts.complete(made_once)
    assert not is_complete_when_shared(tmp_path / "d" / "generalist")


def test_removing_links_keeps_what_they_point_to(tmp_path, made_once):
    for place in ("b", "c"):
        is_complete_when_shared(tmp_path / place / "generalist")
    artifacts.remove(tmp_path / "b" / "generalist")
    artifacts.remove(tmp_path / "c")
    assert not (tmp_path / "b" / "generalist").exists() and not (tmp_path / "c").exists()
    assert artifacts.is_complete(made_once, INPUTS)
    assert (made_once / "weights").exists()
