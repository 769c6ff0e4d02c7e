"""Tables on a terminal."""

from rich.box import SIMPLE_HEAD
from rich.table import Table


def plain_table(*headings: str, title: str | None = None) -> Table:
    """Begins a table without a frame, whose first column is of words and the others of numbers.

    Args:
      *headings: of the columns; more can be added.
      title: above it.
    """
    table = Table(
        title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 0, 0, 1),
    )
    for heading in headings:
        table.add_column(heading, justify="right" if table.columns else "left")
    return table
