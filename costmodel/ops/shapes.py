"""What operator functions share: reading inputs, axes and settings, and making outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from costmodel.columns import Column
from costmodel.dims import (
    LARGEST_RANK,
    Dim,
    Shape,
    as_dim,
    broadcast_shapes,
    is_symbolic,
    product,
    show_shape,
)
from costmodel.errors import ShapeError, UnknownShapeError
from costmodel.graph import TensorSpec
from costmodel.ops.registry import Result

Declared = Sequence[TensorSpec | None]


def dims(spec: TensorSpec, rank: int | None = None, at_least: int = 0) -> Shape:
    """The shape of an input whose shape is known; raises ShapeError where its rank does not fit."""
    shape = spec.shape
    if shape is None:
        raise UnknownShapeError(f"the shape of {spec.name!r} is unknown")
    if rank is not None and len(shape) != rank:
        raise ShapeError(f"input {spec.name!r} is {show_shape(shape)}; {rank} dims are needed")
    if len(shape) < at_least:
        raise ShapeError(f"input {spec.name!r} is {show_shape(shape)}; at least {at_least} dims are needed")
    return shape


def tensor(shape: Sequence[Dim], dtype: str) -> TensorSpec:
    """An output tensor; raises ShapeError for a negative size or an absurd rank."""
    if len(shape) > LARGEST_RANK:
        raise ShapeError(f"an output has {len(shape)} dims; at most {LARGEST_RANK} make sense")
    for dim in shape:
        if (type(dim) is int and dim < 0) or (isinstance(dim, Column) and dim.low < 0):
            as_dim(dim, f"a dim of output {show_shape(tuple(shape))}")
    return TensorSpec(tuple(shape), dtype)


def axis_index(axis: Any, rank: int) -> int:
    """An axis counted from the front; raises ShapeError when it is out of range."""
    if not isinstance(axis, int) or not -rank <= axis < max(rank, 1):
        raise ShapeError(f"axis {axis!r} is out of range for {rank} dims")
    return axis % rank if rank else 0


def axis_indices(axes: Sequence[Any], rank: int) -> tuple[int, ...]:
    """Several axes counted from the front, each once."""
    result = tuple(axis_index(axis, rank) for axis in axes)
    if len(set(result)) != len(result):
        raise ShapeError(f"axes {tuple(axes)} name one dim twice")
    return result


def setting(spec: TensorSpec | None) -> tuple[Any, ...] | None:
    """The elements of an input that steers the operator, or None if left out.

    Raises UnknownShapeError where they depend on data.
    """
    if spec is None:
        return None
    if spec.value is None:
        if spec.shape is not None and any(isinstance(dim, int) and dim == 0 for dim in spec.shape):
            return ()
        raise UnknownShapeError(f"the values of {spec.name!r} are not known before the run")
    return tuple(spec.value.reshape(-1))


def scalar(spec: TensorSpec | None) -> Any:
    """The one element of a setting, or None if left out."""
    values = setting(spec)
    if values is None:
        return None
    if len(values) != 1:
        raise ShapeError(f"one value is needed, {len(values)} are given")
    return values[0]


def declared_output(declared: Declared, index: int, why: UnknownShapeError) -> TensorSpec:
    """What the model says of an output whose shape depends on data; raises `why` where it says nothing."""
    spec = declared[index] if index < len(declared) else None
    if spec is None or spec.shape is None:
        raise why
    return spec


def broadcast(*specs: TensorSpec) -> Shape:
    """The shape that numpy's broadcasting gives several inputs; raises ShapeError for none."""
    if not specs:
        raise ShapeError("no inputs are given; at least one is needed")
    first = specs[0].shape
    if first is not None and all(spec.shape == first for spec in specs[1:]):
        return first  # by far the most common case, and without a look at single dims
    what = "shapes that do not broadcast"
    return broadcast_shapes(what, *(dims(spec) for spec in specs))


def elementwise(*inputs: TensorSpec, ops: int = 1, dtype: str | None = None) -> Result:
    """An operator that gives one element for each (broadcast) element, with `ops` scalar operations each.

    A constant of one element is a number in the operator's formula, not a parameter.
    """
    shape = broadcast(*inputs)
    literals = {i: 0 for i, spec in enumerate(inputs) if spec.is_stored and spec.elements == 1}
    out = TensorSpec(shape, dtype or inputs[0].dtype)
    return Result((out,), element_ops=product(shape) * ops, params=literals)


def is_dim_known(dim: Any) -> bool:
    """Whether a dim is a plain int."""
    return isinstance(dim, int) and not is_symbolic(dim)


def at_most(bound: TensorSpec, declared: Declared, index: int = 0) -> TensorSpec:
    """An output whose shape depends on data: as declared in plain numbers, or else `bound` itself."""
    spec = declared[index] if index < len(declared) else None
    if spec is None or spec.shape is None or not all(map(is_dim_known, spec.shape)):
        return bound
    if bound.shape is not None and len(spec.shape) != len(bound.shape):
        return bound
    return TensorSpec(spec.shape, bound.dtype)
