"""Dims as sympy expressions. Imported only when a dim is one: sympy is a view, never the hot path."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import sympy

from costmodel.errors import ShapeError

LARGEST_EXPRESSION = 1000  # terms; sympy takes hours over what a hostile chain of shape arithmetic can make


class FloorDiv(sympy.Function):  # type: ignore[misc]  # sympy has no types
    """Integer floor division a // b that stays exact.

    sympy's floor(a / b) lambdifies to floating point and loses an ulp (floor(h/49) gives 0 at h = 49);
    this prints as `//`. Three identities keep expressions short: multiples of b leave the division,
    (x // a + k) // b = (x + k a) // (a b), and x // 1 = x.
    """

    nargs = 2
    is_integer = True

    @classmethod
    def eval(cls, numerator: Any, divisor: Any) -> Any:
        if divisor == 1:
            return numerator
        if numerator.is_Integer and divisor.is_Integer and divisor != 0:
            return sympy.Integer(int(numerator) // int(divisor))
        whole, rest = _split_multiples(expanded(numerator), divisor)
        if rest == 0:
            return whole
        if divisor.is_Integer and divisor > 0:
            inner = _as_shifted_division(rest)
            if inner is not None:
                x, a, shift = inner
                return whole + cls(x + shift * a, a * divisor)
        if whole != 0:
            return whole + cls(rest, divisor)
        return None

    def _eval_is_nonnegative(self) -> bool | None:
        a, b = self.args
        return True if a.is_nonnegative and b.is_positive else None

    def _eval_is_negative(self) -> bool | None:
        a, b = self.args
        return True if a.is_negative and b.is_positive else None

    def _sympystr(self, printer: Any) -> str:
        a, b = (printer.parenthesize(arg, sympy.printing.precedence.PRECEDENCE["Pow"]) for arg in self.args)
        return f"({a}//{b})"

    _pythoncode = _numpycode = _lambdacode = _sympystr

    def _latex(self, printer: Any) -> str:
        a, b = (printer._print(arg) for arg in self.args)
        return rf"\left\lfloor \frac{{{a}}}{{{b}}} \right\rfloor"


def _split_multiples(numerator: Any, divisor: Any) -> tuple[Any, Any]:
    """numerator = whole * divisor + rest, moving every term that divisor divides into whole."""
    whole = rest = sympy.Integer(0)
    for term in sympy.Add.make_args(numerator):
        quotient = term / divisor
        if divisor.is_Integer and term.is_Integer:
            q = int(term) // int(divisor)
            whole += q
            rest += term - q * divisor
        elif quotient.is_integer and quotient.is_polynomial(*quotient.free_symbols):
            whole += quotient
        else:
            rest += term
    return whole, rest


def _as_shifted_division(expression: Any) -> tuple[Any, Any, Any] | None:
    """(x, a, k) where expression is x // a + k with an integer k and a positive integer a."""
    shift = sympy.Integer(0)
    division = None
    for term in sympy.Add.make_args(expression):
        if term.is_Integer:
            shift += term
        elif isinstance(term, FloorDiv) and division is None and term.args[1].is_Integer and term.args[1] > 0:
            division = term
        else:
            return None
    return None if division is None else (division.args[0], division.args[1], shift)


def symbol(name: str) -> Any:
    """A dim that is not yet known: a positive integer."""
    return sympy.Symbol(name, integer=True, positive=True)


def is_expression(value: object) -> bool:
    """Whether value is a sympy expression."""
    return isinstance(value, sympy.Expr)


def simplest(value: Any) -> Any:
    """A constant expression as a Python int, any other expression as it is."""
    return int(value) if getattr(value, "is_Integer", False) else value


def floor_div(a: Any, b: Any) -> Any:
    """a // b."""
    return simplest(FloorDiv(sympy.sympify(a), sympy.sympify(b)))


def minimum(a: Any, b: Any) -> Any:
    """The smaller of two dims, decided where signs decide it."""
    gap = difference(b, a)
    if gap.is_nonnegative or gap.is_nonpositive:
        return simplest(sympy.sympify(a if gap.is_nonnegative else b))
    return _either(sympy.Min, a, b)


def maximum(a: Any, b: Any) -> Any:
    """The larger of two dims, decided where signs decide it."""
    gap = difference(a, b)
    if gap.is_nonnegative or gap.is_nonpositive:
        return simplest(sympy.sympify(a if gap.is_nonnegative else b))
    return _either(sympy.Max, a, b)


def _either(function: Any, a: Any, b: Any) -> Any:
    """Min or Max as it is: to simplify one, sympy takes time that doubles with each one inside it."""
    parts = [part for side in (a, b) for part in (side.args if isinstance(side, function) else (side,))]
    return function(*parts, evaluate=False)


def difference(a: Any, b: Any) -> Any:
    """a - b, expanded; 0 exactly when the two are the same polynomial."""
    return expanded(sympy.sympify(a) - sympy.sympify(b))


def expanded(expression: Any) -> Any:
    """The expression as a sum of products; raises ShapeError where that would take too long."""
    check_length(expression)
    return sympy.expand(expression)


def is_too_long(expression: Any) -> bool:
    """Whether an expression is too long to work with."""
    return _terms(expression) > LARGEST_EXPRESSION


def check_length(expression: Any) -> None:
    """Raise ShapeError for an expression that is too long to work with."""
    if is_too_long(expression):
        raise ShapeError("a size is too long an expression of free dims; give them sizes with --dim NAME=SIZE")


@lru_cache(maxsize=65536)
def _terms(expression: Any) -> int:
    """How many terms the expression has when expanded, at most, with those inside its functions."""
    parts = map(_terms, expression.args)
    if isinstance(expression, sympy.Mul):
        return min(int(math.prod(parts)), LARGEST_EXPRESSION + 1)
    if isinstance(expression, sympy.Pow) and expression.exp.is_Integer:
        power = min(abs(int(expression.exp)), 64)
        return min(int(_terms(expression.base) ** power), LARGEST_EXPRESSION + 1)
    return min(max(1, sum(parts)), LARGEST_EXPRESSION + 1)
