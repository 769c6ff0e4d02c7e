"""Tables of text that people write: CSV and lines of JSON. What is wrong with one names its row."""

import collections
import csv
import json
import os
from collections.abc import Iterable
from typing import Any


def read_csv(path: str | os.PathLike[str]) -> tuple[list[str], list[dict[str, str | None]]]:
    """Reads a CSV with a header.

    Args:
      path: of the file, UTF-8, with or without a byte-order mark.

    Returns:
      The names of the columns, and the rows; cells that a row is short of are None.

    Raises:
      ValueError: it is not well formed; says in which row.
    """
    rows: list[dict] = []
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        try:
            names = list(reader.fieldnames or ())
            refuse_twins(names)
            for row in reader:
                _check_row(row, names)
                rows.append(row)
        except UnicodeDecodeError as error:
            raise ValueError(f"it is not UTF-8 ({error}); save it as UTF-8") from None
        except (csv.Error, ValueError) as error:
            raise ValueError(f"row {len(rows) + 1}: {error}") from None
    return names, rows


def _check_row(row: dict, names: list[str]) -> None:
    more = row.pop(None, [])
    if any(more):
        raise ValueError(
            f"{len(names) + len(more)} cells for {len(names)} columns; put a cell that has a comma "
            "between quotes"
        )
    if any("\0" in cell for cell in row.values() if cell):
        raise ValueError("a cell has a byte of 0; write the file as text")


def refuse_twins(names: Iterable[str]) -> None:
    """Refuses columns of one name.

    Raises:
      ValueError: names the first.
    """
    twins = [name for name, count in collections.Counter(names).items() if name and count > 1]
    if twins:
        raise ValueError(f"there are two columns {twins[0]!r}; rename one")


def read_json_lines(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Reads a file with an object of JSON in each line; blank lines are passed over.

    Args:
      path: of the file, UTF-8, with or without a byte-order mark.

    Raises:
      ValueError: it is not well formed; says in which line.
    """
    rows = []
    with open(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
                if text:
                    rows.append(_read_object(text))
            except (ValueError, RecursionError) as error:
                raise ValueError(f"line {number}: {error}") from None
    return rows


def _read_object(text: str) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("a line is not an object")
    if "\\u" in text:  # Halves of characters can be written like this, and nowhere else.
        json.dumps(found, ensure_ascii=False).encode()
    return found
