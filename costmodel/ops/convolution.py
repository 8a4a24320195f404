"""Convolutions of any rank: plain, grouped, dilated, transposed, deformable, quantised.

A convolution's mult-adds are its output elements times the input channels of a group times the
kernel's taps; padding is counted as if it were data, as the paper and every published table do.
"""

from __future__ import annotations

from collections.abc import Sequence

from costmodel.dims import Dim, Shape, exact_div, product, same
from costmodel.errors import ShapeError
from costmodel.graph import TensorSpec
from costmodel.ops.registry import Result, example, operator
from costmodel.ops.shapes import dims, tensor
from costmodel.ops.windows import window

Ints = tuple[int, ...]


def _convolve(
    x: TensorSpec,
    w: TensorSpec,
    bias: TensorSpec | None,
    dtype: str,
    auto_pad: str,
    dilations: Ints,
    group: Dim,
    kernel_shape: Ints,
    pads: Ints,
    strides: Ints,
) -> Result:
    batch, channels, *size = dims(x, at_least=3)
    out_channels, group_channels, *taps = dims(w, rank=len(size) + 2)
    same(
        group_channels * group,
        channels,
        f"input channels of weight {w.name!r} times {group} groups, and of the input",
    )
    exact_div(out_channels, group, "output channels in groups")
    kernel = _kernel(kernel_shape, taps)
    out = tensor((batch, out_channels, *window(kernel, strides, dilations, pads, auto_pad).output(tuple(size))), dtype)
    return Result(
        (out,),
        mult_adds=out.elements * group_channels * product(kernel),
        element_ops=out.elements if bias is not None else 0,
    )


def _kernel(kernel_shape: Ints, taps: Sequence[Dim]) -> Shape:
    """The window's size: the weight's own, which kernel_shape may only repeat."""
    if kernel_shape and len(kernel_shape) != len(taps):
        raise ShapeError(f"kernel_shape {kernel_shape} is given for {len(taps)} spatial dims")
    return tuple(same(k, t, "kernel_shape and weight") for k, t in zip(kernel_shape or taps, taps, strict=True))


@operator("Conv", example=example("N C H W", "M C 3 3", "M", pads=(1, 1, 1, 1), strides=(2, 2)))
def conv(
    x: TensorSpec,
    w: TensorSpec,
    b: TensorSpec | None = None,
    /,
    *,
    auto_pad: str = "NOTSET",
    dilations: Ints = (),
    group: int = 1,
    kernel_shape: Ints = (),
    pads: Ints = (),
    strides: Ints = (),
) -> Result:
    """mult_adds = output elements x (input channels / group) x kernel taps; the bias adds one operation an element."""
    return _convolve(x, w, b, x.dtype, auto_pad, dilations, group, kernel_shape, pads, strides)


@operator(
    "ConvInteger",
    example=example("N C H W", "M C 3 3", dtypes={0: "uint8", 1: "int8"}),
    settings=("x_zero_point", "w_zero_point"),
)
def conv_integer(
    x: TensorSpec,
    w: TensorSpec,
    x_zero_point: TensorSpec | None = None,
    w_zero_point: TensorSpec | None = None,
    /,
    *,
    auto_pad: str = "NOTSET",
    dilations: Ints = (),
    group: int = 1,
    kernel_shape: Ints = (),
    pads: Ints = (),
    strides: Ints = (),
) -> Result:
    """Conv on 8-bit integers, summed in int32."""
    return _convolve(x, w, None, "int32", auto_pad, dilations, group, kernel_shape, pads, strides)


@operator(
    "QLinearConv",
    example=example("N C H W", "", "", "M C 3 3", "", "", "", "", "M", dtypes={0: "uint8", 3: "int8", 8: "int32"}),
    settings=("x_scale", "x_zero_point", "w_scale", "w_zero_point", "y_scale", "y_zero_point"),
)
def qlinear_conv(
    x: TensorSpec,
    x_scale: TensorSpec,
    x_zero_point: TensorSpec,
    w: TensorSpec,
    w_scale: TensorSpec,
    w_zero_point: TensorSpec,
    y_scale: TensorSpec,
    y_zero_point: TensorSpec,
    b: TensorSpec | None = None,
    /,
    *,
    auto_pad: str = "NOTSET",
    dilations: Ints = (),
    group: int = 1,
    kernel_shape: Ints = (),
    pads: Ints = (),
    strides: Ints = (),
) -> Result:
    """Conv on quantised tensors; rescaling each output element is two operations, the bias one."""
    result = _convolve(x, w, b, y_zero_point.dtype, auto_pad, dilations, group, kernel_shape, pads, strides)
    rescale = 2 * result.outputs[0].elements
    return Result(result.outputs, mult_adds=result.mult_adds, element_ops=result.element_ops + rescale)


@operator("ConvTranspose", example=example("N C H W", "C M 3 3", "M", strides=(2, 2), pads=(1, 1, 1, 1)))
def conv_transpose(
    x: TensorSpec,
    w: TensorSpec,
    b: TensorSpec | None = None,
    /,
    *,
    auto_pad: str = "NOTSET",
    dilations: Ints = (),
    group: int = 1,
    kernel_shape: Ints = (),
    output_padding: Ints = (),
    output_shape: Ints = (),
    pads: Ints = (),
    strides: Ints = (),
) -> Result:
    """mult_adds = input elements x (output channels / group) x kernel taps: each input element meets every tap once."""
    batch, channels, *size = dims(x, at_least=3)
    in_channels, group_out, *taps = dims(w, rank=len(size) + 2)
    same(in_channels, channels, f"input channels of weight {w.name!r} and of the input")
    exact_div(channels, group, "input channels in groups")
    kernel = _kernel(kernel_shape, taps)
    win = window(kernel, strides, dilations, pads, auto_pad)
    extra = output_padding or (0,) * len(size)
    if len(extra) != len(size) or (output_shape and len(output_shape) < len(size)):
        raise ShapeError(f"output_padding {extra} or output_shape {output_shape} does not fit {len(size)} spatial dims")
    spatial: Shape
    if output_shape:
        spatial = output_shape[-len(size) :]
    elif auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        spatial = tuple(dim * stride for dim, stride in zip(size, win.strides, strict=True))
    else:
        spatial = tuple(
            (dim - 1) * win.strides[i] + win.extent(i) + extra[i] - win.pads[i] - win.pads[i + len(size)]
            for i, dim in enumerate(size)
        )
    out = tensor((batch, group_out * group, *spatial), x.dtype)
    return Result(
        (out,),
        mult_adds=x.elements * group_out * product(win.kernel),
        element_ops=out.elements if b is not None else 0,
    )


@operator("DeformConv", example=example("N C H W", "M C 3 3", "N 18 H-2 W-2", "M", "N 9 H-2 W-2"))
def deform_conv(
    x: TensorSpec,
    w: TensorSpec,
    offset: TensorSpec,
    b: TensorSpec | None = None,
    mask: TensorSpec | None = None,
    /,
    *,
    dilations: Ints = (),
    group: int = 1,
    kernel_shape: Ints = (),
    offset_group: int = 1,
    pads: Ints = (),
    strides: Ints = (),
) -> Result:
    """mult_adds as Conv; each sampled tap is interpolated (11 operations), a mask is one more."""
    result = _convolve(x, w, b, x.dtype, "NOTSET", dilations, group, kernel_shape, pads, strides)
    out_shape = dims(result.outputs[0])
    taps = product(dims(w)[2:])
    sampled = out_shape[0] * dims(x)[1] * taps * product(out_shape[2:])
    per_tap = 11 + (1 if mask is not None else 0)
    return Result(result.outputs, mult_adds=result.mult_adds, element_ops=result.element_ops + sampled * per_tap)
