"""How a study's page is written: where it may lie, the figures beside it, and what made it."""

import pathlib
import shlex
from collections.abc import Sequence

from matplotlib.figure import Figure

from kc_jax import artifacts, environment
from kc_jax.config import ConfigError
from kc_jax.stages import report_figures

VERSIONS_OF = ("python", "jax", "kc_jax")


def check_place(page: pathlib.Path) -> None:
    """Refuses a place where no page can be written.

    Args:
      page: path of its file, which --output names.

    Raises:
      ConfigError: it is a folder.
      UnwritableFolderError: nothing can be written in its folder.
    """
    artifacts.make_folder(page.parent, "output")
    if page.is_dir():
        raise ConfigError(
            f"{page} is a folder; name a file, in it or elsewhere, with --output=FILE.md"
        )


def put_figure(figure: Figure, page: pathlib.Path, name: str, words: str) -> str:
    """Writes a figure beside a page, so that a reader never sees half of it.

    Args:
      figure: to write.
      page: path of the page.
      name: what the figure's file has after the page's name.
      words: that stand for it where it cannot be seen.

    Returns:
      The line of Markdown that shows it in the page.
    """
    path = page.with_name(f"{page.stem}_{name}.png")
    artifacts.write_bytes(path, report_figures.to_png(figure))
    return f"![{words}]({path.name})\n"


def made_by(arguments: Sequence[str]) -> str:
    """Says what wrote a page, so that whoever reads it can do it again.

    Args:
      arguments: that the command was given.
    """
    made = environment.describe()
    versions = ", ".join(f"{name} {made['versions'].get(name, '?')}" for name in VERSIONS_OF)
    line = shlex.join(["python", "-m", "kc_jax.study", *arguments])
    return f"Written with {versions}, on {made['device']}, by\n\n```\n{line}\n```\n"
