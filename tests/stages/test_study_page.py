import os

import pytest
from matplotlib.figure import Figure

from kc_jax.config import ConfigError
from kc_jax.stages import study_page


def test_a_page_may_lie_where_there_is_no_folder_yet(tmp_path):
    study_page.check_place(tmp_path / "new" / "table.md")
    assert list((tmp_path / "new").iterdir()) == []
    with pytest.raises(ConfigError, match="new is a folder; name a file"):
        study_page.check_place(tmp_path / "new")


def test_a_figure_lies_beside_its_page(tmp_path):
    line = study_page.put_figure(Figure((1, 1)), tmp_path / "table.md", "losses", "Loss")
    assert line == "![Loss](table_losses.png)\n"
    assert [path.name for path in tmp_path.iterdir()] == ["table_losses.png"]


def test_no_reader_sees_half_of_a_figure(tmp_path, monkeypatch):
    path = tmp_path / "table_losses.png"
    path.write_bytes(b"before")
    replace, seen = os.replace, []
    monkeypatch.setattr(
        os, "replace", lambda a, b: (seen.append(path.read_bytes()), replace(a, b))
    )
    study_page.put_figure(Figure((1, 1)), tmp_path / "table.md", "losses", "Loss")
    assert seen == [b"before"] and path.read_bytes().startswith(b"\x89PNG")


def test_a_page_says_what_wrote_it():
    text = study_page.made_by(["--config=a.py", "--workdir=a folder"])
    assert text.startswith("Written with python ")
    assert text.endswith(
        "\n```\npython -m kc_jax.study --config=a.py '--workdir=a folder'\n```\n"
    )
