"""Quantising and dequantising, and matrix products of quantised tensors.

Scales and zero points steer these operators: they are read, but they are not parameters.
"""

from __future__ import annotations

from costmodel.dims import ceil_div, equal, same
from costmodel.dtypes import from_onnx
from costmodel.errors import ShapeError
from costmodel.graph import TensorSpec
from costmodel.ops.linear import matmul_shape
from costmodel.ops.registry import Result, example, operator
from costmodel.ops.shapes import axis_index, dims, tensor


def _check_granularity(x: TensorSpec, scale: TensorSpec, axis: int, block_size: int) -> None:
    """One scale a tensor, one an index of `axis`, or one a block of `block_size` along `axis`."""
    if equal(scale.elements, 1):
        return
    shape, scales = dims(x, at_least=1), dims(scale)
    if block_size < 0 or (block_size and len(scales) != len(shape)):
        raise ShapeError(f"blocks of {block_size} need a scale of {len(shape)} dims; it has {len(scales)}")
    at = axis_index(axis, len(shape))
    if block_size:
        for i, (dim, count) in enumerate(zip(shape, scales, strict=True)):
            same(ceil_div(dim, block_size) if i == at else dim, count, f"blocks of dim {i} and its scales")
    elif len(scales) == 1:
        same(shape[at], scales[0], f"dim {at} and its scales")


@operator(
    "QuantizeLinear",
    example=example("N C H W", "", "", dtypes={2: "int8"}),
    settings=("y_scale", "y_zero_point"),
)
def quantize_linear(
    x: TensorSpec,
    y_scale: TensorSpec,
    y_zero_point: TensorSpec | None = None,
    /,
    *,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: int = 0,
) -> Result:
    """element_ops = 3 x elements (scale, round, saturate), 4 with a zero point."""
    _check_granularity(x, y_scale, axis, block_size)
    if y_zero_point is not None:
        dtype = y_zero_point.dtype
    else:
        dtype = from_onnx(output_dtype) if output_dtype else "uint8"
    return Result((tensor(dims(x), dtype),), element_ops=(3 if y_zero_point is None else 4) * x.elements)


@operator(
    "DequantizeLinear",
    example=example("N C H W", "", "", dtypes={0: "int8", 2: "int8"}),
    settings=("x_scale", "x_zero_point"),
)
def dequantize_linear(
    x: TensorSpec,
    x_scale: TensorSpec,
    x_zero_point: TensorSpec | None = None,
    /,
    *,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: int = 0,
) -> Result:
    """element_ops = elements (scale), 2 x elements with a zero point."""
    _check_granularity(x, x_scale, axis, block_size)
    dtype = from_onnx(output_dtype) if output_dtype else x_scale.dtype
    return Result((tensor(dims(x), dtype),), element_ops=(1 if x_zero_point is None else 2) * x.elements)


@operator("DynamicQuantizeLinear", example=example("N C H W"))
def dynamic_quantize_linear(x: TensorSpec, /) -> Result:
    """element_ops = 6 x elements: minimum and maximum, then scale, round, shift, saturate."""
    outputs = (tensor(dims(x), "uint8"), tensor((), "float32"), tensor((), "uint8"))
    return Result(outputs, element_ops=6 * x.elements)


@operator(
    "MatMulInteger",
    example=example("B M K", "K N", dtypes={0: "uint8", 1: "int8"}),
    settings=("a_zero_point", "b_zero_point"),
)
def matmul_integer(
    a: TensorSpec,
    b: TensorSpec,
    a_zero_point: TensorSpec | None = None,
    b_zero_point: TensorSpec | None = None,
    /,
) -> Result:
    """mult_adds = output elements x inner dim, in int32; a zero point is a subtraction an operand element."""
    shape, inner = matmul_shape(dims(a), dims(b))
    out = tensor(shape, "int32")
    shifted = (0 if a_zero_point is None else a.elements) + (0 if b_zero_point is None else b.elements)
    return Result((out,), mult_adds=out.elements * inner, element_ops=shifted)


@operator(
    "QLinearMatMul",
    example=example(
        "B M K",
        "",
        "",
        "K N",
        "",
        "",
        "",
        "",
        dtypes={0: "uint8", 2: "uint8", 3: "int8", 5: "int8", 7: "uint8"},
    ),
    settings=("a_scale", "a_zero_point", "b_scale", "b_zero_point", "y_scale", "y_zero_point"),
)
def qlinear_matmul(
    a: TensorSpec,
    a_scale: TensorSpec,
    a_zero_point: TensorSpec,
    b: TensorSpec,
    b_scale: TensorSpec,
    b_zero_point: TensorSpec,
    y_scale: TensorSpec,
    y_zero_point: TensorSpec,
    /,
) -> Result:
    """mult_adds = output elements x inner dim; rescaling each output element is two operations."""
    shape, inner = matmul_shape(dims(a), dims(b))
    out = tensor(shape, y_zero_point.dtype)
    return Result((out,), mult_adds=out.elements * inner, element_ops=2 * out.elements)
