"""Resampling: other sizes, grids, regions of interest, and the inverses of sliding windows.

Interpolation is counted as two operations (a product and a sum) for each input element that an output
element is made from: none where the nearest is copied, 2^d of them for linear and 4^d for cubic
interpolation over d dims.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from costmodel.columns import Column
from costmodel.dims import (
    Dim,
    Shape,
    as_dim,
    equal,
    exact_div,
    floor_div,
    is_symbolic,
    maximum,
    minimum,
    product,
    same,
)
from costmodel.errors import ShapeError, UnknownShapeError
from costmodel.graph import TensorSpec
from costmodel.ops.registry import Result, example, operator
from costmodel.ops.shapes import Declared, axis_indices, declared_output, dims, setting, tensor
from costmodel.ops.windows import window

Ints = tuple[int, ...]

_TAPS = {"nearest": 1, "linear": 2, "bilinear": 2, "cubic": 4, "bicubic": 4}
_FINEST_SCALE = 10_000  # denominator of a scale over symbols; float32 tells no finer fractions apart


def _interpolation(mode: str, rank: int) -> int:
    """Operations that one output element takes when it is interpolated over `rank` dims."""
    if mode not in _TAPS:
        raise ShapeError(f"mode is {mode!r}; it is one of {', '.join(_TAPS)}")
    taps: int = _TAPS[mode] ** rank
    return 2 * taps if taps > 1 else 0


def _resized(x: TensorSpec, out: TensorSpec, mode: str) -> Result:
    changed = sum(not equal(a, b) for a, b in zip(dims(x), dims(out), strict=True))
    return Result((out,), element_ops=out.elements * _interpolation(mode, changed))


def _replaced(shape: Shape, axes: Sequence[int], sizes: Sequence[Dim]) -> Shape:
    result = list(shape)
    for axis, size in zip(axes, sizes, strict=True):
        result[axis] = size
    return tuple(result)


def _scaled(dim: Dim, scale: Any) -> Dim:
    """floor(dim x scale), rounded to float32 before the floor as runtimes do: 10 x 0.7 is 7, not 6."""
    if is_symbolic(scale):
        numerator, divisor = (dim * scale).as_numer_denom()
        return floor_div(numerator, divisor)
    if not isinstance(scale, int | float) or not 0 < scale < math.inf:
        raise ShapeError(f"a scale is {scale!r}; it is a number above 0")
    if scale == int(scale):
        return dim * int(scale)
    if isinstance(dim, Column):
        return Column(np.floor(dim.values.astype(np.float32) * np.float32(scale)).astype(np.int64))
    if is_symbolic(dim):
        fraction = Fraction(scale).limit_denominator(_FINEST_SCALE)
        return floor_div(dim * fraction.numerator, fraction.denominator)
    if dim > 2**63:
        raise ShapeError(f"a dim of {dim} does not fit in int64")
    return int(np.floor(np.float32(dim) * np.float32(scale)))


def _fitted(sizes: Sequence[Dim], shape: Sequence[Dim], policy: str) -> Sequence[Dim]:
    """Sizes that keep the aspect ratio: round(scale x dim), scale being the least or largest size / dim.

    Rounding is monotone, so the extreme is taken over sizes instead of ratios and stays exact.
    """
    extreme = {"not_larger": minimum, "not_smaller": maximum}.get(policy)
    if policy == "stretch":
        return sizes
    if extreme is None:
        raise ShapeError(f"keep_aspect_ratio_policy is {policy!r}; it is stretch, not_larger or not_smaller")
    if any(isinstance(dim, int) and dim == 0 for dim in shape):
        raise ShapeError(f"no aspect ratio can be kept with a dim of 0 in {tuple(shape)}")
    result = []
    for dim in shape:
        candidates = [floor_div(2 * size * dim + own, 2 * own) for size, own in zip(sizes, shape, strict=True)]
        fitted = candidates[0]
        for candidate in candidates[1:]:
            fitted = extreme(fitted, candidate)
        result.append(fitted)
    return result


@operator(
    "Resize",
    example=example("N C H W", None, (1.0, 1.0, 2.0, 3.0), mode="linear"),
    settings=("roi_or_scales", "scales", "sizes"),
)
def resize(
    x: TensorSpec,
    roi_or_scales: TensorSpec | None = None,
    scales: TensorSpec | None = None,
    sizes: TensorSpec | None = None,
    /,
    *,
    axes: Ints = (),
    keep_aspect_ratio_policy: str = "stretch",
    mode: str = "nearest",
    declared: Declared = (),
) -> Result:
    """element_ops = output elements x 2 x taps: 2^d taps for linear, 4^d for cubic, none for nearest.

    Opset 10 has its scales as input 1, later ones a region there: it steers where is read, but not how much.
    """
    shape = dims(x)
    if scales is None and sizes is None:
        scales = roi_or_scales
    chosen = axis_indices(axes, len(shape)) if axes else tuple(range(len(shape)))
    try:
        factors, targets = setting(scales) or (), setting(sizes) or ()
    except UnknownShapeError as why:
        return _resized(x, tensor(dims(declared_output(declared, 0, why), len(shape)), x.dtype), mode)
    if len(factors or targets) != len(chosen) or (factors and targets):
        raise ShapeError(
            f"{len(factors)} scales and {len(targets)} sizes are given for {len(chosen)} dims; "
            "one of the two is needed, an entry a dim"
        )
    selected = [shape[axis] for axis in chosen]
    result: Sequence[Dim]
    if factors:
        result = [_scaled(dim, factor) for dim, factor in zip(selected, factors, strict=True)]
    else:
        result = _fitted([as_dim(size, "a size") for size in targets], selected, keep_aspect_ratio_policy)
    return _resized(x, tensor(_replaced(shape, chosen, result), x.dtype), mode)


@operator("Upsample", example=example("N C H W", (1.0, 1.0, 2.0, 2.0)), settings=("scales_input",))
def upsample(
    x: TensorSpec,
    scales_input: TensorSpec | None = None,
    /,
    *,
    mode: str = "nearest",
    scales: tuple[float, ...] = (),
    declared: Declared = (),
) -> Result:
    """As Resize; opset 7 has its scales as an attribute, later ones as an input."""
    shape = dims(x)
    try:
        factors: Sequence[Any] = scales if scales_input is None else setting(scales_input) or ()
    except UnknownShapeError as why:
        return _resized(x, tensor(dims(declared_output(declared, 0, why), len(shape)), x.dtype), mode)
    if len(factors) != len(shape):
        raise ShapeError(f"{len(factors)} scales are given for {len(shape)} dims")
    return _resized(x, tensor([_scaled(d, f) for d, f in zip(shape, factors, strict=True)], x.dtype), mode)


@operator("GridSample", example=example("N C H W", "N P Q 2"))
def grid_sample(x: TensorSpec, grid: TensorSpec, /, *, mode: str = "linear") -> Result:
    """element_ops = 2 x coordinates (to pixels) + output elements x 2 x taps, as Resize."""
    batch, channels, *size = dims(x, at_least=3)
    grid_batch, *points, coordinates = dims(grid, rank=len(size) + 2)
    batch = same(batch, grid_batch, "batch of the input and of the grid")
    same(coordinates, len(size), "coordinates of a grid point and spatial dims")
    out = tensor((batch, channels, *points), x.dtype)
    return Result((out,), element_ops=2 * grid.elements + out.elements * _interpolation(mode, len(size)))


@operator("AffineGrid", example=example("2 2 3", (2, 3, 5, 7)), settings=("size",))
def affine_grid(theta: TensorSpec, size: TensorSpec, /, *, declared: Declared = ()) -> Result:
    """mult_adds = output elements x (d + 1): each point times an affine matrix over d dims."""
    batch, rank, columns = dims(theta, rank=3)
    try:
        wanted = [as_dim(dim, "an entry of size") for dim in setting(size) or ()]
    except UnknownShapeError as why:
        out = tensor(dims(declared_output(declared, 0, why)), theta.dtype)
    else:
        if len(wanted) < 3:
            raise ShapeError(f"size has {len(wanted)} entries; N, C and at least one spatial dim are needed")
        same(rank, len(wanted) - 2, "rows of theta and spatial dims")
        out = tensor((same(batch, wanted[0], "batch of theta and of size"), *wanted[2:], rank), theta.dtype)
    same(columns, rank + 1, "columns of theta and its rows + 1")
    return Result((out,), mult_adds=out.elements * columns)


def _regions(x: TensorSpec, rois: TensorSpec, columns: int, size: Sequence[Dim]) -> TensorSpec:
    channels = dims(x, rank=2 + len(size))[1]
    regions, values = dims(rois, rank=2)
    same(values, columns, "values of a region of interest")
    return tensor((regions, channels, *(as_dim(dim, "a pooled size") for dim in size)), x.dtype)


@operator(
    "RoiAlign",
    example=example("N C H W", "R 4", "R", dtypes={2: "int64"}, output_height=7, output_width=5, sampling_ratio=2),
)
def roi_align(
    x: TensorSpec,
    rois: TensorSpec,
    batch_indices: TensorSpec,
    /,
    *,
    output_height: int = 1,
    output_width: int = 1,
    sampling_ratio: int = 0,
) -> Result:
    """element_ops = output elements x sampling_ratio^2 x 9: a bilinear sample (8), its part of a bin (1)."""
    out = _regions(x, rois, 4, (output_height, output_width))
    same(dims(rois)[0], dims(batch_indices, rank=1)[0], "regions and their batch indices")
    samples = sampling_ratio or 2
    adaptive = "" if sampling_ratio else "sampling adapts to each region: counted as 2 x 2 samples a bin"
    return Result((out,), element_ops=out.elements * samples * samples * 9, approximate=adaptive)


@operator("MaxRoiPool", example=example("N C H W", "R 5", pooled_shape=(7, 5)))
def max_roi_pool(x: TensorSpec, rois: TensorSpec, /, *, pooled_shape: Ints) -> Result:
    """element_ops = regions x channels x spatial elements: one comparison for each element of a region."""
    out = _regions(x, rois, 5, pooled_shape)
    return Result(
        (out,),
        element_ops=dims(rois)[0] * product(dims(x)[1:]),
        approximate="sizes of regions depend on data: each is counted as the whole map, an upper bound",
    )


@operator("CenterCropPad", example=example("N C 9 12", (10, 7), axes=(2, 3)), settings=("shape",))
def center_crop_pad(
    x: TensorSpec, shape: TensorSpec, /, *, axes: Ints | None = None, declared: Declared = ()
) -> Result:
    """Only the elements that remain are read; the output is written."""
    old = dims(x)
    chosen = tuple(range(len(old))) if axes is None else axis_indices(axes, len(old))
    try:
        sizes = [as_dim(size, "a size") for size in setting(shape) or ()]
    except UnknownShapeError as why:
        out = tensor(dims(declared_output(declared, 0, why), len(old)), x.dtype)
    else:
        if len(sizes) != len(chosen):
            raise ShapeError(f"{len(sizes)} sizes are given for {len(chosen)} dims")
        out = tensor(_replaced(old, chosen, sizes), x.dtype)
    return Result((out,), reads={0: product(minimum(a, b) for a, b in zip(old, dims(out), strict=True))})


@operator(
    "Col2Im",
    example=example("N 6*C 24", (5, 9), (2, 3), strides=(1, 1), dilations=(1, 2), pads=(0, 1, 0, 0)),
    settings=("image_shape", "block_shape"),
)
def col2im(
    x: TensorSpec,
    image_shape: TensorSpec,
    block_shape: TensorSpec,
    /,
    *,
    dilations: Ints = (),
    pads: Ints = (),
    strides: Ints = (),
    declared: Declared = (),
) -> Result:
    """element_ops = input elements: each is added to its place in the image."""
    batch, rows, blocks = dims(x, rank=3)
    try:
        image = [as_dim(dim, "a dim of the image") for dim in setting(image_shape) or ()]
        block = [as_dim(dim, "a dim of the block") for dim in setting(block_shape) or ()]
    except UnknownShapeError as why:
        out = tensor(dims(declared_output(declared, 0, why)), x.dtype)
    else:
        if len(image) != len(block):
            raise ShapeError(f"the image has {len(image)} dims and the block {len(block)}")
        placed = window(block, strides, dilations, pads, "NOTSET").output(tuple(image))
        same(product(placed), blocks, "blocks that fit in the image, and of the input")
        channels = exact_div(rows, product(block), "rows of Col2Im in blocks")
        out = tensor((batch, channels, *image), x.dtype)
    return Result((out,), element_ops=x.elements)


@operator(
    "MaxUnpool",
    example=example("N C H W", "N C H W", dtypes={1: "int64"}, kernel_shape=(2, 3), strides=(2, 3)),
    settings=("output_shape",),
)
def max_unpool(
    x: TensorSpec,
    indices: TensorSpec,
    output_shape: TensorSpec | None = None,
    /,
    *,
    kernel_shape: Ints,
    pads: Ints = (),
    strides: Ints = (),
    declared: Declared = (),
) -> Result:
    """Every input element is moved to its place in an output that is otherwise 0; there is no arithmetic."""
    batch, channels, *size = dims(x, at_least=3)
    for a, b in zip(dims(x), dims(indices, rank=len(size) + 2), strict=True):
        same(a, b, "dims of the input and of its indices")
    try:
        wanted = [as_dim(dim, "an entry of output_shape") for dim in setting(output_shape) or ()]
    except UnknownShapeError as why:
        return Result((tensor(dims(declared_output(declared, 0, why)), x.dtype),))
    if wanted:
        if len(wanted) != len(size) + 2:
            raise ShapeError(f"output_shape has {len(wanted)} entries; {len(size) + 2} are needed")
        return Result((tensor(wanted, x.dtype),))
    if len(kernel_shape) != len(size):
        raise ShapeError(f"kernel_shape {kernel_shape} is given for {len(size)} spatial dims")
    win = window(kernel_shape, strides, (), pads, "NOTSET")
    spatial = [
        (dim - 1) * win.strides[i] + win.extent(i) - win.pads[i] - win.pads[i + len(size)] for i, dim in enumerate(size)
    ]
    return Result((tensor((batch, channels, *spatial), x.dtype),))
