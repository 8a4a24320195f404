"""Quantising, dequantising and quantised products, from first principles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from costmodel.errors import ShapeError
from costmodel.graph import TensorSpec
from costmodel.ops import Applied, apply, as_value


def spec(*shape: int, dtype: str = "float32", name: str = "x", constant: bool = False) -> TensorSpec:
    return TensorSpec(shape, dtype, name, roots=(name,) if constant else ())


def run(op_type: str, *inputs: TensorSpec | None, **attributes: Any) -> Applied:
    return apply(op_type, "", inputs, attributes, ["y", "scale", "zero_point"])


def loop_count(a: tuple[int, ...], b: tuple[int, ...]) -> int:
    """Multiply-accumulates of a @ b, one at a time, over operands with explicit batch dims."""
    batch = np.broadcast_shapes(a[:-2], b[:-2])
    count = 0
    for _ in np.ndindex(*batch, a[-2], b[-1]):
        for _k in range(a[-1]):
            count += 1
    return count


PRODUCTS = [
    ((5, 7), (7, 3)),
    ((2, 1, 5, 7), (3, 7, 4)),
    ((3, 1, 1, 2), (4, 2, 6)),
]


@pytest.mark.parametrize(("a", "b"), PRODUCTS)
def test_integer_product_counts_one_mult_add_a_loop_iteration(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    result = run("MatMulInteger", spec(*a, dtype="uint8", name="a"), spec(*b, dtype="int8", name="b"))
    expected = np.matmul(np.zeros(a), np.zeros(b)).shape
    assert result.cost.mult_adds == loop_count(a, b)
    assert (result.outputs[0].shape, result.outputs[0].dtype) == (expected, "int32")
    assert result.cost.element_ops == 0


def test_each_zero_point_is_a_subtraction_on_its_own_operand() -> None:
    a, b = spec(5, 7, dtype="uint8", name="a"), spec(7, 3, dtype="int8", name="b")
    zero = spec(dtype="uint8", name="zero")
    assert run("MatMulInteger", a, b, zero).cost.element_ops == 35
    assert run("MatMulInteger", a, b, None, zero).cost.element_ops == 21


@pytest.mark.parametrize(("a", "b"), PRODUCTS)
def test_quantised_product_counts_like_the_plain_one(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    scales = [spec(name=f"s{i}") for i in range(3)]
    zeros = [spec(dtype="int8", name=f"z{i}") for i in range(3)]
    left, right = spec(*a, dtype="int8", name="a"), spec(*b, dtype="int8", name="b")
    result = run("QLinearMatMul", left, scales[0], zeros[0], right, scales[1], zeros[1], scales[2], zeros[2])
    out = result.outputs[0]
    assert result.cost.mult_adds == loop_count(a, b)
    assert result.cost.element_ops == 2 * out.elements
    assert out.dtype == "int8"
    # operands and output are a byte an element; three float scales and three zero points come on top
    assert result.cost.bytes == left.elements + right.elements + out.elements + 3 * 4 + 3


def test_scales_and_zero_points_are_no_parameters() -> None:
    weight = spec(4, 3, 5, dtype="int8", name="w", constant=True)
    scale, zero = spec(4, name="s", constant=True), spec(4, dtype="int8", name="z", constant=True)
    flowing = run("QuantizeLinear", spec(2, 4, 5), scale, zero)
    assert flowing.params == ()
    assert flowing.cost.weight_elements == 8
    folded = run("DequantizeLinear", weight, scale, zero, axis=0)
    assert folded.outputs[0].roots == ("w",)
    assert folded.cost.memory_access == 0


def test_output_type_comes_from_the_zero_point_then_the_attribute_then_the_default() -> None:
    x, scale = spec(2, 3), spec(name="s")
    assert run("QuantizeLinear", x, scale, spec(dtype="int4", name="z")).outputs[0].dtype == "int4"
    assert run("QuantizeLinear", x, scale, output_dtype=5).outputs[0].dtype == "int16"
    assert run("QuantizeLinear", x, scale).outputs[0].dtype == "uint8"
    quantised = spec(2, 3, dtype="uint8")
    assert run("DequantizeLinear", quantised, spec(dtype="float16", name="s")).outputs[0].dtype == "float16"
    assert run("DequantizeLinear", quantised, scale, output_dtype=16).outputs[0].dtype == "bfloat16"


def test_scales_an_axis_index_have_to_match_that_axis() -> None:
    x = spec(2, 3, 5)
    assert run("QuantizeLinear", x, spec(5, name="s"), axis=-1).outputs[0].shape == (2, 3, 5)
    with pytest.raises(ShapeError, match="dim 1 and its scales"):
        run("QuantizeLinear", x, spec(5, name="s"))
    with pytest.raises(ShapeError, match="at least 1 dims"):
        run("QuantizeLinear", spec(), spec(5, name="s"))


def test_the_last_block_may_be_smaller() -> None:
    x = spec(3, 10, dtype="int4")
    assert run("DequantizeLinear", x, spec(3, 4, name="s"), axis=1, block_size=3).outputs[0].shape == (3, 10)
    with pytest.raises(ShapeError, match="blocks of dim 1"):
        run("DequantizeLinear", x, spec(3, 3, name="s"), axis=1, block_size=3)


def test_four_bit_elements_are_packed() -> None:
    result = run("DequantizeLinear", spec(3, 5, dtype="int4"), spec(name="s"))
    assert result.cost.bytes == (15 * 4 + 7) // 8 + 4 + 15 * 4


def test_dynamic_quantisation_gives_the_scale_and_zero_point_too() -> None:
    result = run("DynamicQuantizeLinear", spec(3, 5, 7))
    shapes = [(out.shape, out.dtype) for out in result.outputs]
    assert shapes == [((3, 5, 7), "uint8"), ((), "float32"), ((), "uint8")]
    assert result.cost.output_elements == 105 + 2


def test_a_known_zero_point_is_not_memory_access() -> None:
    zero = TensorSpec((), "int32", "z", value=as_value(0))
    assert run("DequantizeLinear", spec(6, dtype="int32"), spec(name="s"), zero).cost.input_elements == 6 + 1
