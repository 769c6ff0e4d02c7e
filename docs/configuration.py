"""python -m docs.configuration: writes configuration.md from the dataclasses of kc_jax.config."""

import dataclasses
import inspect
import pathlib
import re
import typing
from collections.abc import Iterator
from typing import Any

from configs import common
from kc_jax import config, options

PAGE = pathlib.Path(__file__).with_suffix(".md")
HEADER = """\
# Configuration reference

Written by `python -m docs.configuration` from `kc_jax/config`; a test fails where it is out of
date.

Every option stands under `config.` on the command line, as in
`--config.student.distill_weight=1.0`, and in the run's `config.json`. A config file is Python and
gives these options; defaults are those of `configs/common.py`, with which every shipped preset
begins and some of which it changes. A list is written as a tuple:
`--config.running.sinks="('wandb',)"`.
"""


def page() -> str:
    """Gives the page's text."""
    defaults = config.build(common.get_config("NAME"))
    groups: dict[type, list[str]] = {}
    for path, cls in parts(config.Config):
        for declaring in reversed(cls.__mro__[:-1]):
            if own_fields(declaring):
                groups.setdefault(declaring, []).append(path)
    return HEADER + "".join(section(cls, paths, defaults) for cls, paths in groups.items())


def parts(cls: type, path: str = "") -> Iterator[tuple[str, type]]:
    """Yields the dotted path and the dataclass of every part, the whole first."""
    yield path, cls
    for name, hint in typing.get_type_hints(cls).items():
        if dataclasses.is_dataclass(hint):
            yield from parts(hint, f"{path}.{name}".lstrip("."))


def own_fields(cls: type) -> dict[str, Any]:
    """Gives the options that a dataclass itself declares, without its parts."""
    hints = options.hints_of(cls)
    names = cls.__dict__.get("__annotations__", {})
    return {name: hints[name] for name in names if not dataclasses.is_dataclass(hints[name])}


def section(cls: type, paths: list[str], defaults: config.Config) -> str:
    """Writes the table of one dataclass.

    Args:
      cls: the dataclass.
      paths: where it stands in the configuration.
      defaults: of all options.
    """
    title = ", ".join(f"`{path}`" for path in paths) if paths != [""] else "The run"
    first, *_ = inspect.getdoc(cls).split("\n\n")
    meanings = attributes(cls)
    rows = [
        f"| `{name}` | {expected(hint)} | {default(name, paths, defaults)} | "
        f"{meanings[name]} |\n"
        for name, hint in own_fields(cls).items()
    ]
    return (
        f"\n## {title}\n\n{markdown(first)}\n\n| option | expected | default | meaning |\n"
        f"|---|---|---|---|\n{''.join(rows)}"
    )


def attributes(cls: type) -> dict[str, str]:
    """Reads what a dataclass's docstring says of its attributes.

    Raises:
      ValueError: it leaves one out.
    """
    _, _, listed = inspect.getdoc(cls).partition("Attributes:\n")
    entries = re.findall(r"^  (\w+): (.*?)(?=^  \w|\Z)", listed, re.MULTILINE | re.DOTALL)
    meanings = {name: markdown(text) for name, text in entries}
    missing = [name for name in own_fields(cls) if name not in meanings]
    if missing:
        raise ValueError(f"the docstring of {cls.__name__} says nothing of {', '.join(missing)}")
    return meanings


def markdown(text: str) -> str:
    """Turns a docstring's text into one line of Markdown."""
    return " ".join(text.split()).replace("``", "`").replace("|", "\\|")


def expected(hint: Any) -> str:
    """Says which values an option takes, as its annotation does."""
    kind, constraints = options.parted(hint)
    if any(isinstance(constraint, options.OneOf | options.SomeOf) for constraint in constraints):
        return words(*constraints)
    return ", ".join([kind_of(kind), *map(words, constraints)])


def kind_of(kind: Any) -> str:
    """Names a type that is not a part."""
    if typing.get_origin(kind) is tuple:
        return f"list of {expected(typing.get_args(kind)[0])}"
    return kind.__name__ if typing.get_origin(kind) is None else "options"


def words(constraint: options.Constraint) -> str:
    """Puts a constraint in words, with those that it lists as code."""
    if isinstance(constraint, options.Words):
        return f"{constraint.lead} {', '.join(f'`{word}`' for word in constraint.words)}"
    return str(constraint)


def default(name: str, paths: list[str], defaults: config.Config) -> str:
    """Gives an option's default, network by network where they differ."""
    values = {}
    for path in paths:
        part = defaults
        for key in filter(None, path.split(".")):
            part = getattr(part, key)
        values.setdefault(f"`{getattr(part, name)!r}`", []).append(path.split(".")[0])
    if len(values) == 1:
        return next(iter(values))
    return ", ".join(f"{value} ({', '.join(owners)})" for value, owners in values.items())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
