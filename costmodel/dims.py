"""Dimension algebra: one arithmetic for three kinds of dims.

A dim is a Python int (one network, exact), a Column (a population of networks, exact int64) or a
sympy expression (a formula). `+`, `-` and `*` work on all three as they are written; what differs
between the kinds (floor division, the smaller of two, agreement of two dims) stands here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeAlias, Union

import numpy as np

from costmodel.columns import Column
from costmodel.errors import ShapeError

if TYPE_CHECKING:
    from sympy import Expr

Dim: TypeAlias = Union[int, Column, "Expr"]
Shape: TypeAlias = tuple[Dim, ...]

LARGEST_RANK = 64  # numpy's own; more dims than this is a damaged file, not a network
LARGEST_TENSOR = 10**30  # elements; beyond any machine, and arithmetic on sizes stays quick


def as_dim(value: Any, what: str = "a dim") -> Dim:
    """value as a dim: an int >= 0, an integer array (one entry a design) as a Column, or an expression.

    Raises ShapeError for a negative number, a fraction or another type; `what` names the subject.
    """
    if isinstance(value, np.ndarray):
        value = Column(value)
    if isinstance(value, Column):
        if value.low < 0 and int(value.values.min()) < 0:
            raise ShapeError(f"{what} is {int(value.values.min())}; sizes are not negative")
        return value
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        if value < 0:
            raise ShapeError(f"{what} is {value}; sizes are not negative")
        return int(value)
    if is_symbolic(value):
        _symbols().check_length(value)
        return _symbols().simplest(value)
    raise ShapeError(f"{what} is {value!r}; a size is an int, an integer column or a sympy expression")


def symbol(name: str) -> Dim:
    """A dim that stays a name: a positive integer symbol."""
    return _symbols().symbol(name)


def is_symbolic(value: object) -> bool:
    """Whether value is a sympy expression. Costs nothing until sympy has been imported by someone."""
    if isinstance(value, int | Column | float) or "sympy" not in sys.modules:
        return False
    return bool(_symbols().is_expression(value))


def is_too_long(expression: Dim) -> bool:
    """Whether a symbolic dim is too long an expression to work with."""
    return bool(_symbols().is_too_long(expression))


def product(dims: Iterable[Dim]) -> Dim:
    """The product of dims; 1 for none, as a scalar has one element."""
    total: Dim = 1
    for dim in dims:
        total = total * dim
    return total


def floor_div(a: Dim, b: Dim) -> Dim:
    """a // b rounded down, exact for every kind of dim."""
    if type(a) is int and type(b) is int:
        return a // b
    if is_symbolic(a) or is_symbolic(b):
        return _symbols().floor_div(a, b)
    return a // b


def ceil_div(a: Dim, b: Dim) -> Dim:
    """a / b rounded up, exact for every kind of dim."""
    return floor_div(a + b - 1, b)


def exact_div(a: Dim, b: Dim, what: str) -> Dim:
    """a / b where b must divide a; raises ShapeError naming `what` where it does not."""
    if isinstance(b, int) and b == 0:
        raise ShapeError(f"{what}: {show(a)} is divided by 0")
    quotient = floor_div(a, b)
    if type(quotient) is int and type(a) is int and type(b) is int:
        exact = quotient * b == a
    else:
        exact = is_symbolic(quotient) or not _differ(quotient * b, a)
    if not exact:
        raise ShapeError(f"{what}: {show(a)} is not a multiple of {show(b)}")
    return quotient


def minimum(a: Dim, b: Dim) -> Dim:
    """The smaller of two dims (element by element for columns)."""
    if isinstance(a, int) and isinstance(b, int):
        return a if a <= b else b
    if isinstance(a, Column):
        return a.minimum(b)
    if isinstance(b, Column):
        return b.minimum(a)
    return _symbols().minimum(a, b)


def maximum(a: Dim, b: Dim) -> Dim:
    """The larger of two dims (element by element for columns)."""
    if isinstance(a, int) and isinstance(b, int):
        return a if a >= b else b
    if isinstance(a, Column):
        return a.maximum(b)
    if isinstance(b, Column):
        return b.maximum(a)
    return _symbols().maximum(a, b)


_assumed_equal: ContextVar[list[tuple[Dim, Dim]] | None] = ContextVar("assumed_equal", default=None)


@contextmanager
def collect_equalities() -> Iterator[list[tuple[Dim, Dim]]]:
    """Within the block, gather every pair of symbolic dims that `same` had to take as equal."""
    pairs: list[tuple[Dim, Dim]] = []
    token = _assumed_equal.set(pairs)
    try:
        yield pairs
    finally:
        _assumed_equal.reset(token)


def same(a: Dim, b: Dim, what: str) -> Dim:
    """The one dim that a and b both are; raises ShapeError naming `what` where they cannot be.

    Two different expressions are taken as equal (a model is valid until numbers say otherwise), the
    pair is given to collect_equalities, and the plainer of the two is returned.
    """
    if a is b or (type(a) is int and a == b):
        return a
    if is_symbolic(a) or is_symbolic(b):
        return _same_expression(a, b, what)
    if _differ(a, b):
        raise ShapeError(f"{what}: {show(a)} against {show(b)}")
    return a if isinstance(a, Column) else b


def _same_expression(a: Dim, b: Dim, what: str) -> Dim:
    difference = _symbols().difference(a, b)
    if difference == 0:
        return a
    pairs = _assumed_equal.get()
    if pairs is None:
        if difference.is_number:
            raise ShapeError(f"{what}: {show(a)} against {show(b)}")
    else:
        pairs.append((a, b))
    if isinstance(a, int):
        return a
    if isinstance(b, int):
        return b
    return a if len(str(a)) <= len(str(b)) else b


def broadcast(a: Dim, b: Dim, what: str) -> Dim:
    """numpy's broadcasting of two dims: the one that is not 1, or the one that both are."""
    if isinstance(a, int) and a == 1:
        return b
    if isinstance(b, int) and b == 1:
        return a
    if isinstance(a, Column) and not is_symbolic(b):
        return _broadcast_columns(a, b, what)
    if isinstance(b, Column) and not is_symbolic(a):
        return _broadcast_columns(b, a, what)
    return same(a, b, what)


def _broadcast_columns(a: Column, b: Dim, what: str) -> Dim:
    values = b.values if isinstance(b, Column) else b
    bad = (a.values != values) & (a.values != 1) & (np.asarray(values) != 1)
    if np.any(bad):
        raise ShapeError(f"{what}: {show(a)} against {show(b)}")
    return Column(np.where(a.values == 1, values, a.values))


def broadcast_shapes(what: str, *shapes: Shape) -> Shape:
    """numpy's broadcasting of whole shapes, aligned at their last dims."""
    rank = max((len(s) for s in shapes), default=0)
    result: list[Dim] = [1] * rank
    for shape in shapes:
        offset = rank - len(shape)
        for i, dim in enumerate(shape):
            result[offset + i] = broadcast(result[offset + i], dim, what)
    return tuple(result)


def check_shape(shape: Shape, what: str) -> None:
    """Raise ShapeError, naming `what`, for dims that are no sizes or that no machine could hold.

    Columns are checked by their own arithmetic, expressions by whoever puts numbers in.
    """
    elements = 1
    for dim in shape:
        if type(dim) is not int:
            as_dim(dim, f"a dim of {what}")
        elif dim > 0:
            elements *= dim
        elif dim < 0:
            raise ShapeError(f"{what} is {_few(shape)}; sizes are not negative")
    if elements > LARGEST_TENSOR or len(shape) > LARGEST_RANK:
        raise ShapeError(f"{what} is {_few(shape)}; no machine holds such a tensor, the model is damaged")


def _few(shape: Shape) -> str:
    return show_shape(shape[:8]) + (f"x... ({len(shape)} dims)" if len(shape) > 8 else "")


def equal(a: Dim, b: Dim) -> bool:
    """Whether two dims are certainly the same."""
    if a is b:
        return True
    if is_symbolic(a) or is_symbolic(b):
        return bool(_symbols().difference(a, b) == 0)
    return not _differ(a, b)


def show(dim: Dim) -> str:
    """A dim as text; a column by its range."""
    if isinstance(dim, Column):
        return f"{int(dim.values.min())}..{int(dim.values.max())}"
    return str(dim)


def show_shape(shape: Shape | None) -> str:
    """A shape as text: 1x3x224x224, `scalar`, or `?` when unknown."""
    if shape is None:
        return "?"
    return "x".join(map(show, shape)) if shape else "scalar"


def _differ(a: Dim, b: Dim) -> bool:
    if isinstance(a, int) and isinstance(b, int):
        return a != b
    left = a.values if isinstance(a, Column) else a
    right = b.values if isinstance(b, Column) else b
    return bool(np.any(left != right))


def _symbols() -> Any:
    """The sympy half, imported on first use."""
    from costmodel import symbols

    return symbols
