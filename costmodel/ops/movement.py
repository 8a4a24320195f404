"""Data movement: operators that copy, join, cut or reorder elements, and views that do not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from costmodel.columns import Column
from costmodel.dims import (
    Dim,
    Shape,
    broadcast_shapes,
    ceil_div,
    equal,
    exact_div,
    is_symbolic,
    maximum,
    minimum,
    product,
    same,
    show_shape,
)
from costmodel.errors import ShapeError, UnknownShapeError
from costmodel.graph import TensorSpec
from costmodel.ops.registry import Result, example, operator
from costmodel.ops.shapes import Declared, axis_index, axis_indices, declared_output, dims, setting, tensor

_MAP = example("N C H W")


def _view(shape: Sequence[Dim], x: TensorSpec) -> Result:
    return Result((tensor(shape, x.dtype),), free=True)


@operator("Identity", example=_MAP, any_shape=True)
def identity(x: TensorSpec, /) -> Result:
    """A view; nothing moves."""
    return Result((TensorSpec(x.shape, x.dtype),), free=True)


@operator("Reshape", example=example("N C H W", (0, -1)), settings=("target",))
def reshape(
    x: TensorSpec,
    target: TensorSpec | None = None,
    /,
    *,
    allowzero: int = 0,
    shape: tuple[int, ...] = (),
    declared: Declared = (),
) -> Result:
    """A view; nothing moves."""
    try:
        wanted = shape if target is None else setting(target) or ()
    except UnknownShapeError as why:
        return Result((declared_output(declared, 0, why),), free=True)
    return _view(_reshaped(dims(x), wanted, bool(allowzero)), x)


def _reshaped(shape: Shape, wanted: Sequence[Any], keep_zero: bool) -> Shape:
    result: list[Dim] = []
    rest: list[Dim] = list(shape)
    free = -1
    for i, dim in enumerate(wanted):
        if isinstance(dim, int) and dim == -1:
            if free >= 0:
                raise ShapeError(f"target {tuple(wanted)} has more than one -1")
            free = i
            result.append(1)
            continue
        if isinstance(dim, int) and dim == 0 and not keep_zero:
            if i >= len(shape):
                raise ShapeError(f"target {tuple(wanted)} keeps dim {i}, but the input is {show_shape(shape)}")
            dim = shape[i]
        result.append(dim)
        _take(rest, dim)
    fixed = [dim for i, dim in enumerate(result) if i != free]
    what = f"Reshape of {show_shape(shape)} to {show_shape(tuple(wanted))}: elements"
    if free < 0:
        same(product(shape), product(fixed), what)
    elif any(isinstance(dim, int) and dim == 0 for dim in fixed):
        result[free] = 0
    else:
        # Dims that stay as they are cancel first, so that N x C x H x W to N x -1 gives C*H*W exactly.
        left = [dim for dim in _without(fixed, shape) if not equal(dim, 1)]
        result[free] = exact_div(product(rest), product(left), what)
    return tuple(result)


def _take(dims_left: list[Dim], dim: Dim) -> None:
    for i, candidate in enumerate(dims_left):
        if candidate is dim or equal(candidate, dim):
            del dims_left[i]
            return


def _without(wanted: Sequence[Dim], shape: Shape) -> list[Dim]:
    """The dims of wanted that have no equal among shape's own."""
    rest = list(shape)
    left = []
    for dim in wanted:
        before = len(rest)
        _take(rest, dim)
        if len(rest) == before:
            left.append(dim)
    return left


@operator("Flatten", example=_MAP)
def flatten(x: TensorSpec, /, *, axis: int = 1) -> Result:
    """A view; nothing moves."""
    shape = dims(x)
    if not -len(shape) <= axis <= len(shape):
        raise ShapeError(f"axis {axis} is out of range for {len(shape)} dims")
    at = axis if axis >= 0 else axis + len(shape)
    return _view((product(shape[:at]), product(shape[at:])), x)


@operator("Squeeze", example=example("N 1 H 1", (1, 3)), settings=("axes_input",))
def squeeze(
    x: TensorSpec,
    axes_input: TensorSpec | None = None,
    /,
    *,
    axes: tuple[int, ...] = (),
    declared: Declared = (),
) -> Result:
    """A view; nothing moves."""
    shape = dims(x)
    try:
        chosen: Sequence[Any] = setting(axes_input) or axes
    except UnknownShapeError as why:
        return Result((declared_output(declared, 0, why),), free=True)
    if chosen:
        gone = axis_indices(chosen, len(shape))
        for i in gone:
            same(shape[i], 1, f"Squeeze of dim {i} of {show_shape(shape)}")
    else:
        gone = tuple(i for i, dim in enumerate(shape) if isinstance(dim, int) and dim == 1)
    return _view([dim for i, dim in enumerate(shape) if i not in gone], x)


@operator("Unsqueeze", example=example("N C", (0, 3)), settings=("axes_input",))
def unsqueeze(
    x: TensorSpec,
    axes_input: TensorSpec | None = None,
    /,
    *,
    axes: tuple[int, ...] = (),
    declared: Declared = (),
) -> Result:
    """A view; nothing moves."""
    try:
        chosen: Sequence[Any] = setting(axes_input) or axes
    except UnknownShapeError as why:
        return Result((declared_output(declared, 0, why),), free=True)
    shape = dims(x)
    new = axis_indices(chosen, len(shape) + len(chosen))
    rest = iter(shape)
    return _view([1 if i in new else next(rest) for i in range(len(shape) + len(new))], x)


@operator("Transpose", example=example("N C H W", perm=(0, 2, 3, 1)))
def transpose(x: TensorSpec, /, *, perm: tuple[int, ...] | None = None) -> Result:
    """Every element is read and written once."""
    shape = dims(x)
    order = tuple(reversed(range(len(shape)))) if perm is None else perm
    if sorted(order) != list(range(len(shape))):
        raise ShapeError(f"perm {order} is not an order of {len(shape)} dims")
    return Result((TensorSpec(tuple(shape[i] for i in order), x.dtype),))


@operator("Concat", example=example("N C H W", "N D H W", axis=1))
def concat(*tensors: TensorSpec, axis: int = 1) -> Result:
    """Every element is read and written once."""
    if not tensors:
        raise ShapeError("no inputs are given; Concat needs at least one")
    shape = list(dims(tensors[0]))
    at = axis_index(axis, len(shape))
    for spec in tensors[1:]:
        other = dims(spec, rank=len(shape))
        for i, dim in enumerate(other):
            shape[i] = shape[i] + dim if i == at else same(shape[i], dim, f"dim {i} of the parts of Concat")
    return Result((tensor(shape, tensors[0].dtype),))


@operator("Split", example=example("N 2*C H W", axis=1, num_outputs=2), settings=("sizes",))
def split(
    x: TensorSpec,
    sizes: TensorSpec | None = None,
    /,
    *,
    axis: int = 0,
    num_outputs: int | None = None,
    split: tuple[int, ...] = (),
    declared: Declared = (),
) -> Result:
    """Every element is read and written once."""
    shape = dims(x, at_least=1)
    at = axis_index(axis, len(shape))
    try:
        parts: Sequence[Any] = setting(sizes) or split
    except UnknownShapeError as why:
        return Result(tuple(declared_output(declared, i, why) for i in range(len(declared))))
    if parts:
        same(_total(parts), shape[at], f"sizes {tuple(parts)} of Split and the dim that it cuts")
    else:
        parts = _even_parts(shape[at], num_outputs or len(declared))
    return Result(tuple(tensor((*shape[:at], part, *shape[at + 1 :]), x.dtype) for part in parts))


def _total(parts: Sequence[Any]) -> Any:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def _even_parts(dim: Dim, count: int) -> list[Dim]:
    """count equal parts, the last one smaller where the dim does not divide."""
    if not 1 <= count <= 65536:
        raise ShapeError(f"Split into {count} parts; give sizes, or a number of outputs from 1 to 65536")
    size = ceil_div(dim, count)
    return [*[size] * (count - 1), dim - size * (count - 1)]


@operator(
    "Slice",
    example=example("N C H W", (1, 0), (3, 5), (1, 2)),
    settings=("starts_in", "ends_in", "axes_in", "steps_in"),
)
def slice_(
    x: TensorSpec,
    starts_in: TensorSpec | None = None,
    ends_in: TensorSpec | None = None,
    axes_in: TensorSpec | None = None,
    steps_in: TensorSpec | None = None,
    /,
    *,
    axes: tuple[int, ...] = (),
    ends: tuple[int, ...] = (),
    starts: tuple[int, ...] = (),
    declared: Declared = (),
) -> Result:
    """Only the elements that remain are read, and written."""
    shape = list(dims(x))
    try:
        first: Sequence[Any] = setting(starts_in) or starts
        last: Sequence[Any] = setting(ends_in) or ends
        chosen: Sequence[Any] = setting(axes_in) or axes or range(len(first))
        step: Sequence[Any] = setting(steps_in) or [1] * len(first)
    except UnknownShapeError as why:
        out = declared_output(declared, 0, why)
        return Result((out,), reads={0: out.elements})
    if not len(first) == len(last) == len(chosen) == len(step):
        raise ShapeError(f"Slice has {len(first)} starts, {len(last)} ends, {len(chosen)} axes, {len(step)} steps")
    for axis, begin, end, stride in zip(axis_indices(chosen, len(shape)), first, last, step, strict=True):
        shape[axis] = _slice_length(shape[axis], begin, end, stride)
    out = tensor(shape, x.dtype)
    return Result((out,), reads={0: out.elements})


def _slice_length(dim: Dim, start: Any, end: Any, step: Any) -> Dim:
    """How many elements start:end:step takes. As in numpy, but backwards from before the first element
    ONNX starts at the first."""
    if not isinstance(step, int) or step == 0:
        raise ShapeError(f"Slice has a step of {step}; it is an integer other than 0")
    if isinstance(dim, int) and isinstance(start, int) and isinstance(end, int):
        if step < 0 and dim:
            start, end = max(start, -dim), None if end < -dim else end
        return len(range(*slice(start, end, step).indices(dim)))
    if step < 0:
        if start == -1 and isinstance(end, int) and end < -(2**31):
            return ceil_div(dim, -step)
        raise UnknownShapeError("a slice runs backwards over a free dim")
    length = _bound(dim, end) - _bound(dim, start)
    return ceil_div(maximum(length, 0) if not is_symbolic(length) else length, step)


def _bound(dim: Dim, at: Any) -> Dim:
    """One bound of a slice, counted from the front and kept within the dim."""
    if isinstance(at, int):
        if at < 0:
            return maximum(dim + at, 0)
        if at >= 2**31 - 1 or at == 0:
            return dim if at else 0
    elif isinstance(at, Column) or at.is_nonpositive:
        return maximum(dim + at, 0) if not isinstance(at, Column) else minimum(dim, at)
    return minimum(dim, at)


@operator("Expand", example=example("C 1", (2, 1, 5)), settings=("target",))
def expand(x: TensorSpec, target: TensorSpec, /, *, declared: Declared = ()) -> Result:
    """The input is read once, every output element written."""
    try:
        wanted = tuple(setting(target) or ())
    except UnknownShapeError as why:
        return Result((declared_output(declared, 0, why),))
    return Result((tensor(broadcast_shapes("Expand", dims(x), wanted), x.dtype),))


@operator("Tile", example=example("N C", (2, 3)), settings=("repeats",))
def tile(x: TensorSpec, repeats: TensorSpec, /, *, declared: Declared = ()) -> Result:
    """The input is read once, every output element written."""
    shape = dims(x)
    try:
        times = setting(repeats) or ()
    except UnknownShapeError as why:
        return Result((declared_output(declared, 0, why),))
    if len(times) != len(shape):
        raise ShapeError(f"Tile has {len(times)} repeats for {len(shape)} dims")
    return Result((tensor([dim * n for dim, n in zip(shape, times, strict=True)], x.dtype),))


@operator("Pad", example=example("N C H W", (0, 0, 1, 1, 0, 0, 2, 2)), settings=("pads_in", "fill", "axes_in"))
def pad(
    x: TensorSpec,
    pads_in: TensorSpec | None = None,
    fill: TensorSpec | None = None,
    axes_in: TensorSpec | None = None,
    /,
    *,
    pads: tuple[int, ...] = (),
    declared: Declared = (),
) -> Result:
    """The input is read once, every output element written; a negative pad crops."""
    shape = list(dims(x))
    try:
        amounts: Sequence[Any] = setting(pads_in) or pads
        axes = axis_indices(setting(axes_in) or range(len(shape)), len(shape))
    except UnknownShapeError as why:
        return Result((declared_output(declared, 0, why),))
    if len(amounts) != 2 * len(axes):
        raise ShapeError(f"Pad has {len(amounts)} pads for {len(axes)} axes; it needs two each")
    for i, axis in enumerate(axes):
        shape[axis] = shape[axis] + amounts[i] + amounts[i + len(axes)]
    return Result((tensor(shape, x.dtype),))


@operator("DepthToSpace", example=example("N 4*C H W", blocksize=2))
def depth_to_space(x: TensorSpec, /, *, blocksize: int) -> Result:
    """Every element is read and written once."""
    n, c, h, w = dims(x, rank=4)
    channels = exact_div(c, _block(blocksize) ** 2, "channels of DepthToSpace")
    return Result((tensor((n, channels, h * blocksize, w * blocksize), x.dtype),))


@operator("SpaceToDepth", example=example("N C 2*H 2*W", blocksize=2))
def space_to_depth(x: TensorSpec, /, *, blocksize: int) -> Result:
    """Every element is read and written once."""
    n, c, h, w = dims(x, rank=4)
    block = _block(blocksize)
    height, width = (exact_div(dim, block, "size of SpaceToDepth") for dim in (h, w))
    return Result((tensor((n, c * block * block, height, width), x.dtype),))


def _block(size: int) -> int:
    if size < 1:
        raise ShapeError(f"blocksize is {size}; it is at least 1")
    return size
