"""Operators on activations in blocks of channels, NCHWc (com.microsoft.nchwc).

ONNX Runtime's optimiser writes them for CPUs. Dims keep their order (N, C, spatial); weights are filled up
to whole blocks of channels, and what is computed for the filling is counted, as it is run.
"""

from __future__ import annotations

from costmodel.dims import same
from costmodel.errors import ShapeError
from costmodel.graph import TensorSpec
from costmodel.ops.microsoft.convolution import fused_convolution
from costmodel.ops.registry import Result, example, operator
from costmodel.ops.shapes import dims, tensor

DOMAIN = "com.microsoft.nchwc"
Ints = tuple[int, ...]

_BLOCK = 16  # channels, with AVX-512; other CPUs have blocks of 8 or 4
_FILLED = "how many channels a block has depends on the CPU; none is counted as filled up"


@operator("Conv", domain=DOMAIN, example=example("N C H W", "M C 3 3", "M", pads=(1, 1, 1, 1), activation="Relu"))
def blocked_conv(
    x: TensorSpec,
    w: TensorSpec,
    b: TensorSpec | None = None,
    total: TensorSpec | None = None,
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
    """As FusedConv; the input has as many channels as the filled up weight asks for."""
    batch, channels, *size = dims(x, at_least=3)
    filled = dims(w, at_least=3)[1] * group
    if not (isinstance(channels, int) and isinstance(filled, int)):
        filled = same(channels, filled, "channels of the input and of the weight")
    elif channels > filled:
        raise ShapeError(f"the weight takes {filled} channels; the input has {channels}")
    whole = TensorSpec((batch, filled, *size), x.dtype, x.name)
    return fused_convolution(
        whole,
        w,
        b,
        total,
        activation,
        auto_pad=auto_pad,
        dilations=dilations,
        group=group,
        kernel_shape=kernel_shape,
        pads=pads,
        strides=strides,
    )


@operator("ReorderInput", domain=DOMAIN, example=example("N H W C", channels_last=1))
def reorder_input(x: TensorSpec, /, *, channels_last: int = 0) -> Result:
    """Every element is read and written once, on the way into blocks."""
    batch, *rest = dims(x, at_least=3)
    channels, size = (rest[-1], rest[:-1]) if channels_last else (rest[0], rest[1:])
    ragged = isinstance(channels, int) and channels % _BLOCK != 0
    return Result((tensor((batch, channels, *size), x.dtype),), approximate=_FILLED if ragged else "")


@operator("ReorderOutput", domain=DOMAIN, example=example("N C H W", channels=32))
def reorder_output(x: TensorSpec, /, *, channels: int = 0, channels_last: int = 0) -> Result:
    """Every element that is no filling is read and written once, on the way out of blocks."""
    batch, filled, *size = dims(x, at_least=3)
    kept = channels or filled
    shape = (batch, *size, kept) if channels_last else (batch, kept, *size)
    return Result((tensor(shape, x.dtype),))
