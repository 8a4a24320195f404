"""Poolings, with any number of spatial dims."""

from __future__ import annotations

from costmodel.dims import Shape, product
from costmodel.errors import ShapeError
from costmodel.graph import TensorSpec
from costmodel.ops.registry import Result, example, operator
from costmodel.ops.shapes import dims, tensor
from costmodel.ops.windows import window

Ints = tuple[int, ...]
_POOL = example("N C H W", kernel_shape=(3, 3), strides=(2, 2), pads=(1, 1, 1, 1))


def _pool(
    x: TensorSpec, kernel: Ints, auto_pad: str, ceil_mode: int, dilations: Ints, pads: Ints, strides: Ints
) -> Shape:
    batch, channels, *size = dims(x, at_least=3)
    if len(kernel) != len(size):
        raise ShapeError(f"kernel_shape {kernel} is given for {len(size)} spatial dims")
    win = window(kernel, strides, dilations, pads, auto_pad)
    return (batch, channels, *win.output(tuple(size), bool(ceil_mode)))


@operator("MaxPool", example=_POOL)
def max_pool(
    x: TensorSpec,
    /,
    *,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: Ints = (),
    kernel_shape: Ints,
    pads: Ints = (),
    strides: Ints = (),
) -> Result:
    """element_ops = output elements x kernel taps (comparisons)."""
    shape = _pool(x, kernel_shape, auto_pad, ceil_mode, dilations, pads, strides)
    out = tensor(shape, x.dtype)
    return Result((out, tensor(shape, "int64")), element_ops=out.elements * product(kernel_shape))


@operator("AveragePool", "LpPool", example=_POOL)
def average_pool(
    x: TensorSpec,
    /,
    *,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: Ints = (),
    kernel_shape: Ints,
    pads: Ints = (),
    strides: Ints = (),
) -> Result:
    """element_ops = output elements x kernel taps (additions)."""
    out = tensor(_pool(x, kernel_shape, auto_pad, ceil_mode, dilations, pads, strides), x.dtype)
    return Result((out,), element_ops=out.elements * product(kernel_shape))


@operator("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool", example=example("N C H W"))
def global_pool(x: TensorSpec, /) -> Result:
    """element_ops = input elements."""
    batch, channels, *size = dims(x, at_least=2)
    return Result((tensor((batch, channels, *(1 for _ in size)), x.dtype),), element_ops=x.elements)
