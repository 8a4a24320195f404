"""Indexing: elements taken from or put to places that another tensor names.

Moving elements is no arithmetic. What is gathered is all that is read; a scatter copies its whole input.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from costmodel.dims import Dim, Shape, as_dim, is_symbolic, minimum, product, same
from costmodel.errors import ShapeError, UnknownShapeError
from costmodel.graph import TensorSpec
from costmodel.ops.registry import Result, example, operator
from costmodel.ops.shapes import (
    Declared,
    at_most,
    axis_index,
    declared_output,
    dims,
    is_dim_known,
    scalar,
    tensor,
)


def _taken(shape: Shape, dtype: str) -> Result:
    out = tensor(shape, dtype)
    return Result((out,), reads={0: out.elements})


@operator("Gather", example=example("V F", "N S", dtypes={1: "int64"}), settings=("indices",))
def gather(data: TensorSpec, indices: TensorSpec, /, *, axis: int = 0) -> Result:
    """Only the gathered elements are read, and written."""
    shape = dims(data, at_least=1)
    at = axis_index(axis, len(shape))
    return _taken((*shape[:at], *dims(indices), *shape[at + 1 :]), data.dtype)


@operator("GatherElements", example=example("N C", "N K", axis=1, dtypes={1: "int64"}), settings=("indices",))
def gather_elements(data: TensorSpec, indices: TensorSpec, /, *, axis: int = 0) -> Result:
    """One element is read, and written, for each index."""
    shape = dims(data, at_least=1)
    axis_index(axis, len(shape))
    return _taken(dims(indices, rank=len(shape)), data.dtype)


def _depth(indices: TensorSpec, available: int) -> tuple[Shape, int]:
    """The places that ND indices name, and how many leading dims of the data each index fixes."""
    *places, depth = dims(indices, at_least=1)
    if not is_dim_known(depth):
        raise UnknownShapeError(f"the last dim of {indices.name!r} is not a plain number")
    assert isinstance(depth, int)
    if not 0 < depth <= available:
        raise ShapeError(f"indices of {depth} entries do not fit {available} dims")
    return tuple(places), depth


@operator("GatherND", example=example("N C H W", "N K 2", batch_dims=1, dtypes={1: "int64"}), settings=("indices",))
def gather_nd(data: TensorSpec, indices: TensorSpec, /, *, batch_dims: int = 0) -> Result:
    """Only the gathered slices are read, and written."""
    shape = dims(data, at_least=1)
    if not 0 <= batch_dims < len(shape):
        raise ShapeError(f"batch_dims is {batch_dims}; with {len(shape)} dims it is from 0 to {len(shape) - 1}")
    places, depth = _depth(indices, len(shape) - batch_dims)
    if len(places) < batch_dims:
        raise ShapeError(f"indices of {len(places) + 1} dims have no {batch_dims} batch dims")
    pairs = zip(shape[:batch_dims], places[:batch_dims], strict=True)
    batch = [same(a, b, "batch dims of data and indices") for a, b in pairs]
    return _taken((*batch, *places[batch_dims:], *shape[batch_dims + depth :]), data.dtype)


def _scattered(data: TensorSpec, updates: TensorSpec, reduction: str) -> Result:
    reduced = 0 if reduction == "none" else updates.elements
    return Result((TensorSpec(dims(data), data.dtype),), element_ops=reduced)


@operator(
    "Scatter",
    "ScatterElements",
    example=example("N C", "N K", "N K", axis=1, dtypes={1: "int64"}),
    settings=("indices",),
)
def scatter_elements(
    data: TensorSpec, indices: TensorSpec, updates: TensorSpec, /, *, axis: int = 0, reduction: str = "none"
) -> Result:
    """The data is copied; element_ops = updates where they are reduced into it, else none."""
    rank = len(dims(data, at_least=1))
    axis_index(axis, rank)
    for a, b in zip(dims(indices, rank=rank), dims(updates, rank=rank), strict=True):
        same(a, b, "dims of indices and updates")
    return _scattered(data, updates, reduction)


@operator("ScatterND", example=example("N C H W", "K 2", "K H W", dtypes={1: "int64"}), settings=("indices",))
def scatter_nd(data: TensorSpec, indices: TensorSpec, updates: TensorSpec, /, *, reduction: str = "none") -> Result:
    """The data is copied; element_ops = updates where they are reduced into it, else none."""
    shape = dims(data, at_least=1)
    places, depth = _depth(indices, len(shape))
    wanted = (*places, *shape[depth:])
    for a, b in zip(wanted, dims(updates, rank=len(wanted)), strict=True):
        same(a, b, "dims of indices and data, and of updates")
    return _scattered(data, updates, reduction)


@operator(
    "TensorScatter",
    example=example("B H S D", "B H K D", "B", dtypes={2: "int64"}),
    settings=("write_indices",),
)
def tensor_scatter(
    cache: TensorSpec, update: TensorSpec, write_indices: TensorSpec | None = None, /, *, axis: int = -2
) -> Result:
    """The cache is copied with the update in its place; there is no arithmetic."""
    shape = dims(cache, at_least=1)
    at = axis_index(axis, len(shape))
    for i, (a, b) in enumerate(zip(shape, dims(update, rank=len(shape)), strict=True)):
        if i != at:
            same(a, b, f"dim {i} of the cache and of its update")
    return _scattered(cache, update, "none")


@operator("OneHot", example=example("N S", (10,), "2", dtypes={0: "int64"}), settings=("depth", "values"))
def one_hot(
    indices: TensorSpec, depth: TensorSpec, values: TensorSpec, /, *, axis: int = -1, declared: Declared = ()
) -> Result:
    """Every output element is written; there is no arithmetic."""
    shape = dims(indices)
    at = axis_index(axis, len(shape) + 1)
    try:
        classes = _whole(scalar(depth), "depth")
    except UnknownShapeError as why:
        return Result((tensor(dims(declared_output(declared, 0, why)), values.dtype),))
    return Result((tensor((*shape[:at], classes, *shape[at:]), values.dtype),))


def _whole(value: Any, what: str) -> Dim:
    """A dim that a model may give as a float."""
    return as_dim(int(value) if isinstance(value, float) and value.is_integer() else value, what)


@operator("TopK", example=example("N C", (5,)), settings=("k_input",))
def top_k(
    x: TensorSpec,
    k_input: TensorSpec | None = None,
    /,
    *,
    axis: int = -1,
    k: int | None = None,
    declared: Declared = (),
) -> Result:
    """element_ops = elements: each is compared with the smallest one that is kept."""
    shape = dims(x, at_least=1)
    at = axis_index(axis, len(shape))
    try:
        kept = as_dim(k if k_input is None else scalar(k_input), "k")
    except UnknownShapeError as why:
        new = dims(declared_output(declared, 0, why), len(shape))
    else:
        new = (*shape[:at], kept, *shape[at + 1 :])
    return Result((tensor(new, x.dtype), tensor(new, "int64")), element_ops=x.elements)


def _cut(bound: TensorSpec, declared: Declared, element_ops: Dim, what: str) -> Result:
    """An operator whose output ends where the data says: as declared, or as large as it can get."""
    out = at_most(bound, declared)
    note = f"how many {what} depends on data: all are counted, an upper bound" if out is bound else ""
    return Result((out,), element_ops=element_ops, approximate=note)


def _count(spec: TensorSpec) -> int | None:
    """How many elements of a known value are not 0; None where that is not known."""
    if spec.value is None or any(is_symbolic(item) for item in spec.value.reshape(-1)):
        return None
    return sum(bool(item) for item in spec.value.reshape(-1))


@operator("NonZero", example=example("N C"))
def non_zero(x: TensorSpec, /, *, declared: Declared = ()) -> Result:
    """element_ops = elements; counted as if every element were other than 0, unless known or declared."""
    known = _count(x)
    rank = len(dims(x))
    if known is not None:
        return Result((tensor((rank, known), "int64"),), element_ops=x.elements)
    return _cut(tensor((rank, x.elements), "int64"), declared, x.elements, "elements are not 0")


@operator("Compress", example=example("N C", "C", axis=1, dtypes={1: "bool"}), settings=("condition",))
def compress(x: TensorSpec, condition: TensorSpec, /, *, axis: int | None = None, declared: Declared = ()) -> Result:
    """Only what is kept is read, and written; counted as if all were kept, unless known or declared."""
    shape = dims(x, at_least=1)
    flags = dims(condition, rank=1)[0]
    known = _count(condition)
    before: Shape = ()
    after: Shape = ()
    if axis is None:
        whole = product(shape)
    else:
        at = axis_index(axis, len(shape))
        before, whole, after = shape[:at], shape[at], shape[at + 1 :]
    most = minimum(flags, whole) if known is None else known
    bound = tensor((*before, most, *after), x.dtype)
    result = Result((bound,)) if known is not None else _cut(bound, declared, 0, "slices are kept")
    return Result(result.outputs, reads={0: result.outputs[0].elements}, approximate=result.approximate)


@operator("Unique", example=example("N C", axis=1))
def unique(x: TensorSpec, /, *, axis: int | None = None, declared: Declared = ()) -> Result:
    """element_ops = elements; counted as if no two were alike, unless declared or known before the run."""
    shape = dims(x, at_least=0 if axis is None else 1)
    at = 0
    if axis is None:
        whole, bound = x.elements, tensor((x.elements,), x.dtype)
    else:
        at = axis_index(axis, len(shape))
        whole, bound = shape[at], TensorSpec(shape, x.dtype)
    if x.value is None:
        result = _cut(bound, declared, x.elements, "elements differ")
    else:
        slices = x.value.reshape(-1) if axis is None else np.moveaxis(x.value, at, 0)
        distinct = {tuple(np.reshape(part, -1)) for part in slices}
        result = Result((tensor((*dims(bound)[:at], len(distinct), *dims(bound)[at + 1 :]), x.dtype),))
    found = dims(result.outputs[0])[at]
    places = [tensor((count,), "int64") for count in (found, whole, found)]
    return Result((*result.outputs, *places), element_ops=x.elements, approximate=result.approximate)


@operator("ReverseSequence", example=example("S N C", "N", dtypes={1: "int64"}), settings=("lengths",))
def reverse_sequence(x: TensorSpec, lengths: TensorSpec, /, *, batch_axis: int = 1, time_axis: int = 0) -> Result:
    """Every element is read and written once."""
    shape = dims(x, at_least=2)
    axis_index(time_axis, len(shape))
    same(shape[axis_index(batch_axis, len(shape))], dims(lengths, rank=1)[0], "sequences and their lengths")
    return Result((TensorSpec(shape, x.dtype),))


@operator("Trilu", example=example("N H W", (1,)), settings=("k",))
def trilu(x: TensorSpec, k: TensorSpec | None = None, /) -> Result:
    """Every element is read and written once."""
    return Result((TensorSpec(dims(x, at_least=2), x.dtype),))
