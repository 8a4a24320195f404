"""Sequences of tensors and optional values: references that are handed around, not elements that move.

A sequence is described by what its elements have in common: their type, and their shape where all have
the same one. How many there are is not known; where a shape depends on it, the model has to declare it.
"""

from __future__ import annotations

from costmodel.dims import as_dim, ceil_div, equal
from costmodel.dtypes import BITS, from_onnx
from costmodel.errors import UnknownShapeError
from costmodel.graph import TensorSpec
from costmodel.ops.registry import Result, example, operator
from costmodel.ops.shapes import Declared, axis_index, declared_output, dims, setting

_NONE = TensorSpec(None, "undefined")


def _common(*specs: TensorSpec) -> TensorSpec:
    """The description of a sequence of these elements."""
    if not specs:
        return _NONE
    first = specs[0].shape
    for spec in specs[1:]:
        if first is None or spec.shape is None or len(spec.shape) != len(first):
            return TensorSpec(None, specs[0].dtype)
        if not all(map(equal, first, spec.shape)):
            first = None
    return TensorSpec(first, specs[0].dtype)


def _reference(spec: TensorSpec) -> Result:
    return Result((spec,), free=True)


@operator("SequenceEmpty", example=example(dtype=1))
def sequence_empty(*, dtype: int = 1) -> Result:
    """Nothing moves."""
    return _reference(TensorSpec(None, from_onnx(dtype)))


@operator("SequenceConstruct", example=example("N C", "N C"), any_shape=True)
def sequence_construct(*elements: TensorSpec) -> Result:
    """References to tensors; nothing moves."""
    return _reference(_common(*elements))


@operator("SequenceInsert", example=example("N C", "N C", (0,)), settings=("position",), any_shape=True)
def sequence_insert(sequence: TensorSpec, element: TensorSpec, position: TensorSpec | None = None, /) -> Result:
    """One reference more; nothing moves."""
    return _reference(_common(element, sequence))


@operator("SequenceErase", example=example("N C", (0,)), settings=("position",), any_shape=True)
def sequence_erase(sequence: TensorSpec, position: TensorSpec | None = None, /) -> Result:
    """One reference less; nothing moves."""
    return _reference(_common(sequence))


@operator("SequenceAt", example=example("N C", (0,)), settings=("position",), any_shape=True)
def sequence_at(sequence: TensorSpec, position: TensorSpec, /, *, declared: Declared = ()) -> Result:
    """A reference to one element; nothing moves."""
    return _reference(_content(sequence, declared))


def _content(spec: TensorSpec, declared: Declared) -> TensorSpec:
    """What a sequence or an optional holds, as far as it is known."""
    told = declared[0] if declared else None
    if told is not None and told.shape is not None and (spec.shape is None or spec.dtype not in BITS):
        return told
    return TensorSpec(spec.shape, spec.dtype)


@operator("SequenceLength", example=example("N C"), any_shape=True)
def sequence_length(sequence: TensorSpec, /) -> Result:
    """How many references there are; nothing moves."""
    return _reference(TensorSpec((), "int64"))


@operator("OptionalHasElement", example=example("N C"), any_shape=True)
def optional_has_element(value: TensorSpec | None = None, /) -> Result:
    """Whether there is a reference; nothing moves."""
    return _reference(TensorSpec((), "bool"))


@operator("Optional", example=example("N C"), any_shape=True)
def optional(value: TensorSpec | None = None, /) -> Result:
    """A reference, or none; nothing moves."""
    return _reference(_NONE if value is None else _common(value))


@operator("OptionalGetElement", example=example("N C"), any_shape=True)
def optional_get_element(value: TensorSpec, /, *, declared: Declared = ()) -> Result:
    """A reference; nothing moves."""
    return _reference(_content(value, declared))


@operator("SplitToSequence", example=example("N 2*C", (2,), axis=0), settings=("sizes",))
def split_to_sequence(x: TensorSpec, sizes: TensorSpec | None = None, /, *, axis: int = 0, keepdims: int = 1) -> Result:
    """Every element is read and written once."""
    shape = dims(x, at_least=1)
    at = axis_index(axis, len(shape))
    return Result((_part(x, sizes, at, bool(keepdims)),), writes={0: x.elements})


def _part(x: TensorSpec, sizes: TensorSpec | None, at: int, keepdims: bool) -> TensorSpec:
    """What all parts have in common: a shape only where all are cut to one size."""
    before, dim, after = dims(x)[:at], dims(x)[at], dims(x)[at + 1 :]
    if sizes is None:
        return TensorSpec((*before, *((1,) if keepdims else ()), *after), x.dtype)
    try:
        parts = [as_dim(part, "a size of SplitToSequence") for part in setting(sizes) or ()]
    except UnknownShapeError:
        return TensorSpec(None, x.dtype)
    alike = bool(parts) and all(equal(part, parts[0]) for part in parts)
    if sizes.shape == ():  # the size of every part but the last, which takes what is left
        alike = alike and not equal(parts[0], 0) and equal(ceil_div(dim, parts[0]) * parts[0], dim)
    return TensorSpec((*before, parts[0], *after) if alike else None, x.dtype)


@operator("ConcatFromSequence", example=example("N C", axis=0), any_shape=True)
def concat_from_sequence(sequence: TensorSpec, /, *, axis: int, new_axis: int = 0, declared: Declared = ()) -> Result:
    """Every element is read and written once."""
    why = UnknownShapeError(f"how many tensors {sequence.name!r} holds is unknown")
    out = declared_output(declared, 0, why)
    axis_index(axis, len(dims(out, at_least=1)))
    return Result((out,), reads={0: out.elements})


@operator("SequenceMap", example=example("N C", body=None), any_shape=True)
def sequence_map(sequence: TensorSpec, /, *others: TensorSpec, declared: Declared = ()) -> Result:
    """The operators of its body, once an element; they are not counted."""
    outputs = tuple(_NONE if spec is None else spec for spec in declared) or (_NONE,)
    why = "the body runs once for each element of a sequence; its operators are not counted"
    return Result(outputs, free=True, approximate=why)
