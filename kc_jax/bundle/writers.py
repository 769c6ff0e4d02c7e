"""Answers as text for people, as JSON lines, and as Parquet."""

import contextlib
import dataclasses
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

from kc_jax.bundle.loaded import Name
from kc_jax.errors import UserError, one_line

ROW_GROUP = 4096  # Rows of a Parquet file that are held back and written together.


class OutputError(UserError, ValueError):
    """Says why nothing can be written."""


def as_fields(names: list[Name]) -> list[dict[str, Any]]:
    """Gives names as JSON has them."""
    return [dataclasses.asdict(name) for name in names]


def as_text(file: str, names: list[Name]) -> str:
    """Gives an image's names as lines that people read."""
    lines = [one_line(file)]
    for name in names:
        place = " < ".join([*(ancestor.name for ancestor in name.ancestors), name.vertical])
        doubt = "  (below the vertical's threshold)" if name.above_threshold is False else ""
        lines.append(f"  {100 * name.probability:5.1f} %  {name.name}  [{place}]{doubt}")
    return "\n".join(lines)


@contextlib.contextmanager
def open_writer(kind: str, output: str | None) -> Iterator[Callable[[str, list[Name]], None]]:
    """Opens where answers go; gives the function (file, names) that writes one.

    Args:
      kind: a key of `WRITERS`.
      output: path of a file; None for the standard output.

    Raises:
      OutputError: it cannot be opened.
    """
    try:
        with WRITERS[kind](output) as write:
            yield write
    except IsADirectoryError:
        raise OutputError(f"--output={output} is a folder; give the name of a file") from None
    except FileNotFoundError:
        raise OutputError(f"--output={output} is in a folder that does not exist") from None
    except (NotADirectoryError, PermissionError) as error:
        raise OutputError(
            f"--output={output} cannot be written: {error.strerror}; name another file"
        ) from None


@contextlib.contextmanager
def _open_lines(output: str | None, line_of: Callable):
    with contextlib.ExitStack() as stack:
        file = sys.stdout
        if output is not None:
            file = stack.enter_context(open(output, "w", encoding="utf-8"))
        yield lambda path, names: print(line_of(path, names), file=file)
        file.flush()


def _open_text(output: str | None):
    return _open_lines(output, as_text)


def _open_jsonl(output: str | None):
    return _open_lines(output, lambda file, names: json.dumps(
        {"file": file, "names": as_fields(names)}, ensure_ascii=False
    ))


@contextlib.contextmanager
def _open_parquet(output: str | None):
    if output is None:
        raise OutputError("--format=parquet needs a file; add --output=NAMES.parquet")
    import pyarrow as pa  # Imported here, as it takes a second that other formats need not wait.
    from pyarrow import parquet

    schema, rows = _parquet_schema(pa), []

    with parquet.ParquetWriter(output, schema) as writer:
        def flush():
            writer.write_table(pa.Table.from_pylist(rows, schema))
            rows.clear()

        def write(file, names):
            rows.append({"file": file, "names": as_fields(names)})
            if len(rows) == ROW_GROUP:
                flush()

        yield write
        flush()


def _parquet_schema(pa):
    ancestor = pa.struct({
        "class_id": pa.int32(), "name": pa.string(), "probability": pa.float32(),
    })
    name = pa.struct({
        "class_id": pa.int32(), "name": pa.string(), "vertical": pa.string(),
        "probability": pa.float32(), "logit": pa.float32(), "above_threshold": pa.bool_(),
        "ancestors": pa.list_(ancestor),
    })
    return pa.schema({"file": pa.string(), "names": pa.list_(name)})


WRITERS = {"text": _open_text, "jsonl": _open_jsonl, "parquet": _open_parquet}
