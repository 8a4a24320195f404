"""Constants and arithmetic on shapes: all of it is done before the run."""

from __future__ import annotations

import math
from typing import Any

from costmodel.dims import Dim, ceil_div, is_symbolic, maximum
from costmodel.dtypes import from_onnx
from costmodel.errors import ShapeError, UnknownShapeError
from costmodel.graph import TensorSpec
from costmodel.ops.folding import LARGEST_FLOATS, LARGEST_VALUE, as_value
from costmodel.ops.registry import Result, example, operator
from costmodel.ops.shapes import Declared, declared_output, dims, scalar, setting, tensor


@operator("Shape", example=example("N C H W"), any_shape=True)
def shape(x: TensorSpec, /, *, start: int = 0, end: int | None = None, declared: Declared = ()) -> Result:
    """Nothing moves: shapes are known before the run."""
    if x.shape is None:
        why = UnknownShapeError(f"the shape of {x.name!r} is unknown")
        return Result((declared_output(declared, 0, why),), free=True)
    return Result((TensorSpec((len(x.shape[start:end]),), "int64"),), free=True)


@operator("Size", example=example("N C H W"), any_shape=True)
def size(x: TensorSpec, /) -> Result:
    """Nothing moves."""
    return Result((TensorSpec((), "int64"),), free=True)


@operator("Constant", example=example(value_ints=(1, 2)))
def constant(
    *,
    value: TensorSpec | None = None,
    sparse_value: TensorSpec | None = None,
    value_int: int | None = None,
    value_ints: tuple[int, ...] | None = None,
    value_float: float | None = None,
    value_floats: tuple[float, ...] | None = None,
    value_string: Any = None,
    value_strings: tuple[Any, ...] | None = None,
) -> Result:
    """A constant in the graph; nothing moves."""
    given = value or sparse_value
    if given is not None:
        return Result((TensorSpec(given.shape, given.dtype, value=given.value),), free=True)
    for number, dtype in ((value_int, "int64"), (value_float, "float32"), (value_string, "string")):
        if number is not None:
            return Result((TensorSpec((), dtype, value=as_value(number)),), free=True)
    for items, dtype in ((value_ints, "int64"), (value_floats, "float32"), (value_strings, "string")):
        if items is not None:
            largest = LARGEST_FLOATS if dtype == "float32" else LARGEST_VALUE
            known = as_value(items) if len(items) <= largest else None
            return Result((TensorSpec((len(items),), dtype, value=known),), free=True)
    raise ShapeError("Constant has no value; it needs one of value, value_int, value_floats, ...")


@operator("ConstantOfShape", example=example((3, 4)), settings=("sizes",))
def constant_of_shape(sizes: TensorSpec, /, *, value: TensorSpec | None = None, declared: Declared = ()) -> Result:
    """Output elements are written; there is no arithmetic."""
    dtype = "float32" if value is None else value.dtype
    return Result((_sized(sizes, dtype, declared),))


def _sized(sizes: TensorSpec, dtype: str, declared: Declared) -> TensorSpec:
    try:
        return tensor(setting(sizes) or (), dtype)
    except UnknownShapeError as why:
        return declared_output(declared, 0, why)


@operator("EyeLike", example=example("N M"))
def eye_like(x: TensorSpec, /, *, dtype: int | None = None) -> Result:
    """Output elements are written; the input gives its shape only."""
    return Result((TensorSpec(dims(x, rank=2), x.dtype if dtype is None else from_onnx(dtype)),), reads={0: 0})


@operator("Range", example=example((0,), (7,), (2,)), settings=("start", "limit", "delta"))
def range_(start: TensorSpec, limit: TensorSpec, delta: TensorSpec, /, *, declared: Declared = ()) -> Result:
    """element_ops = output elements."""
    try:
        first, last, step = scalar(start), scalar(limit), scalar(delta)
    except UnknownShapeError as why:
        out = declared_output(declared, 0, why)
    else:
        out = tensor((_count(first, last, step),), start.dtype)
    return Result((out,), element_ops=out.elements)


def _count(first: Any, last: Any, step: Any) -> Dim:
    if step == 0 or step is None:
        raise ShapeError("delta of Range is 0; it never reaches its limit")
    if any(is_symbolic(v) for v in (first, last, step)):
        backwards = isinstance(step, int) and step < 0
        return maximum(ceil_div(first - last, -step) if backwards else ceil_div(last - first, step), 0)
    if isinstance(first, int) and isinstance(last, int) and isinstance(step, int):
        return max(-((first - last) // step), 0)
    return max(math.ceil((last - first) / step), 0)
