"""A user's own capacity, `module:function`: a training run, a predictor, any judgement of a design.

The module is imported as `python -m` would import it: from the working directory, then from where Python looks for
modules. The function takes a Design and returns a number, the larger the better. One that has the attribute
`vectorised = True` takes a list of designs and returns as many numbers. It may take as long as it likes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from costmodel.errors import UsageError
from search.design import Design

_SHOWN = 200  # characters of an error of somebody else's


@dataclass(frozen=True)
class UserFunction:
    """A function that scores designs. name: `module:function`. summary: its docstring's first line, or its name."""

    name: str
    summary: str
    function: Callable[..., Any]
    vectorised: bool

    def __call__(self, designs: Sequence[Design]) -> npt.NDArray[np.float64]:
        """(designs,) what the function says of each.

        Raises UsageError, naming the function and the design, where it raises or returns no finite number.
        """
        if not designs:
            return np.zeros(0)
        if not self.vectorised:
            return np.array([self._number(self._call(design, [design]), design) for design in designs])
        values = self._call(list(designs), designs)
        try:
            count = len(values)
        except TypeError:
            raise UsageError(f"capacity {self.name}: it returned {_clip(values)}; {_WANTED_MANY}") from None
        if count != len(designs):
            raise UsageError(
                f"capacity {self.name}: it returned {count} numbers for {len(designs)} designs; {_WANTED_MANY}"
            )
        return np.array([self._number(value, design) for value, design in zip(values, designs, strict=True)])

    def _call(self, argument: Design | list[Design], designs: Sequence[Design]) -> Any:
        try:
            return self.function(argument)
        except (Exception, SystemExit) as error:
            what = designs[0].reference if len(designs) == 1 else f"{len(designs)} designs from {designs[0].reference}"
            raise UsageError(f"capacity {self.name}: it raised {_words(error)}, for {what}") from error

    def _number(self, value: Any, design: Design) -> float:
        try:
            number = float("nan") if isinstance(value, str | bytes) else float(value)
        except Exception:  # whatever somebody else's type raises that is no number, or none that fits
            number = float("nan")
        if not np.isfinite(number):
            raise UsageError(
                f"capacity {self.name}: it returned {_clip(value)}, for {design.reference}; return a finite number"
            )
        return number


_WANTED_MANY = "being vectorised, it takes a list of designs and returns a number for each"


def load(name: str) -> UserFunction:
    """The function that `module:function` names.

    Raises UsageError where the module cannot be imported or has no such function, with what would do.
    """
    module_name, _, function_name = name.partition(":")
    if not all(part.isidentifier() for part in (*module_name.split("."), function_name)):
        raise UsageError(f"capacity {_clip(name)}: is no module:function; write it such as train:accuracy of train.py")
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise UsageError(f"capacity {name}: importing {module_name} raised {_words(error)}") from error
        raise UsageError(
            f"capacity {name}: there is no module {error.name!r} in the working directory or where Python looks; "
            "start where it lies, or install it"
        ) from None
    except (Exception, SystemExit) as error:
        raise UsageError(f"capacity {name}: importing {module_name} raised {_words(error)}") from error
    function = getattr(module, function_name, None)
    if not callable(function):
        state = "has no" if function is None else "has something else that is called"
        raise UsageError(f"capacity {name}: {module_name} {state} {function_name!r}; name a function of it")
    summary = (getattr(function, "__doc__", None) or "").strip().partition("\n")[0] or f"{name}, the user's own"
    return UserFunction(name, summary, function, bool(getattr(function, "vectorised", False)))


def _words(error: BaseException) -> str:
    return _clip(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)


def _clip(value: Any) -> str:
    """One line of it, cut where it is long."""
    text = " ".join((value if isinstance(value, str) else repr(value)).split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
