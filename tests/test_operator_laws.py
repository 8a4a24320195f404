"""Laws that hold for every registered operator, checked on the example that each one ships."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from costmodel.columns import Column
from costmodel.dims import is_symbolic, symbol
from costmodel.ops import Applied, Operator, find, operators
from costmodel.ops.examples import apply_example, free_dims
from costmodel.ops.registry import Result, example, operator

GOLDEN = Path(__file__).parent / "golden" / "operators.txt"
OPERATORS = list(operators())
COUNTS = ("mult_adds", "element_ops", "input_elements", "output_elements", "weight_elements", "bytes")
DESIGNS = 5


def sizes(op: Operator) -> dict[str, list[int]]:
    """Different sizes for each free dim, one a design; large enough for every window in the examples."""
    return {name: [12 + 7 * i + 5 * k + (i * k) % 3 for k in range(DESIGNS)] for i, name in enumerate(free_dims(op))}


def counted(applied: Applied) -> dict[str, Any]:
    """Everything of an application that is a count or a dim."""
    result = {name: getattr(applied.cost, name) for name in COUNTS}
    for i, spec in enumerate(applied.outputs):
        for axis, dim in enumerate(spec.shape or ()):
            result[f"output {i}, dim {axis}"] = dim
    return result


def at(count: Any, design: int) -> int:
    if isinstance(count, Column):
        return int(count.values[design if len(count) > 1 else 0])
    return int(count)


@pytest.mark.parametrize("op", OPERATORS, ids=lambda op: op.qualified_type)
def test_ints_columns_and_symbols_give_the_same_counts(op: Operator) -> None:
    values = sizes(op)
    columns = {name: Column(np.array(column)) for name, column in values.items()}
    by_column = counted(apply_example(op, columns))
    by_symbol = counted(apply_example(op, symbol))
    for design in range(DESIGNS):
        bound = {name: column[design] for name, column in values.items()}
        expected = counted(apply_example(op, bound))
        assert all(type(count) is int for count in expected.values())
        assert {name: at(count, design) for name, count in by_column.items()} == expected
        assert {name: substituted(count, bound) for name, count in by_symbol.items()} == expected


def substituted(count: Any, bound: dict[str, int]) -> int:
    return int(count.subs({symbol(name): size for name, size in bound.items()})) if is_symbolic(count) else int(count)


@pytest.mark.parametrize("op", OPERATORS, ids=lambda op: op.qualified_type)
def test_every_operator_says_what_it_counts_and_counts_no_less_than_nothing(op: Operator) -> None:
    assert len(op.summary) >= 10
    bound = {name: column[0] for name, column in sizes(op).items()}
    applied = apply_example(op, bound)
    assert applied.outputs
    assert all(count >= 0 for count in counted(applied).values())


def test_the_list_of_covered_operators_is_the_reviewed_one() -> None:
    """After adding an operator, rewrite the file with `costmodel ops --names > tests/golden/operators.txt`."""
    assert [op.qualified_type for op in OPERATORS] == GOLDEN.read_text(encoding="utf-8").split()


def test_registering_a_type_twice_names_both_places() -> None:
    with pytest.raises(ValueError, match=r"convolution\.py:\d+ and in .*test_operator_laws\.py:\d+"):

        @operator("Conv", example=example("N C"))
        def conv_again(x: Any, /) -> Result:
            return Result((x,))


def test_an_unknown_setting_is_refused_when_the_operator_is_written() -> None:
    with pytest.raises(ValueError, match="are not inputs of"):

        @operator("NewOperator", example=example("N C"), settings=("scale",))
        def new_operator(x: Any, /) -> Result:
            return Result((x,))

    assert find("NewOperator") is None
