"""Element-wise operators: broadcasting, what counts as one operation, and which constants are learned."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from one_node import executed_shapes, zeros

from costmodel.builder import GraphBuilder
from costmodel.errors import ShapeError
from costmodel.graph import TensorSpec
from costmodel.ops import Applied, apply, as_value

Ints = tuple[int, ...]


def spec(*shape: int, name: str = "x", dtype: str = "float32", constant: bool = False) -> TensorSpec:
    return TensorSpec(shape, dtype, name, roots=(name,) if constant else ())


def number(value: float, dtype: str = "float32", name: str = "number", shape: Ints = ()) -> TensorSpec:
    """A constant of one element."""
    return TensorSpec(shape, dtype, name, as_value(value).reshape(shape), (name,))


def run(op_type: str, *inputs: TensorSpec | None, outputs: int = 1, **attributes: Any) -> Applied:
    return apply(op_type, "", inputs, attributes, [f"y{i}" for i in range(outputs)])


def shape(result: Applied) -> Any:
    return result.outputs[0].shape


def params(result: Applied) -> dict[str, Any]:
    """Learned elements by constant; a count of None stands for every element."""
    return {tensor.name: tensor.elements if count is None else count for tensor, count in result.params}


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.lists(st.sampled_from([1, 1, 2, 3, 0]), max_size=4), min_size=1, max_size=3))
def test_shapes_broadcast_like_numpys(drawn: list[list[int]]) -> None:
    specs = [spec(*size, name=f"x{i}") for i, size in enumerate(drawn)]
    try:
        expected = np.broadcast_shapes(*map(tuple, drawn))
    except ValueError:
        with pytest.raises(ShapeError, match="do not broadcast"):
            run("Sum", *specs)
    else:
        result = run("Sum", *specs)
        assert shape(result) == expected
        assert result.cost.element_ops == (len(drawn) - 1) * prod(expected)
        assert result.cost.input_elements == sum(map(prod, drawn))
        assert result.cost.output_elements == prod(expected)


@pytest.mark.parametrize("op_type", ["Add", "Sub", "Mul", "Div", "Pow", "PRelu"])
def test_a_vector_of_learned_numbers_meets_every_element(op_type: str) -> None:
    result = run(op_type, spec(2, 3, 7, 5), spec(3, 1, 1, name="w", constant=True))
    assert shape(result) == (2, 3, 7, 5)
    assert result.cost.mult_adds == 0
    assert result.cost.element_ops == 210
    assert (result.cost.input_elements, result.cost.weight_elements, result.cost.output_elements) == (210, 3, 210)
    assert params(result) == {"w": 3}


@pytest.mark.parametrize("size", [(), (1,), (1, 1, 1, 1)])
def test_a_literal_is_no_parameter(size: Ints) -> None:
    assert params(run("Mul", spec(2, 3), number(0.5, shape=size))) == {"number": 0}


def test_a_single_learned_slope_is_a_parameter() -> None:
    assert params(run("PRelu", spec(2, 3, 5), number(0.25, shape=(1,)))) == {"number": 1}


def test_numbers_that_flow_are_no_parameters() -> None:
    result = run("Mul", spec(2, 3, 7, 5), spec(2, 3, 1, 1, name="gate"))
    assert params(result) == {}
    assert result.cost.input_elements == 210 + 6


def test_an_operand_used_twice_is_read_once() -> None:
    x = spec(2, 3)
    assert run("Mul", x, x).cost.memory_access == 12


@pytest.mark.parametrize(
    ("axis", "small", "expected"),
    [(1, (3, 4), (2, 3, 4, 5)), (0, (2,), (2, 3, 4, 5)), (-1, (5,), (2, 3, 4, 5)), (2, (4, 5), (2, 3, 4, 5))],
)
def test_opset_6_puts_the_smaller_operand_at_an_axis(axis: int, small: Ints, expected: Ints) -> None:
    result = run("Add", spec(2, 3, 4, 5), spec(*small, name="b", constant=True), axis=axis, broadcast=1)
    assert shape(result) == expected
    assert params(result) == {"b": prod(small)}
    assert result.cost.element_ops == 120


def test_opset_6_without_an_axis_aligns_the_last_dims() -> None:
    assert shape(run("Mul", spec(2, 3, 4), spec(3, 4, name="b"), broadcast=1)) == (2, 3, 4)


def test_opset_6_refuses_an_axis_without_room() -> None:
    with pytest.raises(ShapeError, match="leaves no room for the 2 dims of 'b'"):
        run("Add", spec(2, 3, 4), spec(4, 5, name="b"), axis=2, broadcast=1)


@pytest.mark.parametrize(
    ("op_type", "operations"),
    [("Relu", 1), ("Tanh", 1), ("LeakyRelu", 1), ("Softplus", 2), ("HardSigmoid", 3), ("Sigmoid", 4), ("Gelu", 5)],
)
def test_each_elementary_function_is_one_operation(op_type: str, operations: int) -> None:
    result = run(op_type, spec(2, 3, 5))
    assert shape(result) == (2, 3, 5)
    assert result.cost.element_ops == operations * 30
    assert result.cost.memory_access == 60


@pytest.mark.parametrize("op_type", ["Equal", "Less", "GreaterOrEqual"])
def test_comparisons_give_truths_of_one_byte(op_type: str) -> None:
    result = run(op_type, spec(2, 3), spec(3, name="b"))
    assert result.outputs[0].dtype == "bool"
    assert result.cost.bytes == 6 * 4 + 3 * 4 + 6


@pytest.mark.parametrize(
    ("limits", "attributes", "operations"),
    [
        ([], {}, 0),
        ([number(0.0, name="low")], {}, 1),
        ([None, number(6.0, name="high")], {}, 1),
        ([number(0.0, name="low"), number(6.0, name="high")], {}, 2),
        ([], {"min": 0.0, "max": 6.0}, 2),
        ([], {"max": 6.0}, 1),
    ],
)
def test_each_limit_of_clip_is_a_comparison_and_never_a_parameter(
    limits: list[TensorSpec | None], attributes: dict[str, float], operations: int
) -> None:
    result = run("Clip", spec(2, 3, 5), *limits, **attributes)
    assert result.cost.element_ops == operations * 30
    assert result.cost.memory_access == 60
    assert params(result) == {}


def test_limits_that_are_computed_are_read() -> None:
    assert run("Clip", spec(2, 3), spec(name="low"), spec(name="high")).cost.input_elements == 6 + 2


@pytest.mark.parametrize(
    "inputs",
    [
        [],
        [number(0.5, name="ratio")],
        [number(0.5, name="ratio"), number(False, "bool", "training")],
        [None, number(False, "bool", "training")],
    ],
)
def test_dropout_in_inference_moves_nothing(inputs: list[TensorSpec | None]) -> None:
    result = run("Dropout", spec(2, 3), *inputs, outputs=2)
    assert [(out.shape, out.dtype) for out in result.outputs] == [((2, 3), "float32"), ((2, 3), "bool")]
    assert result.cost.memory_access == result.cost.element_ops == result.cost.bytes == 0


@pytest.mark.parametrize("training", [number(True, "bool", "training"), spec(name="training", dtype="bool")])
def test_dropout_in_training_draws_and_scales(training: TensorSpec) -> None:
    result = run("Dropout", spec(2, 3), number(0.5, name="ratio"), training)
    assert result.cost.element_ops == 12
    assert result.cost.output_elements == 6


def test_cast_rewrites_every_element_in_its_new_type() -> None:
    result = run("Cast", spec(2, 3), to=10)
    assert (shape(result), result.outputs[0].dtype) == ((2, 3), "float16")
    assert result.cost.bytes == 6 * 4 + 6 * 2
    assert result.cost.element_ops == 6


def test_a_weight_that_is_cast_is_still_that_weight() -> None:
    result = run("Cast", spec(4, 3, constant=True, name="w", dtype="float16"), to=1)
    assert result.outputs[0].roots == ("w",)
    assert result.cost.memory_access == result.cost.element_ops == 0


def test_a_weight_in_half_precision_is_read_as_it_is_stored() -> None:
    b = GraphBuilder()
    half = b.weight("w", (7, 3), "float16")
    b.matmul(b.input("x", (5, 7)), b.node("Cast", [half], {"to": 1})[0], "product")
    cost = b.build().cost
    assert (cost.params, cost.weight_elements) == (21, 21)
    assert cost.bytes == 35 * 4 + 21 * 2 + 15 * 4


def test_cast_like_takes_only_the_type_of_its_target() -> None:
    result = run("CastLike", spec(2, 3), spec(9, name="target", dtype="float16", constant=True))
    assert (shape(result), result.outputs[0].dtype) == ((2, 3), "float16")
    assert result.cost.memory_access == 12
    assert params(result) == {"target": 0}


def test_other_bits_of_the_same_elements_are_a_view() -> None:
    result = run("BitCast", spec(2, 3), to=6)
    assert (shape(result), result.outputs[0].dtype) == ((2, 3), "int32")
    assert result.cost.memory_access == 0


def test_where_takes_the_type_of_its_choices() -> None:
    sizes = [(2, 1, 4), (3, 1), (4,)]
    result = run("Where", spec(*sizes[0], dtype="bool"), spec(*sizes[1], name="a", dtype="float16"),
                 spec(*sizes[2], name="b", dtype="float16"))  # fmt: skip
    assert [shape(result)] == executed_shapes("Where", zeros(*sizes[0]) > 0, zeros(*sizes[1]), zeros(*sizes[2]))
    assert result.outputs[0].dtype == "float16"
    assert result.cost.bytes == 8 + 3 * 2 + 4 * 2 + 24 * 2


@pytest.mark.parametrize(("op_type", "operations"), [("Sum", 2), ("Max", 2), ("Min", 2), ("Mean", 3)])
def test_joining_three_operands_is_two_operations_and_a_mean_one_more(op_type: str, operations: int) -> None:
    result = run(op_type, spec(2, 3, name="a"), spec(3, name="b"), spec(2, 1, name="c"))
    assert shape(result) == (2, 3)
    assert result.cost.element_ops == operations * 6


@pytest.mark.parametrize("op_type", ["Sum", "Mean"])
def test_no_operands_at_all_are_refused(op_type: str) -> None:
    with pytest.raises(ShapeError, match="no inputs are given"):
        run(op_type)
