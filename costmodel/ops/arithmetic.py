"""Arithmetic on single elements as ONNX does it: ints stay exact, floats round, formulas of free dims stay formulas.

Each function raises ArithmeticError, TypeError or ValueError for what has no value that is known before the run.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from costmodel.columns import Column
from costmodel.dims import floor_div, is_symbolic, is_too_long, maximum, minimum

INTEGER_RANGES = {
    **{f"int{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": (0, 2**bits - 1) for bits in (8, 16, 32, 64)},
}
_WIDEST = (-(2**63), 2**64 - 1)  # of int64 and uint64, for whole numbers in tensors of other types
_ROUNDED: dict[str, Callable[[float], Any]] = {"float32": np.float32, "float16": np.float16}


def stored(item: Any, dtype: str) -> Any:
    """An element as a tensor of that type holds it: in float32, 10 x 0.7 is 7 and not a little less.

    Raises ValueError for an integer that leaves the type's range (in the run it wraps), and for a
    formula that is too long.
    """
    if is_symbolic(item):
        if is_too_long(item):
            raise ValueError("too long a formula")
        return item
    if isinstance(item, float) and dtype in INTEGER_RANGES:
        item = int(item)
    elif isinstance(item, int | float) and dtype in _ROUNDED:
        nearest = _rounded(item, dtype)
        item = item if item == nearest else nearest
    low, high = INTEGER_RANGES.get(dtype, _WIDEST)
    if isinstance(item, int) and not low <= item <= high:
        raise ValueError("out of the range of its type")
    return item


def _rounded(number: float, dtype: str) -> float:
    """The nearest number of a float type; infinity beyond its largest."""
    with np.errstate(over="ignore"):
        return float(_ROUNDED[dtype](number))


def rational(a: Any) -> Any:
    """A float next to a symbol as the fraction that it stands for: 0.7 as 7/10, in float32 too."""
    if not isinstance(a, float):
        return a
    import sympy

    plain = Fraction(a).limit_denominator(1000)
    is_meant = a in (float(plain), _rounded(float(plain), "float32"))
    return sympy.Rational(plain if is_meant else Fraction(a))


def add(a: Any, b: Any) -> Any:
    """a + b."""
    return a + b


def multiply(a: Any, b: Any) -> Any:
    """a x b."""
    return rational(a) * rational(b) if is_symbolic(a) or is_symbolic(b) else a * b


def ratio(a: Any, b: Any) -> Any:
    """a / b of floats."""
    if is_symbolic(a) or is_symbolic(b):
        return rational(a) / rational(b)
    return a // b if isinstance(a, int) and isinstance(b, int) and a % b == 0 else a / b


def quotient(a: Any, b: Any) -> Any:
    """a / b of integers, toward zero; a formula whose sign is not known is taken as a size."""
    below_zero = a.is_nonpositive if is_symbolic(a) else a < 0
    if not is_symbolic(b) and b < 0:
        below_zero = not below_zero
    return -floor_div(-a, b) if below_zero else floor_div(a, b)


def rest(a: Any, b: Any) -> Any:
    """The rest of a / b with the sign of b."""
    return a - floor_div(a, b) * b


def rest_signed_like_a(a: Any, b: Any) -> Any:
    """The rest of a / b with the sign of a: C's fmod."""
    if isinstance(a, float) or isinstance(b, float):
        return math.fmod(a, b)
    return a - quotient(a, b) * b


def power(a: Any, b: Any) -> Any:
    """a to the power of b."""
    if isinstance(b, int) and abs(b) > 64 and a not in (-1, 0, 1):
        raise ValueError("out of the range of every integer type")
    return a**b


def root(a: Any) -> Any:
    """The square root."""
    return a**0.5 if is_symbolic(a) else math.sqrt(a)


def smaller(a: Any, b: Any) -> Any:
    """The smaller of two numbers or formulas."""
    return min(a, b) if _are_numbers(a, b) else minimum(rational(a), rational(b))


def larger(a: Any, b: Any) -> Any:
    """The larger of two numbers or formulas."""
    return max(a, b) if _are_numbers(a, b) else maximum(rational(a), rational(b))


def _are_numbers(*items: Any) -> bool:
    return all(isinstance(item, int | float) for item in items)


def floor(a: Any) -> Any:
    """The next integer below."""
    return floor_div(*a.as_numer_denom()) if is_symbolic(a) else math.floor(a)


def ceil(a: Any) -> Any:
    """The next integer above."""
    return -floor(-a)


def whole(a: Any) -> Any:
    """The next integer toward zero."""
    return quotient(*a.as_numer_denom()) if is_symbolic(a) else int(a)


def equal(a: Any, b: Any) -> Any:
    """Whether a is b; a condition on free dims where it depends on them."""
    if is_symbolic(a) or is_symbolic(b):
        import sympy

        return sympy.Eq(rational(a), rational(b))
    if isinstance(a, Column) or isinstance(b, Column):
        raise ValueError("the designs of a population differ")
    return a == b
