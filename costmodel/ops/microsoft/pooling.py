"""Poolings and sums with channels last or of quantised tensors (com.microsoft, com.ms.internal.nhwc)."""

from __future__ import annotations

from typing import Any

from costmodel.graph import TensorSpec
from costmodel.ops.composition import fused, of
from costmodel.ops.microsoft.layouts import channels_first
from costmodel.ops.microsoft.layouts import channels_last as back
from costmodel.ops.registry import Result, example, operator
from costmodel.ops.shapes import dims, tensor

DOMAIN = "com.microsoft"
INTERNAL = "com.ms.internal.nhwc"
Ints = tuple[int, ...]

RESCALE = 2  # operations an element that is summed in int32 and written in 8 bits
_POOL = example("N H W C", kernel_shape=(3, 3), strides=(2, 2), pads=(1, 1, 1, 1))
_QPOOL = example(
    "N C H W",
    "",
    "",
    "",
    "",
    kernel_shape=(3, 3),
    strides=(2, 2),
    dtypes={0: "uint8", 2: "uint8", 4: "uint8"},
)


def _nhwc(op_type: str, x: TensorSpec, **geometry: Any) -> Result:
    return back(of(op_type, channels_first(x), **geometry))


@operator("NhwcMaxPool", domain=DOMAIN, example=_POOL)
@operator("MaxPool", domain=INTERNAL, example=_POOL)
def nhwc_max_pool(
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
    """As MaxPool, with channels last."""
    return _nhwc(
        "MaxPool",
        x,
        auto_pad=auto_pad,
        ceil_mode=ceil_mode,
        dilations=dilations,
        kernel_shape=kernel_shape,
        pads=pads,
        strides=strides,
    )


@operator("AveragePool", domain=INTERNAL, example=_POOL)
def nhwc_average_pool(
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
    """As AveragePool, with channels last."""
    return _nhwc(
        "AveragePool",
        x,
        auto_pad=auto_pad,
        ceil_mode=ceil_mode,
        dilations=dilations,
        kernel_shape=kernel_shape,
        pads=pads,
        strides=strides,
    )


@operator("GlobalAveragePool", "GlobalMaxPool", domain=INTERNAL, example=example("N H W C"))
def nhwc_global_pool(x: TensorSpec, /) -> Result:
    """As GlobalAveragePool, with channels last."""
    return _nhwc("GlobalAveragePool", x)


def _quantised(work: Result, dtype: str) -> Result:
    """The work on integers, then rescaled to 8 bits."""
    out = tensor(dims(work.outputs[0]), dtype)
    return fused(work, outputs=(out,), element_ops=RESCALE * out.elements)


@operator(
    "QLinearAveragePool",
    domain=DOMAIN,
    example=_QPOOL,
    settings=("x_scale", "x_zero_point", "y_scale", "y_zero_point"),
)
@operator(
    "QLinearAveragePool",
    domain=INTERNAL,
    example=_QPOOL,
    settings=("x_scale", "x_zero_point", "y_scale", "y_zero_point"),
)
def qlinear_average_pool(
    x: TensorSpec,
    x_scale: TensorSpec,
    x_zero_point: TensorSpec | None = None,
    y_scale: TensorSpec | None = None,
    y_zero_point: TensorSpec | None = None,
    /,
    *,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    channels_last: int = 0,
    kernel_shape: Ints,
    pads: Ints = (),
    strides: Ints = (),
) -> Result:
    """As AveragePool; rescaling each output element is two operations."""
    work = of(
        "AveragePool",
        channels_first(x) if channels_last else x,
        auto_pad=auto_pad,
        ceil_mode=ceil_mode,
        kernel_shape=kernel_shape,
        pads=pads,
        strides=strides,
    )
    work = _quantised(work, x.dtype)
    return back(work) if channels_last else work


@operator(
    "QLinearGlobalAveragePool",
    domain=DOMAIN,
    example=example("N C H W", "", "", "", "", dtypes={0: "uint8", 2: "uint8", 4: "uint8"}),
    settings=("x_scale", "x_zero_point", "y_scale", "y_zero_point"),
)
def qlinear_global_average_pool(
    x: TensorSpec,
    x_scale: TensorSpec,
    x_zero_point: TensorSpec,
    y_scale: TensorSpec,
    y_zero_point: TensorSpec,
    /,
    *,
    channels_last: int = 0,
) -> Result:
    """As GlobalAveragePool; rescaling each output element is two operations."""
    work = of("GlobalAveragePool", channels_first(x) if channels_last else x)
    work = _quantised(work, x.dtype)
    return back(work) if channels_last else work


@operator(
    "QLinearReduceMean",
    domain=DOMAIN,
    example=example("N C H W", "", "", "", "", axes=(2, 3), keepdims=1, dtypes={0: "uint8", 2: "uint8", 4: "uint8"}),
    settings=("x_scale", "x_zero_point", "y_scale", "y_zero_point"),
)
def qlinear_reduce_mean(
    x: TensorSpec,
    x_scale: TensorSpec,
    x_zero_point: TensorSpec | None = None,
    y_scale: TensorSpec | None = None,
    y_zero_point: TensorSpec | None = None,
    /,
    *,
    axes: Ints = (),
    keepdims: int = 1,
) -> Result:
    """As ReduceMean; rescaling each output element is two operations."""
    return _quantised(of("ReduceMean", x, axes=axes, keepdims=keepdims), x.dtype)


@operator("ReduceSumInteger", domain=DOMAIN, example=example("N C", axes=(1,), keepdims=0, dtypes={0: "int8"}))
def reduce_sum_integer(x: TensorSpec, /, *, axes: Ints = (), keepdims: int = 1) -> Result:
    """As ReduceSum, summed in 32 bits."""
    work = of("ReduceSum", x, axes=axes, keepdims=keepdims)
    return fused(work, outputs=(tensor(dims(work.outputs[0]), "uint32" if x.dtype.startswith("u") else "int32"),))
