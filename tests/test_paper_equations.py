"""Equations 1 and 2 of the ShuffleNet V2 paper (Section 2), proven over the library's own convolution.

The counts come from Conv nodes whose dims are symbols; nothing here restates the formula of a count
except as what is to be shown.
"""

from __future__ import annotations

from typing import Any

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from costmodel.builder import GraphBuilder
from costmodel.cost import Cost
from costmodel.dims import Dim, symbol

h, w, c1, c2 = (symbol(name) for name in ("h", "w", "c1", "c2"))
hw = h * w


def convolution(height: Dim, width: Dim, in_channels: Dim, out_channels: Dim, groups: Dim = 1, kernel: int = 1) -> Any:
    """The cost of one convolution without bias at batch 1, the size kept."""
    g = GraphBuilder()
    g.conv(g.input("x", (1, in_channels, height, width)), out_channels, kernel, groups=groups)
    return g.build().cost


def is_zero(expression: Any) -> bool:
    return sympy.simplify(expression) == 0


@pytest.fixture(scope="module")
def pointwise() -> Cost:
    """A 1x1 convolution from c1 to c2 channels on h x w."""
    return convolution(h, w, c1, c2)


@pytest.fixture(scope="module")
def grouped() -> tuple[Any, Any]:
    """Mult-adds and memory access of a 1x1 group convolution, as expressions in c1, c2 and g.

    Channels enter as g k1 and g k2, since groups divide them; k1 = c1 / g and k2 = c2 / g are put in after.
    """
    g, k1, k2 = (symbol(name) for name in ("g", "k1", "k2"))
    cost = convolution(h, w, g * k1, g * k2, groups=g)
    back = {k1: c1 / g, k2: c2 / g}
    return cost.mult_adds.subs(back), cost.memory_access.subs(back)


def test_counts_of_a_pointwise_convolution(pointwise):
    """B = hw c1 c2, and the memory access is hw (c1 + c2) + c1 c2."""
    assert is_zero(pointwise.mult_adds - hw * c1 * c2)
    assert is_zero(pointwise.memory_access - (hw * (c1 + c2) + c1 * c2))


def test_equation_1_is_a_lower_bound(pointwise):
    """What lies above 2 sqrt(hw B) + B / hw is hw (sqrt c1 - sqrt c2)^2: never negative."""
    b = pointwise.mult_adds
    bound = 2 * sympy.sqrt(hw * b) + b / hw
    excess = hw * (sympy.sqrt(c1) - sympy.sqrt(c2)) ** 2
    assert is_zero(pointwise.memory_access - bound - excess)
    assert excess.is_nonnegative


def test_equation_1_holds_with_equality_exactly_at_equal_widths(pointwise):
    b = pointwise.mult_adds
    gap = pointwise.memory_access - 2 * sympy.sqrt(hw * b) - b / hw
    assert is_zero(gap.subs(c2, c1))
    assert sympy.solve(sympy.Eq((sympy.sqrt(c1) - sympy.sqrt(c2)) ** 2, 0), c2) == [c1]


def test_guideline_1_equal_widths_are_the_minimum_at_fixed_mult_adds(pointwise):
    """With c2 = B / (hw c1) the memory access has one stationary point in c1, a minimum at c1 = c2."""
    b = sympy.Symbol("B", positive=True)
    at_fixed_b = pointwise.memory_access.subs(c2, b / (hw * c1))
    (stationary,) = sympy.solve(sympy.diff(at_fixed_b, c1), c1)
    assert is_zero(stationary**2 - b / hw)  # c1 = sqrt(c1 c2)
    assert sympy.diff(at_fixed_b, c1, 2).is_positive


@given(*(st.integers(1, 10**6) for _ in range(4)))
def test_equation_1_in_whole_numbers(height, width, left, right):
    """Without roots: (access - weights)^2 >= 4 hw B, the same inequality for positive numbers."""
    cost = convolution(height, width, left, right)
    maps = cost.memory_access - left * right
    four = 4 * height * width * cost.mult_adds
    assert maps * maps >= four
    assert (maps * maps == four) == (left == right)


def test_counts_of_a_group_convolution(grouped):
    """B = hw c1 c2 / g, and the memory access is hw (c1 + c2) + c1 c2 / g."""
    g = symbol("g")
    b, access = grouped
    assert is_zero(b - hw * c1 * c2 / g)
    assert is_zero(access - (hw * (c1 + c2) + c1 * c2 / g))


def test_equation_2(grouped):
    """The memory access is hw c1 + B g / c1 + B / hw."""
    g = symbol("g")
    b, access = grouped
    assert is_zero(access - (hw * c1 + b * g / c1 + b / hw))


def test_equation_2_grows_with_groups_at_fixed_input_and_mult_adds(grouped):
    """With c2 = B g / (hw c1), each further group costs B / c1 elements."""
    g, b = symbol("g"), sympy.Symbol("B", positive=True)
    _, access = grouped
    growth = sympy.diff(access.subs(c2, b * g / (hw * c1)), g)
    assert is_zero(growth - b / c1)
    assert (b / c1).is_positive


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 40), st.sampled_from((2, 3, 4, 8)))
def test_equation_2_in_whole_numbers(height, width, unit, groups):
    """g groups with g times the output channels do the same work and touch B (g - 1) / c1 more elements."""
    channels = unit * groups
    plain = convolution(height, width, channels, channels)
    split = convolution(height, width, channels, groups * channels, groups=groups)
    assert split.mult_adds == plain.mult_adds
    assert (split.memory_access - plain.memory_access) * channels == plain.mult_adds * (groups - 1)


def test_a_depthwise_convolution_is_as_good_as_element_wise():
    """Guideline 4: its memory access per mult-add stays above 2/9 at any width; a 1x1's falls to 1 / hw."""
    depthwise = convolution(h, w, c1, c1, groups=c1, kernel=3)
    assert is_zero(depthwise.memory_access / depthwise.mult_adds - sympy.Rational(2, 9) - 1 / hw)
    square = convolution(h, w, c1, c1)
    assert is_zero(sympy.limit(square.memory_access / square.mult_adds, c1, sympy.oo) - 1 / hw)


def test_table_1s_designs_have_equal_work_and_growing_access():
    """Table 1 at x1 on the GPU: c1 and c2 from 1:1 to 1:6, mult-adds within 1.2 % of each other."""
    pairs = ((128, 128), (90, 180), (64, 256), (52, 312))
    costs = [convolution(56, 56, *pair) for pair in pairs]
    work = [cost.mult_adds for cost in costs]
    assert max(work) / min(work) < 1.012
    access = [cost.memory_access for cost in costs]
    assert access == sorted(access)
