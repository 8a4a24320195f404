"""One arithmetic for three kinds of dims: an int, a column of a population and an expression agree exactly."""

from __future__ import annotations

from collections.abc import Callable
from operator import add, floordiv, mod, mul, sub
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from costmodel.columns import Column
from costmodel.dims import (
    LARGEST_TENSOR,
    Dim,
    as_dim,
    broadcast,
    broadcast_shapes,
    ceil_div,
    check_shape,
    collect_equalities,
    equal,
    exact_div,
    floor_div,
    is_symbolic,
    maximum,
    minimum,
    product,
    same,
    show,
    show_shape,
    symbol,
)
from costmodel.errors import DimOverflowError, ShapeError
from costmodel.symbols import LARGEST_EXPRESSION, FloorDiv

LOWEST, HIGHEST = -(2**63), 2**63 - 1
EXACT = settings(derandomize=True, database=None, deadline=None)

size = st.integers(0, 10**6)
positive = st.integers(1, 10**4)
int64 = st.integers(LOWEST, HIGHEST) | st.sampled_from([LOWEST, LOWEST + 1, -1, 0, 1, HIGHEST - 1, HIGHEST])

OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "+": add,
    "-": sub,
    "*": mul,
    "floor_div": floor_div,
    "ceil_div": ceil_div,
    "minimum": minimum,
    "maximum": maximum,
}
PYTHON: dict[str, Callable[[int, int], int]] = {
    "+": add,
    "-": sub,
    "*": mul,
    "floor_div": floordiv,
    "ceil_div": lambda a, b: -(-a // b),
    "minimum": min,
    "maximum": max,
}


def put_in(expression: Any, **sizes: int) -> int:
    """An expression's value for sizes of its symbols."""
    if not is_symbolic(expression):
        return int(expression)
    return int(expression.subs({symbol(name): number for name, number in sizes.items()}))


@pytest.mark.parametrize("name", OPERATIONS)
@EXACT
@given(a=st.lists(size, min_size=3, max_size=3), b=st.lists(positive, min_size=3, max_size=3))
def test_int_column_and_expression_agree(name: str, a: list[int], b: list[int]) -> None:
    operation = OPERATIONS[name]
    expected = [PYTHON[name](x, y) for x, y in zip(a, b, strict=True)]
    assert [operation(x, y) for x, y in zip(a, b, strict=True)] == expected
    assert operation(Column(a), Column(b)).values.tolist() == expected
    assert operation(Column(a), b[0]).values.tolist() == [PYTHON[name](x, b[0]) for x in a]
    assert operation(a[0], Column(b)).values.tolist() == [PYTHON[name](a[0], y) for y in b]
    n, m = symbol("n"), symbol("m")
    if a[0] > 0:
        assert put_in(operation(n, m), n=a[0], m=b[0]) == expected[0]
        assert put_in(operation(n, b[0]), n=a[0]) == expected[0]
    assert put_in(operation(a[0], m), m=b[0]) == expected[0]


# -- columns


@EXACT
@given(a=st.lists(int64, min_size=1, max_size=5), b=int64)
@pytest.mark.parametrize("name", ["+", "-", "*", "floor_div", "minimum", "maximum"])
def test_a_column_is_exact_or_says_that_it_does_not_fit(name: str, a: list[int], b: int) -> None:
    """numpy alone would wrap: 2**62 * 2 is -2**63 there."""
    assume(name != "floor_div" or b != 0)
    expected = [PYTHON[name](x, b) for x in a]
    if min(expected) >= LOWEST and max(expected) <= HIGHEST:
        assert OPERATIONS[name](Column(a), b).values.tolist() == expected
    else:
        with pytest.raises(DimOverflowError, match="does not fit"):
            OPERATIONS[name](Column(a), b)


@EXACT
@given(
    start=st.lists(st.integers(0, 2**31), min_size=2, max_size=4),
    steps=st.lists(
        st.tuples(st.sampled_from(["+", "-", "*", "floor_div", "ceil_div", "minimum", "maximum"]), positive)
    ),
)
def test_a_chain_of_operations_is_exact_or_says_so(start: list[int], steps: list[tuple[str, int]]) -> None:
    """The bounds that a column carries along are never narrower than its values."""
    column, numbers = Column(start), list(start)
    for name, number in steps:
        numbers = [PYTHON[name](x, number) for x in numbers]
        try:
            column = OPERATIONS[name](column, number)
        except DimOverflowError:
            intermediate = [x + number - 1 for x in numbers] if name == "ceil_div" else numbers
            assert max(map(abs, intermediate)) > HIGHEST
            return
        assert column.values.tolist() == numbers
        assert column.low <= min(numbers)
        assert column.high >= max(numbers)


@EXACT
@given(a=size, b=positive)
def test_the_rest_of_a_division_agrees(a: int, b: int) -> None:
    assert mod(Column([a]), b).values.tolist() == [a % b]
    assert mod(a, Column([b])).values.tolist() == [a % b]


def test_overflow_is_caught_where_only_one_design_is_too_large() -> None:
    widths = Column([1, 10, 2**32])
    with pytest.raises(DimOverflowError, match=str(2**64)):
        _ = widths * widths
    assert (widths * Column([5, 5, 2**30])).values.tolist() == [5, 50, 2**62]


def test_a_column_is_a_copy_that_cannot_be_written() -> None:
    array = np.array([1, 2, 3], np.int32)
    column = Column(array)
    array[0] = 99
    assert column.values.tolist() == [1, 2, 3]
    assert column.values.dtype == np.int64
    with pytest.raises(ValueError, match="read-only"):
        column.values[0] = 5


@pytest.mark.parametrize("bad", [[], [1.5], [[1, 2]], ["a"], [True]])
def test_what_is_no_column_of_integers_is_refused(bad: list[Any]) -> None:
    with pytest.raises(ShapeError, match="integer array"):
        Column(np.array(bad))


def test_columns_of_different_populations_do_not_meet() -> None:
    with pytest.raises(ShapeError, match="columns of 2 and of 3 designs"):
        _ = Column([1, 2]) + Column([1, 2, 3])
    assert (Column([1, 2]) * Column([3])).values.tolist() == [3, 6]


def test_arrays_and_columns_mix_in_any_order() -> None:
    assert (np.array([1, 2]) + Column([3, 4])).values.tolist() == [4, 6]
    assert (Column([3, 4]) - np.array([1, 2])).values.tolist() == [2, 2]
    assert (10 // Column([3, 4])).values.tolist() == [3, 2]
    assert (-Column([3, 4])).values.tolist() == [-3, -4]
    with pytest.raises(TypeError):
        _ = Column([1]) * 0.5


def test_a_number_beyond_int64_does_not_enter_a_column() -> None:
    with pytest.raises(DimOverflowError):
        _ = Column([1]) * 2**64
    with pytest.raises(DimOverflowError):
        Column(np.array([2**63], np.uint64))


def test_division_by_zero_is_an_error_and_not_a_zero() -> None:
    with pytest.raises(ZeroDivisionError):
        _ = Column([1, 2]) // Column([1, 0])
    with pytest.raises(ShapeError, match="divided by 0"):
        exact_div(6, 0, "channels")


# -- expressions


@EXACT
@given(a=st.integers(-(10**30), 10**30), b=st.integers(-(10**12), 10**12).filter(bool))
def test_floor_division_of_numbers_is_pythons(a: int, b: int) -> None:
    assert FloorDiv(sympy.Integer(a), sympy.Integer(b)) == a // b


number = st.integers(-50, 50)
divisor = st.integers(1, 12)


@settings(EXACT, max_examples=120)
@given(
    n=st.integers(1, 500),
    m=st.integers(1, 500),
    factors=st.tuples(number, number, number, number),
    first=divisor,
    second=divisor | st.integers(-12, -1),
    shift=number,
)
def test_what_floor_division_simplifies_stays_the_same_number(
    n: int, m: int, factors: tuple[int, ...], first: int, second: int, shift: int
) -> None:
    """Sums of multiples, divisions within divisions, and divisors that are symbols themselves."""
    k = sympy.Integer(1)
    x, y = symbol("n"), symbol("m")
    a, b, c, d = factors

    def terms(n: Any, m: Any) -> Any:
        return a * n + b * m + c * n * m + d * k

    def nested(divide: Callable[[Any, Any], Any], n: Any, m: Any) -> list[Any]:
        inner = divide(terms(n, m), first)
        return [
            inner,
            divide(inner + shift, second),
            divide(inner + shift * n, second),
            divide(2 * inner + m, second),
            divide(terms(n, m), n),
            divide(terms(n, m) * m, n * m),
            divide(divide(n, first) * first + m, first),
        ]

    for expression, expected in zip(nested(FloorDiv, x, y), nested(floordiv, n, m), strict=True):
        assert expression.subs({x: n, y: m}) == int(expected), expression
        assert sympy.lambdify((x, y), expression, modules="math")(n, m) == int(expected)


@pytest.mark.parametrize("modules", ["math", "numpy", []])
def test_lambdify_prints_integer_division(modules: Any) -> None:
    """floor(h/49) in floating point is 0 at h = 49."""
    h = symbol("h")
    divide = sympy.lambdify(h, FloorDiv(h, 49), modules=modules)
    assert divide(49) == 1
    assert divide(49 * 10**17 - 1) == 10**17 - 1
    assert "//" in str(FloorDiv(h + 1, 2))
    assert "lfloor" in sympy.latex(FloorDiv(h, 2))


def test_divisions_join_and_multiples_leave() -> None:
    h, w = symbol("h"), symbol("w")
    half = floor_div(h - 1, 2) + 1
    assert equal(floor_div(half - 1, 2) + 1, floor_div(h - 1, 4) + 1)
    assert floor_div(h * w, h) == w
    assert floor_div(4 * h + 7, 4) == h + 1
    assert floor_div(h, 1) == h
    assert exact_div(h * w * 6, 2 * w, "x") == 3 * h


def test_signs_decide_the_smaller_and_the_larger() -> None:
    n, m = symbol("n"), symbol("m")
    assert maximum(n - 1, 0) == n - 1
    assert minimum(n, n + m) == n
    assert maximum(3, 5) == 5
    both = minimum(minimum(n, m), 7)
    assert put_in(both, n=9, m=8) == 7
    assert put_in(both, n=9, m=2) == 2
    assert both == minimum(7, minimum(m, n))


def grown(size: Any, times: int) -> Any:
    for _ in range(times):
        size = as_dim(size * size + floor_div(size, 3))
    return size


def test_an_expression_that_grows_without_end_is_refused() -> None:
    """sympy would expand 2**40 terms."""
    n = symbol("n")
    with pytest.raises(ShapeError, match="--dim"):
        grown(n, 40)
    with pytest.raises(ShapeError, match="--dim"):
        equal((n + 1) ** (LARGEST_EXPRESSION * 10), n)


# -- agreement of dims


@EXACT
@given(a=st.integers(0, 6), b=st.integers(0, 6))
def test_broadcasting_is_numpys(a: int, b: int) -> None:
    try:
        expected = np.broadcast_shapes((a,), (b,))[0]
    except ValueError:
        for left, right in ((a, b), (Column([a]), b), (a, Column([b])), (Column([a]), Column([b]))):
            with pytest.raises(ShapeError, match="against"):
                broadcast(left, right, "dims")
    else:
        assert broadcast(a, b, "dims") == expected
        assert broadcast(Column([a]), b, "dims").values.tolist() == [expected] if a != b and b != 1 else True
        assert broadcast(Column([a]), Column([b]), "dims").values.tolist() == [expected]


@EXACT
@given(shapes=st.lists(st.lists(st.sampled_from([1, 2, 3]), max_size=4).map(tuple), min_size=1, max_size=4))
def test_broadcasting_of_shapes_is_numpys(shapes: list[tuple[int, ...]]) -> None:
    try:
        expected = np.broadcast_shapes(*shapes)
    except ValueError:
        with pytest.raises(ShapeError):
            broadcast_shapes("shapes", *shapes)
    else:
        assert broadcast_shapes("shapes", *shapes) == expected


def test_dims_that_must_be_the_same() -> None:
    n, m = symbol("n"), symbol("m")
    assert same(3, 3, "x") == 3
    assert same(Column([3, 3]), 3, "x").values.tolist() == [3, 3]
    assert same(n + n, 2 * n, "x") == 2 * n
    assert same(n, 12, "x") == 12
    for a, b in ((3, 4), (Column([3, 4]), 3), (n, n + 1)):
        with pytest.raises(ShapeError, match=r"channels: .* against "):
            same(a, b, "channels")
    with collect_equalities() as pairs:
        assert same(n, 12, "x") == 12
        assert same(n * m, m + 40, "x") == n * m  # the shorter one
        assert same(n, n, "x") == n
    assert pairs == [(n, 12), (n * m, m + 40)]


@pytest.mark.parametrize("bad", [-1, 2.0, 1.5, "3", None, True, (1,), np.float32(2)])
def test_what_is_no_size_is_refused(bad: Any) -> None:
    with pytest.raises(ShapeError, match="width"):
        as_dim(bad, "width")


@pytest.mark.parametrize("good", [0, 7, np.int8(7), sympy.Integer(7)])
def test_a_size_becomes_a_plain_int(good: Any) -> None:
    assert type(as_dim(good)) is int


def test_shapes_beyond_any_machine_are_refused() -> None:
    check_shape((LARGEST_TENSOR, 0), "tensor 't'")
    check_shape((3, symbol("n"), Column([1, 2])), "tensor 't'")
    for shape in ((LARGEST_TENSOR + 1,), (LARGEST_TENSOR, 0, 2), (1,) * 65, (3, -1), (2.0,), (Column([1, -1]),)):
        with pytest.raises(ShapeError, match="tensor 't'"):
            check_shape(shape, "tensor 't'")


def test_dims_as_text() -> None:
    dims: tuple[Dim, ...] = (1, symbol("c"), Column([14, 28]))
    assert show_shape(dims) == "1xcx14..28"
    assert (show_shape(()), show_shape(None), show(7)) == ("scalar", "?", "7")
    assert product(()) == 1
