"""Normalisations and reductions: shapes of ONNX Runtime and numpy, operations of their passes over the data."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from one_node import executed_shapes, zeros

from costmodel.errors import ShapeError
from costmodel.graph import Counting, TensorSpec
from costmodel.ops import Applied, apply, as_value

Ints = tuple[int, ...]
REDUCTIONS = {
    "ReduceSum": 1,
    "ReduceMean": 1,
    "ReduceMax": 1,
    "ReduceMin": 1,
    "ReduceProd": 1,
    "ReduceL1": 2,
    "ReduceL2": 2,
    "ReduceSumSquare": 2,
    "ReduceLogSum": 1,
    "ReduceLogSumExp": 2,
}


def spec(*shape: int, name: str = "x", dtype: str = "float32", constant: bool = False) -> TensorSpec:
    return TensorSpec(shape, dtype, name, roots=(name,) if constant else ())


def ints(*items: int) -> TensorSpec:
    return TensorSpec((len(items),), "int64", "axes", as_value(items))


def run(op_type: str, *inputs: TensorSpec | None, outputs: int = 1, declared: Any = (), **attributes: Any) -> Applied:
    return apply(op_type, "", inputs, attributes, [f"y{i}" for i in range(outputs)], declared)


def shape(result: Applied) -> Any:
    return result.outputs[0].shape


def learned(result: Applied) -> int:
    """Elements of all parameters, each constant taken once."""
    return sum(tensor.elements if count is None else count for tensor, count in result.params)


def weights(count: int, *shape: int) -> list[TensorSpec]:
    return [spec(*shape, name=f"w{i}", constant=True) for i in range(count)]


# -- normalisations


def test_batch_norm_scales_and_shifts_and_its_statistics_are_not_learned() -> None:
    result = run("BatchNormalization", spec(2, 3, 7, 5), *weights(4, 3))
    assert shape(result) == (2, 3, 7, 5)
    assert result.cost.mult_adds == 0
    assert result.cost.element_ops == 2 * 210
    assert learned(result) == 6
    assert result.cost.weight_elements == 12
    assert result.cost.memory_access == 210 + 12 + 210


def test_batch_norm_in_training_measures_and_gives_its_new_statistics() -> None:
    result = run("BatchNormalization", spec(2, 3, 7, 5), *weights(4, 3), outputs=3, training_mode=1)
    assert [out.shape for out in result.outputs] == [(2, 3, 7, 5), (3,), (3,)]
    assert result.cost.element_ops == 6 * 210


@pytest.mark.parametrize(
    ("op_type", "inputs", "attributes", "operations"),
    [
        ("InstanceNormalization", [(2, 3, 7, 5), (3,), (3,)], {}, 7),
        ("LayerNormalization", [(2, 3, 7), (7,)], {}, 6),
        ("LayerNormalization", [(2, 3, 7), (7,), (7,)], {}, 7),
        ("LayerNormalization", [(2, 3, 7), (3, 7), (3, 7)], {"axis": -2}, 7),
        ("MeanVarianceNormalization", [(2, 3, 7, 5)], {}, 5),
        ("LpNormalization", [(2, 3, 7)], {"axis": 1}, 3),
        ("LRN", [(2, 3, 7, 5)], {"size": 3}, 7),
        ("Softmax", [(2, 3, 7)], {"axis": 1}, 5),
        ("LogSoftmax", [(2, 3, 7)], {}, 5),
        ("Hardmax", [(2, 7)], {}, 2),
    ],
)
def test_a_normalisation_keeps_the_shape_and_counts_its_passes(
    op_type: str, inputs: list[Ints], attributes: dict[str, Any], operations: int
) -> None:
    specs = [spec(*inputs[0]), *(spec(*size, name=f"w{i}", constant=True) for i, size in enumerate(inputs[1:]))]
    result = run(op_type, *specs, **attributes)
    assert [shape(result)] == executed_shapes(op_type, *(zeros(*size) for size in inputs), **attributes) == [inputs[0]]
    assert result.cost.element_ops == operations * prod(inputs[0])
    assert result.cost.mult_adds == 0
    assert learned(result) == result.cost.weight_elements == sum(prod(size) for size in inputs[1:])


def test_group_norm_costs_what_instance_norm_does() -> None:
    group = run("GroupNormalization", spec(2, 6, 7, 5), *weights(2, 6), num_groups=3)
    assert group.cost == run("InstanceNormalization", spec(2, 6, 7, 5), *weights(2, 6)).cost


@pytest.mark.parametrize(("axis", "statistics"), [(-1, (2, 3, 1)), (1, (2, 1, 1)), (-3, (1, 1, 1))])
def test_layer_norm_gives_its_statistics_where_they_are_wanted(axis: int, statistics: Ints) -> None:
    size = (2, 3, 7)
    scale = size[axis:]
    result = run("LayerNormalization", spec(*size), spec(*scale, name="w"), outputs=3, axis=axis)
    assert [out.shape for out in result.outputs] == [size, statistics, statistics]
    theirs = executed_shapes("LayerNormalization", zeros(*size), zeros(*scale), outputs=3, axis=axis)
    assert theirs == [size, statistics, statistics]
    assert result.cost.output_elements == 42 + 2 * prod(statistics)


def test_rms_norm_needs_no_mean() -> None:
    result = run("RMSNormalization", spec(2, 3, 7), *weights(1, 7))
    assert result.cost.element_ops == 4 * 42
    assert learned(result) == 7


def test_an_axis_out_of_range_is_refused() -> None:
    with pytest.raises(ShapeError, match="axis 3 is out of range"):
        run("LayerNormalization", spec(2, 3, 7), *weights(1, 7), axis=3)


# -- reductions


@pytest.mark.parametrize(("op_type", "operations"), REDUCTIONS.items())
@pytest.mark.parametrize(
    ("axes", "keepdims", "expected"),
    [
        ((2, 3), 1, (2, 3, 1, 1)),
        ((-1, 1), 0, (2, 7)),
        ((0,), 1, (1, 3, 7, 5)),
        (None, 1, (1, 1, 1, 1)),
        (None, 0, ()),
    ],
)
def test_a_reduction_visits_each_element(
    op_type: str, operations: int, axes: Ints | None, keepdims: int, expected: Ints
) -> None:
    result = run(op_type, spec(2, 3, 7, 5), None if axes is None else ints(*axes), keepdims=keepdims)
    assert shape(result) == expected
    given = [] if axes is None else [np.array(axes, np.int64)]
    assert executed_shapes(op_type, zeros(2, 3, 7, 5), *given, keepdims=keepdims) == [expected]
    assert result.cost.element_ops == operations * 210
    assert result.cost.mult_adds == 0
    assert (result.cost.input_elements, result.cost.output_elements) == (210, prod(expected))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.data())
def test_any_axes_leave_the_shape_of_numpy(data: Any) -> None:
    size = tuple(data.draw(st.lists(st.integers(0, 4), max_size=4)))
    axes = data.draw(st.lists(st.sampled_from(range(len(size))), unique=True)) if size else []
    signed = tuple(axis - len(size) if data.draw(st.booleans()) else axis for axis in axes)
    keepdims = data.draw(st.booleans())
    expected = np.sum(np.zeros(size), axis=signed or None, keepdims=keepdims).shape
    by_input = run("ReduceSum", spec(*size), ints(*signed), keepdims=int(keepdims))
    by_attribute = run("ReduceSum", spec(*size), axes=signed, keepdims=int(keepdims))
    assert shape(by_input) == shape(by_attribute) == expected
    assert by_input == by_attribute


def test_no_axes_reduce_nothing_where_the_attribute_says_so() -> None:
    for axes in (None, ints()):
        result = run("ReduceSum", spec(2, 3), axes, noop_with_empty_axes=1)
        assert (shape(result), result.cost.element_ops) == ((2, 3), 0)
    assert run("ReduceL2", spec(2, 3), noop_with_empty_axes=1).cost.element_ops == 6
    assert shape(run("ReduceSum", spec(2, 3), ints(1), noop_with_empty_axes=1)) == (2, 1)


def test_axes_that_depend_on_data_leave_the_declared_shape() -> None:
    axes = TensorSpec((1,), "int64", "axes")
    told = run("ReduceSum", spec(2, 3), axes, declared=[spec(2, 1)])
    assert (shape(told), told.cost.element_ops) == ((2, 1), 6)
    assert run("ReduceSum", spec(2, 3), axes).counting is Counting.UNKNOWN


@pytest.mark.parametrize(("axes", "message"), [((4,), "axis 4 is out of range"), ((1, -3), "name one dim twice")])
def test_axes_that_do_not_fit_are_refused(axes: Ints, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        run("ReduceSum", spec(2, 3, 7, 5), ints(*axes))


@pytest.mark.parametrize("op_type", ["ArgMax", "ArgMin"])
@pytest.mark.parametrize(("axis", "keepdims", "expected"), [(1, 1, (2, 1, 5)), (-1, 0, (2, 3)), (0, 0, (3, 5))])
def test_the_place_of_an_extreme_is_an_integer(op_type: str, axis: int, keepdims: int, expected: Ints) -> None:
    result = run(op_type, spec(2, 3, 5), axis=axis, keepdims=keepdims)
    assert executed_shapes(op_type, zeros(2, 3, 5), axis=axis, keepdims=keepdims) == [expected]
    assert (shape(result), result.outputs[0].dtype) == (expected, "int64")
    assert result.cost.element_ops == 30
    assert result.cost.bytes == 30 * 4 + prod(expected) * 8


def test_a_running_sum_is_an_addition_an_element() -> None:
    result = run("CumSum", spec(2, 3), ints(1))
    assert (shape(result), result.cost.element_ops) == ((2, 3), 6)
    assert result.cost.memory_access == 12
