"""Reordering, cutting and transforming of data (com.microsoft)."""

from __future__ import annotations

from costmodel.errors import ShapeError, UnknownShapeError
from costmodel.graph import TensorSpec
from costmodel.ops.composition import fused, of
from costmodel.ops.registry import Result, example, operator
from costmodel.ops.shapes import Declared, at_most, axis_index, dims, scalar, setting, tensor

DOMAIN = "com.microsoft"


@operator("ExpandDims", domain=DOMAIN, example=example("N C", (1,)), settings=("axis",))
def expand_dims(x: TensorSpec, axis: TensorSpec, /) -> Result:
    """A view with one dim of 1 more; nothing moves."""
    shape = dims(x)
    at = axis_index(scalar(axis), len(shape) + 1)
    return Result((tensor((*shape[:at], 1, *shape[at:]), x.dtype),), free=True)


@operator("RemovePadding", domain=DOMAIN, example=example("B S F", "B", dtypes={1: "int32"}), settings=("counts",))
def remove_padding(x: TensorSpec, counts: TensorSpec, /, *, declared: Declared = ()) -> Result:
    """Tokens that are no padding are read, and written; all of them, unless their number is known
    or declared."""
    batch, length, hidden = dims(x, rank=3)
    note = ""
    try:
        tokens = sum(setting(counts) or ())
        out = tensor((tokens, hidden), x.dtype)
    except UnknownShapeError:
        bound = tensor((batch * length, hidden), x.dtype)
        out = at_most(bound, declared)
        note = "how many tokens are padding depends on data: none is counted as padding" if out is bound else ""
    offsets = [tensor(shape, "int32") for shape in ((batch, length), (batch + 1,), (1,))]
    return Result((out, *offsets), reads={0: out.elements}, approximate=note)


@operator("RestorePadding", domain=DOMAIN, example=example("T F", "B S", dtypes={1: "int32"}), settings=("offsets",))
def restore_padding(x: TensorSpec, offsets: TensorSpec, /) -> Result:
    """Every token is read, every place of the padded output written."""
    return Result((tensor((*dims(offsets, rank=2), dims(x, rank=2)[1]), x.dtype),))


@operator("Unique", domain=DOMAIN, example=example("N"))
def unique(x: TensorSpec, /, *, declared: Declared = ()) -> Result:
    """As ONNX's Unique of a vector; outputs are the elements, the place of each, and their counts."""
    values, _, places, counts = (work := of("Unique", x, declared=declared)).outputs
    return fused(work, outputs=(values, places, counts))


@operator("NGramRepeatBlock", domain=DOMAIN, example=example("B S", "B V", dtypes={0: "int64"}, ngram_size=3))
def ngram_repeat_block(input_ids: TensorSpec, scores: TensorSpec, /, *, ngram_size: int) -> Result:
    """element_ops = ids x (ngram size - 1) comparisons; the scores are copied."""
    return Result((tensor(dims(scores), scores.dtype),), element_ops=input_ids.elements * (ngram_size - 1))


@operator(
    "CropAndResize",
    domain=DOMAIN,
    example=example("N C H W", "R 4", "R", (7, 5), dtypes={2: "int32"}),
    settings=("crop_size",),
)
def crop_and_resize(
    x: TensorSpec,
    rois: TensorSpec,
    batch_indices: TensorSpec,
    crop_size: TensorSpec,
    /,
    *,
    mode: str = "bilinear",
) -> Result:
    """element_ops = 8 x output elements for bilinear interpolation: 2 for each of four neighbours;
    0 for the nearest."""
    size = setting(crop_size) or ()
    if len(size) != 2:
        raise ShapeError(f"crop_size is {size}; it is a height and a width")
    out = tensor((dims(rois, rank=2)[0], dims(x, rank=4)[1], *size), x.dtype)
    return Result((out,), element_ops=8 * out.elements if mode == "bilinear" else 0)


def _transformed(x: TensorSpec, axes: range, inverse: int) -> Result:
    """Complex Fourier transforms along several axes, one after the other."""
    parts = [Result((x,))]
    for axis in axes:
        parts.append(of("DFT", parts[-1].outputs[0], axis=axis, inverse=inverse))
    return fused(*parts)


@operator("Rfft", domain=DOMAIN, example=example("N L", signal_ndim=1))
def rfft(x: TensorSpec, /, *, signal_ndim: int = 1) -> Result:
    """As ONNX's DFT of a real signal, one-sided along the last dim; the output has real and
    imaginary parts last."""
    shape = dims(x, at_least=signal_ndim)
    half = of("DFT", tensor((*shape, 1), x.dtype), axis=-2, onesided=1)
    return fused(half, _transformed(half.outputs[0], range(-3, -2 - signal_ndim, -1), 0))


@operator("Irfft", domain=DOMAIN, example=example("N L+1 2", signal_ndim=1))
def irfft(x: TensorSpec, /, *, signal_ndim: int) -> Result:
    """The inverse of Rfft: a one-sided spectrum to a real signal."""
    dims(x, at_least=signal_ndim + 1)
    whole = _transformed(x, range(-3, -2 - signal_ndim, -1), 1)
    real = of("DFT", whole.outputs[0], axis=-2, inverse=1, onesided=1)
    out = dims(real.outputs[0])[:-1]
    return fused(whole, real, outputs=(tensor(out, x.dtype),))


@operator("UnfoldTensor", domain=DOMAIN, example=example("N 16", size=4, step=2))
def unfold_tensor(x: TensorSpec, /, *, dim: int = -1, size: int, step: int = 1) -> Result:
    """Windows of `size` elements along a dim, `step` apart, in a new last dim; every element of
    each is written."""
    shape = list(dims(x, at_least=1))
    at = axis_index(dim, len(shape))
    pooled = of("MaxPool", tensor((1, 1, shape[at]), x.dtype), kernel_shape=(size,), strides=(step,))
    shape[at] = dims(pooled.outputs[0])[2]
    return Result((tensor((*shape, size), x.dtype),))
