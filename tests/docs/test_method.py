"""The tables from a paper to the code name code and tests that are there."""

import ast
import functools
import importlib

import pytest

from tests.docs.commands import ROOT

HEADING = "\n## From the paper to the code\n"


def rows(page):
    """Gives (paper, code, test) of the rows of a page's table."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    table = text.split(HEADING)[1].split("\n## ")[0]
    lines = [line for line in table.splitlines() if line.startswith("| ")][1:]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [(paper.strip("| "), code.strip("`"), test.strip("` "))
            for paper, _, code, test in cells]


def find(name):
    """Gives what a dotted name below kc_jax names."""
    modules = name.split(".")
    for count in range(len(modules), 0, -1):
        try:
            module = importlib.import_module(".".join(["kc_jax", *modules[:count]]))
        except ModuleNotFoundError:
            continue
        return functools.reduce(getattr, modules[count:], module)
    raise AssertionError(f"there is no {name}")


@pytest.mark.parametrize("paper, code, test", [*rows("method.md"), *rows("generations.md")])
def test_code_and_test_are_there(paper, code, test):
    assert callable(find(code))
    path, name = test.split("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    assert name in [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]


def test_all_equations_are_there():
    named = " ".join(paper for paper, _, _ in rows("method.md"))
    for equation in range(1, 7):
        assert f"Eq. {equation}" in named
    for idea in ("F_map", "label smearing", "top K", "Figure 3", "Figure 5", "pvap", "mpvap"):
        assert idea in named


@pytest.mark.parametrize("name", ["core.losses.nothing", "core.nothing.loss", "nothing"])
def test_names_that_are_not_there(name):
    with pytest.raises((AttributeError, AssertionError)):
        find(name)
