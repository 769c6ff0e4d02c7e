"""Dataclasses whose fields say what values they take, and building them from nested mappings.

A field's type is annotated with its constraints, as in ``Annotated[int, Above(0)]``.
"""

import dataclasses
import difflib
import itertools
import math
import typing
from typing import Annotated, Any

from kc_jax.errors import UserError


class ConfigError(UserError, ValueError):
    """Names the option that is wrong, what was expected, and the remedy."""


class Constraint:
    """Says which values an option takes; as a string, in words that follow "expected"."""

    def allows(self, value) -> bool:
        """Tells whether an option may have a value of its type."""
        raise NotImplementedError

    def check(self, path: str, value) -> None:
        """Raises a ConfigError that names the option where its value is not allowed."""
        if not self.allows(value):
            raise ConfigError(f"{path} is {value!r}; expected {self}")


@dataclasses.dataclass(frozen=True)
class Above(Constraint):
    """Takes numbers above one."""

    bound: float

    def __str__(self):
        return f"more than {self.bound}"

    def allows(self, value) -> bool:
        return value > self.bound


@dataclasses.dataclass(frozen=True)
class AtLeast(Constraint):
    """Takes a number and all above it."""

    bound: float

    def __str__(self):
        return f"at least {self.bound}"

    def allows(self, value) -> bool:
        return value >= self.bound


@dataclasses.dataclass(frozen=True)
class Below(Constraint):
    """Takes numbers below one."""

    bound: float

    def __str__(self):
        return f"less than {self.bound}"

    def allows(self, value) -> bool:
        return value < self.bound


@dataclasses.dataclass(frozen=True)
class Within(Constraint):
    """Takes two numbers and all between them."""

    low: float
    high: float

    def __str__(self):
        return f"{self.low} to {self.high}"

    def allows(self, value) -> bool:
        return self.low <= value <= self.high


@dataclasses.dataclass(frozen=True)
class Not(Constraint):
    """Takes all numbers but one."""

    number: float

    def __str__(self):
        return f"other than {self.number}"

    def allows(self, value) -> bool:
        return value != self.number


@dataclasses.dataclass(frozen=True)
class Increasing(Constraint):
    """Takes lists of numbers, each above the one before."""

    def __str__(self):
        return "increasing"

    def allows(self, value) -> bool:
        return all(a < b for a, b in itertools.pairwise(value))


class Words(Constraint):
    """Knows a few words.

    Args:
      *words: the words.

    Attributes:
      lead: what stands before them where they are listed.
      words: the words.
    """

    lead: str

    def __init__(self, *words: str):
        self.words = words

    def __str__(self):
        return f"{self.lead} {', '.join(self.words)}"


class OneOf(Words):
    """Takes one of a few words."""

    lead = "one of"

    def allows(self, value) -> bool:
        return value in self.words


class SomeOf(Words):
    """Takes lists of some of a few words."""

    lead = "some of"

    def check(self, path: str, value) -> None:
        for word in value:
            if word not in self.words:
                raise ConfigError(f"{path} has {word!r}; expected {self}")


class NameOtherThan(Words):
    """Takes names as variables have them, but for some that are taken."""

    lead = "a word of letters, digits and underscores other than"

    def allows(self, value) -> bool:
        return value.isidentifier() and value not in self.words


Positive = Annotated[int, Above(0)]
NotNegative = Annotated[int, AtLeast(0)]
Seed = Annotated[int, AtLeast(0), Below(2**32)]
Share = Annotated[float, Within(0, 1)]


def parted(hint) -> tuple[Any, tuple[Constraint, ...]]:
    """Parts an annotation into the type and the constraints."""
    if typing.get_origin(hint) is Annotated:
        return typing.get_args(hint)[0], hint.__metadata__
    return hint, ()


def hints_of(cls: type) -> dict[str, Any]:
    """Gives a dataclass's annotations with their constraints, by field."""
    return typing.get_type_hints(cls, include_extras=True)


def words_of(cls: type, name: str) -> tuple[str, ...]:
    """Gives the words that an option of a dataclass may have."""
    (found,) = (c for c in parted(hints_of(cls)[name])[1] if isinstance(c, Words))
    return found.words


def build_part(cls: type, options: Any, path: str = "config"):
    """Builds a dataclass and checks its values.

    Args:
      cls: the dataclass.
      options: nested mapping with exactly its fields.
      path: where the part stands, for errors.

    Raises:
      ConfigError: on an unknown, missing, wrongly typed or impossible option.
    """
    values = dict(_items(options, path))
    hints = hints_of(cls)
    for key in values:
        if key not in hints:
            close = difflib.get_close_matches(key, hints, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else "."
            raise ConfigError(f"{path}.{key} is unknown{hint} Options here: {', '.join(hints)}")
    missing = [key for key in hints if key not in values]
    if missing:
        raise ConfigError(f"{path}.{missing[0]} is missing; add it to the config file")
    return cls(**{key: _value(hints[key], values[key], f"{path}.{key}") for key in hints})


def _items(options: Any, path: str):
    if not hasattr(options, "items"):
        raise ConfigError(f"{path} is {options!r}; expected a group of options")
    return options.items()


def _value(hint, value, path: str):
    kind, constraints = parted(hint)
    built = _typed(kind, value, path)
    for constraint in constraints:
        constraint.check(path, built)
    if kind is float and not math.isfinite(built):
        raise ConfigError(f"{path} is {built!r}; expected a finite number")
    return built


def _typed(kind, value, path: str):
    if dataclasses.is_dataclass(kind):
        return build_part(kind, value, path)
    origin = typing.get_origin(kind)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{path} is {value!r}; expected a list")
        element, _ = typing.get_args(kind)
        return tuple(_value(element, v, f"{path}[{i}]") for i, v in enumerate(value))
    if origin is not None:
        _, inner = typing.get_args(kind)
        return {key: _value(inner, v, f"{path}.{key}") for key, v in _items(value, path)}
    if kind is Any:
        return value
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise ConfigError(f"{path} is {value!r}; expected a value of type {kind.__name__}")
    return value
