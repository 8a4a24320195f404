"""Convolutions with sums and activations fused into them, channels first or last (com.microsoft).

Weights are (M, C / group, kernel) whatever the layout of the activations.
"""

from __future__ import annotations

from typing import Any

from costmodel.errors import UnknownShapeError
from costmodel.graph import TensorSpec
from costmodel.ops.composition import activation as activated
from costmodel.ops.composition import fused, of
from costmodel.ops.microsoft.layouts import channels_first
from costmodel.ops.microsoft.layouts import channels_last as back
from costmodel.ops.registry import Result, example, operator
from costmodel.ops.shapes import Declared, declared_output, setting

DOMAIN = "com.microsoft"
INTERNAL = "com.ms.internal.nhwc"
Ints = tuple[int, ...]


def fused_convolution(
    x: TensorSpec, w: TensorSpec, b: TensorSpec | None, z: TensorSpec | None, activation: str, **geometry: Any
) -> Result:
    """Conv, a residual, an activation; channels first."""
    work = of("Conv", x, w, b, **geometry)
    out = work.outputs[0]
    residual = [] if z is None else [of("Add", out, z)]
    return fused(work, *residual, activated(activation, out), outputs=work.outputs)


@operator(
    "FusedConv",
    domain=DOMAIN,
    example=example("N C H W", "M C 3 3", "M", pads=(1, 1, 1, 1), activation="Relu"),
)
def fused_conv(
    x: TensorSpec,
    w: TensorSpec,
    b: TensorSpec | None = None,
    z: TensorSpec | None = None,
    /,
    *,
    activation: str = "",
    auto_pad: str = "NOTSET",
    dilations: Ints = (),
    group: int = 1,
    kernel_shape: Ints = (),
    pads: Ints = (),
    strides: Ints = (),
) -> Result:
    """mult_adds as Conv; a residual and an activation are operations an output element."""
    return fused_convolution(
        x,
        w,
        b,
        z,
        activation,
        auto_pad=auto_pad,
        dilations=dilations,
        group=group,
        kernel_shape=kernel_shape,
        pads=pads,
        strides=strides,
    )


_NHWC = example("N H W C", "M C 3 3", "M", pads=(1, 1, 1, 1))


@operator("NhwcFusedConv", "NhwcConv", domain=DOMAIN, example=_NHWC)
@operator("Conv", domain=INTERNAL, example=_NHWC)
def nhwc_fused_conv(
    x: TensorSpec,
    w: TensorSpec,
    b: TensorSpec | None = None,
    z: TensorSpec | None = None,
    /,
    *,
    activation: str = "",
    auto_pad: str = "NOTSET",
    dilations: Ints = (),
    group: int = 1,
    kernel_shape: Ints = (),
    pads: Ints = (),
    strides: Ints = (),
) -> Result:
    """As FusedConv, with channels last."""
    work = fused_convolution(
        channels_first(x),
        w,
        b,
        None if z is None else channels_first(z),
        activation,
        auto_pad=auto_pad,
        dilations=dilations,
        group=group,
        kernel_shape=kernel_shape,
        pads=pads,
        strides=strides,
    )
    return back(work)


@operator("ConvTranspose", domain=INTERNAL, example=example("N H W C", "C M 3 3", "M", strides=(2, 2)))
def nhwc_conv_transpose(
    x: TensorSpec,
    w: TensorSpec,
    b: TensorSpec | None = None,
    /,
    *,
    activation: str = "",
    auto_pad: str = "NOTSET",
    dilations: Ints = (),
    group: int = 1,
    kernel_shape: Ints = (),
    output_padding: Ints = (),
    output_shape: Ints = (),
    pads: Ints = (),
    strides: Ints = (),
) -> Result:
    """As ConvTranspose, with channels last, then an activation."""
    work = of(
        "ConvTranspose",
        channels_first(x),
        w,
        b,
        auto_pad=auto_pad,
        dilations=dilations,
        group=group,
        kernel_shape=kernel_shape,
        output_padding=output_padding,
        output_shape=output_shape,
        pads=pads,
        strides=strides,
    )
    return back(fused(work, activated(activation, work.outputs[0])))


@operator(
    "ConvTransposeWithDynamicPads",
    domain=DOMAIN,
    example=example("N C H W", "C M 3 3", (1, 1, 1, 1), strides=(2, 2)),
    settings=("pads",),
)
def conv_transpose_with_dynamic_pads(
    x: TensorSpec,
    w: TensorSpec,
    pads: TensorSpec | None = None,
    b: TensorSpec | None = None,
    /,
    *,
    auto_pad: str = "NOTSET",
    dilations: Ints = (),
    group: int = 1,
    kernel_shape: Ints = (),
    output_padding: Ints = (),
    strides: Ints = (),
    declared: Declared = (),
) -> Result:
    """mult_adds as ConvTranspose; its pads are an input."""
    geometry: dict[str, Any] = {
        "auto_pad": auto_pad,
        "dilations": dilations,
        "group": group,
        "kernel_shape": kernel_shape,
        "output_padding": output_padding,
        "strides": strides,
    }
    try:
        return of("ConvTranspose", x, w, b, pads=setting(pads) or (), **geometry)
    except UnknownShapeError as why:
        out = declared_output(declared, 0, why)
    unpadded = of("ConvTranspose", x, w, None, **geometry)  # what is multiplied does not depend on pads
    return fused(unpadded, outputs=(out,), element_ops=out.elements if b is not None else 0)


@operator(
    "QLinearConv",
    domain=DOMAIN,
    example=example(
        "N H W C",
        "",
        "",
        "M C 3 3",
        "",
        "",
        "",
        "",
        "M",
        dtypes={0: "uint8", 3: "int8", 7: "uint8", 8: "int32"},
        channels_last=1,
    ),
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
    channels_last: int = 0,
    dilations: Ints = (),
    group: int = 1,
    kernel_shape: Ints = (),
    pads: Ints = (),
    strides: Ints = (),
) -> Result:
    """As ONNX's QLinearConv, with channels last where asked."""
    work = of(
        "QLinearConv",
        channels_first(x) if channels_last else x,
        x_scale,
        x_zero_point,
        w,
        w_scale,
        w_zero_point,
        y_scale,
        y_zero_point,
        b,
        auto_pad=auto_pad,
        dilations=dilations,
        group=group,
        kernel_shape=kernel_shape,
        pads=pads,
        strides=strides,
    )
    return back(work) if channels_last else work
