"""Options of a network: what its builder function's signature says, and how text becomes a value.

The annotation of a parameter is its kind:

    int         a whole number, at least 1 (at least 0 where the default is 0)
    Dim         the same, and from Python also an integer column or a sympy symbol
    float       a factor above 0, at most 1000
    bool        true, false, 1 or 0
    str         any text without a comma
    Literal[..] one of the texts listed

`resolution` has a kind of its own: one Dim, or height x width.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from costmodel.columns import Column
from costmodel.dims import as_dim, is_symbolic, show
from costmodel.errors import ShapeError, UsageError

LARGEST_FACTOR = 1000.0

_LONGEST_NUMBER = 18  # digits; the longest that every int64 column can hold
_LONGEST_QUOTE = 80  # characters of a bad value that an error message repeats
_TRUTH = {"true": True, "1": True, "false": False, "0": False}
_CHOICES = "Literal["


@dataclass(frozen=True, slots=True)
class Option:
    """A key that may follow a network's name. kind: as in the table above. default: used when left out."""

    name: str
    kind: str
    default: Any

    @property
    def choices(self) -> tuple[str, ...]:
        """The texts that a Literal allows; empty for the other kinds."""
        if not self.kind.startswith(_CHOICES):
            return ()
        return tuple(ast.literal_eval(f"({self.kind[len(_CHOICES) : -1]},)"))

    def parse(self, value: Any, subject: str) -> Any:
        """value (text, or already a Python value) as the option's kind.

        Raises UsageError that names the subject, the option, the value and what would do.
        """
        read = _choice if self.choices else _KINDS[self.kind][0]
        result = read(self, value.strip() if isinstance(value, str) else value)
        if result is None:
            raise UsageError(f"{subject}: {self.name} is {clip(value)}; it takes {self.wanted}")
        return result

    @property
    def wanted(self) -> str:
        """What it takes, in words."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        words = _KINDS[self.kind][1]
        return f"{words}, at least {self.lowest}" if self.kind in ("int", "Dim") else words

    @property
    def lowest(self) -> int:
        """The smallest number that an int or Dim option takes."""
        return 0 if self.default == 0 else 1


def option_of(parameter: inspect.Parameter) -> Option:
    """The option that a keyword-only parameter declares.

    Raises ValueError where it has no default, or a type that is not a kind.
    """
    kind = parameter.annotation if isinstance(parameter.annotation, str) else parameter.annotation.__name__
    if kind not in _KINDS and not kind.startswith(_CHOICES):
        raise ValueError(f"option {parameter.name!r} is a {kind}; see costmodel/zoo/options.py for the kinds")
    if parameter.default is inspect.Parameter.empty:
        raise ValueError(f"option {parameter.name!r} has no default; every option of a network has one")
    return Option(parameter.name, kind, parameter.default)


def show_value(value: Any) -> str:
    """An option's value as it is written in a reference; a column by its range."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "x".join(map(show, value))
    return show(value)


def clip(value: Any) -> str:
    """A bad value as an error message repeats it: one line, and never pages of it."""
    text = " ".join((value if isinstance(value, str) else repr(value)).split())
    return text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 3] + "..."


def _whole(option: Option, value: Any) -> int | None:
    if isinstance(value, str):
        digits = value.isascii() and value.isdigit() and len(value) <= _LONGEST_NUMBER
        value = int(value) if digits else None
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        return None
    return int(value) if value >= option.lowest else None


def _dim(option: Option, value: Any) -> Any:
    if isinstance(value, np.ndarray | Column):
        try:
            column = as_dim(value)
        except ShapeError:
            return None
        return column if isinstance(column, Column) and column.values.min() >= option.lowest else None
    return value if is_symbolic(value) else _whole(option, value)


def _resolution(option: Option, value: Any) -> Any:
    if isinstance(value, str) and "x" in value:
        value = tuple(value.split("x"))
    if not isinstance(value, tuple | list):
        return _dim(option, value)
    sizes = tuple(_dim(option, size) for size in value)
    return sizes if len(sizes) == 2 and all(size is not None for size in sizes) else None


def _factor(option: Option, value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if 0 < number <= LARGEST_FACTOR else None


def _truth(option: Option, value: Any) -> bool | None:
    if isinstance(value, bool | np.bool_):
        return bool(value)
    return _TRUTH.get(str(value).lower()) if isinstance(value, str | int) else None


def _text(option: Option, value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _choice(option: Option, value: Any) -> str | None:
    return value if isinstance(value, str) and value in option.choices else None


# For each kind: how to read a value (None when it cannot be), and what an error message asks for.
_KINDS: dict[str, tuple[Callable[[Option, Any], Any], str]] = {
    "int": (_whole, "a whole number"),
    "Dim": (_dim, "a whole number"),
    "float": (_factor, f"a number above 0, at most {LARGEST_FACTOR:g}"),
    "bool": (_truth, "true, false, 1 or 0"),
    "str": (_text, "a text"),
    "resolution": (_resolution, "a size such as 224, or height x width such as 480x640"),
}
