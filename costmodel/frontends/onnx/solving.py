"""Sizes of free dims that a graph fixes: found from the pairs of symbolic dims that have to agree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from costmodel.columns import Column
from costmodel.dims import Dim, is_symbolic, symbol
from costmodel.frontends.onnx.free_dims import FreeDim

LARGEST_SOLUTION = 4096
MOST_EQUALITIES = 200  # the first few settle what can be settled


def solve(equalities: Iterable[tuple[Dim, Dim]], free: Sequence[FreeDim]) -> dict[str, Dim]:
    """Sizes for assumed dims under which pairs of symbolic dims agree; {} where none are found.

    Each pair is settled in turn by the one assumed dim in it, or by two that are taken as equal (a
    height and a width). The smallest size up to LARGEST_SOLUTION that fits is taken.
    """
    sizes: dict[str, Dim] = {dim.name: dim.size for dim in free}
    solved: dict[str, Dim] = {}
    for left, right in islice(dict.fromkeys(equalities), MOST_EQUALITIES):
        unknown = [n for n in _names(left) | _names(right) if n in sizes and n not in solved]
        found = _agree(left, right, sizes, sorted(unknown)) if unknown else {}
        sizes.update(found)
        solved.update(found)
    return solved


def _names(dim: Any) -> set[str]:
    return {s.name for s in dim.free_symbols} if is_symbolic(dim) else set()


def _agree(left: Dim, right: Dim, sizes: Mapping[str, Dim], unknown: list[str]) -> dict[str, Dim]:
    import sympy

    names = sorted(_names(left) | _names(right))
    if any(n not in sizes or isinstance(sizes[n], Column) or is_symbolic(sizes[n]) for n in names):
        return {}
    symbols: list[Any] = [symbol(n) for n in names]
    try:
        residual = sympy.lambdify(symbols, sympy.sympify(left) - sympy.sympify(right), modules="math", dummify=True)
    except SyntaxError:
        return {}  # nested deeper than Python's parser goes
    current = [sizes[n] for n in names]
    if _is_zero(residual, current):
        return {}
    for group in [*([name] for name in reversed(unknown)), unknown]:
        for size in range(1, LARGEST_SOLUTION + 1):
            if _is_zero(residual, [size if n in group else c for n, c in zip(names, current, strict=True)]):
                return dict.fromkeys(group, size)
    return {}


def _is_zero(residual: Callable[..., Any], values: Sequence[Dim]) -> bool:
    try:
        return bool(residual(*values) == 0)
    except ArithmeticError:
        return False  # a size that makes a divisor 0 is no solution
