"""A column: one dim for a whole population of networks, whose arithmetic never wraps."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from costmodel.errors import DimOverflowError, ShapeError

Values = npt.NDArray[np.int64]
_LOWEST, _HIGHEST = -(2**63), 2**63 - 1


class Column:
    """An immutable int64 column of dims with exact arithmetic.

    numpy's own int64 wraps silently. A column carries bounds of its values as Python ints and moves
    them along by interval arithmetic, so that the check costs nothing until a bound leaves int64;
    only then are the values themselves computed exactly, and DimOverflowError is raised if one
    really does not fit.

    values: one-dimensional int64 array, never written to again.
    """

    __slots__ = ("high", "low", "values")
    __array_ufunc__ = None  # ndarray + Column defers to Column.__radd__
    __hash__ = object.__hash__

    def __init__(self, values: npt.ArrayLike, low: int | None = None, high: int | None = None) -> None:
        array = np.asarray(values)
        if array.ndim != 1 or array.dtype.kind not in "iu" or array.size == 0:
            raise ShapeError(
                f"a column of dims is a non-empty one-dimensional integer array, not {array.dtype} of shape "
                f"{array.shape}"
            )
        if low is None or high is None:
            low, high = int(array.min()), int(array.max())
            if high > _HIGHEST:
                raise DimOverflowError(f"a dim of {high} does not fit in int64")
            array = array.astype(np.int64)  # a copy: the caller's array may change later
            array.flags.writeable = False
        self.values: Values = array
        self.low = low
        self.high = high

    def __repr__(self) -> str:
        return f"Column({self.values!r})"

    def __str__(self) -> str:
        """The range: messages are made where nothing is wrong, and the values take long to print."""
        return f"{int(self.values.min())}..{int(self.values.max())}"

    def __len__(self) -> int:
        return len(self.values)

    def _combine(
        self,
        other: Any,
        operation: Callable[[Any, Any], Any],
        corners: Callable[[Column, Column], list[int]],
        swap: bool = False,
    ) -> Any:
        peer = as_column(other)
        if peer is None:
            return NotImplemented
        left, right = (peer, self) if swap else (self, peer)
        if len(left) != len(right) and 1 not in (len(left), len(right)):
            raise ShapeError(f"columns of {len(left)} and of {len(right)} designs meet; a population has one length")
        bounds = corners(left, right)
        low, high = min(bounds), max(bounds)
        if low < _LOWEST or high > _HIGHEST:
            exact = operation(left.values.astype(object), right.values.astype(object))
            low, high = int(exact.min()), int(exact.max())
            if low < _LOWEST or high > _HIGHEST:
                raise DimOverflowError(
                    f"a column of dims reaches {high if high > _HIGHEST else low}, which does not fit in int64; "
                    "price fewer or smaller designs at once"
                )
        return _trusted(operation(left.values, right.values), low, high)

    def __add__(self, other: Any) -> Any:
        if type(other) is int and other == 0:
            return self
        return self._combine(other, np.add, lambda a, b: [a.low + b.low, a.high + b.high])

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        if type(other) is int and other == 0:
            return self
        return self._combine(other, np.subtract, _difference)

    def __rsub__(self, other: Any) -> Any:
        return self._combine(other, np.subtract, _difference, swap=True)

    def __mul__(self, other: Any) -> Any:
        if type(other) is int and 0 < other <= _HIGHEST:
            if other == 1:
                return self
            low, high = self.low * other, self.high * other
            if low >= _LOWEST and high <= _HIGHEST:
                return _trusted(self.values * other, low, high)
        return self._combine(other, np.multiply, _products)

    __rmul__ = __mul__

    def __neg__(self) -> Any:
        return 0 - self

    def __floordiv__(self, other: Any) -> Any:
        if type(other) is int and other == 1:
            return self
        return self._combine(other, _floor_divide, _quotients)

    def __rfloordiv__(self, other: Any) -> Any:
        return self._combine(other, _floor_divide, _quotients, swap=True)

    def __mod__(self, other: Any) -> Any:
        return self - (self // other) * other

    def __rmod__(self, other: Any) -> Any:
        return other - (other // self) * self

    def minimum(self, other: Any) -> Any:
        """Element by element the smaller of two dims."""
        if other is self:
            return self
        return self._combine(other, np.minimum, lambda a, b: [min(a.low, b.low), min(a.high, b.high)])

    def maximum(self, other: Any) -> Any:
        """Element by element the larger of two dims."""
        if other is self:
            return self
        return self._combine(other, np.maximum, lambda a, b: [max(a.low, b.low), max(a.high, b.high)])


def _trusted(values: Values, low: int, high: int) -> Column:
    """A column of the result of an operation on columns, whose bounds are known to hold."""
    column = Column.__new__(Column)
    column.values, column.low, column.high = values, low, high
    return column


def as_column(value: Any) -> Column | None:
    """A column as it is, an int or an integer array as a column, anything else as None."""
    if isinstance(value, Column):
        return value
    if isinstance(value, int | np.integer):
        return _one_value(int(value))
    if isinstance(value, np.ndarray):
        return Column(value)
    return None


@lru_cache(maxsize=4096)
def _one_value(number: int) -> Column:
    if not _LOWEST <= number <= _HIGHEST:
        raise DimOverflowError(f"{number} does not fit in a column of int64 dims")
    return Column(np.array([number], np.int64), number, number)


def _floor_divide(a: Any, b: Any) -> Any:
    if np.any(b == 0):
        raise ZeroDivisionError("a column of dims is divided by zero")
    return a // b


def _difference(a: Column, b: Column) -> list[int]:
    return [a.low - b.high, a.high - b.low]


def _products(a: Column, b: Column) -> list[int]:
    return [a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high]


def _quotients(a: Column, b: Column) -> list[int]:
    if b.low <= 0 <= b.high:
        widest = max(abs(a.low), abs(a.high))
        return [-widest, widest]
    return [a.low // b.low, a.low // b.high, a.high // b.low, a.high // b.high]
