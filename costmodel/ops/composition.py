"""Operators made of other operators: a fused kernel computes what its parts compute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from costmodel.dims import Dim
from costmodel.errors import ShapeError, UnknownShapeError
from costmodel.graph import TensorSpec
from costmodel.ops.registry import Result, call, find

# Activations as recurrent and fused operators name them, where that is not ONNX's name.
_ALIASES = {
    "silu": "Swish",
    "swish": "Swish",
    "relu": "Relu",
    "gelu": "Gelu",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
}
_NOTHING = frozenset({"", "none", "identity"})
# Activations of recurrent layers that are no operator of their own: operations an element.
_FORMULAS = {"Affine": 2, "ScaledTanh": 3}


def of(
    op_type: str, *inputs: TensorSpec | None, declared: Sequence[TensorSpec | None] = (), **attributes: Any
) -> Result:
    """What ONNX's own operator of that type says of these inputs and attributes."""
    op = find(op_type)
    if op is None:
        raise UnknownShapeError(f"the operator {op_type!r}, which is a part of it, is not known")
    return call(op, inputs, attributes, declared)


def fused(
    *parts: Result,
    outputs: Sequence[TensorSpec] | None = None,
    element_ops: Dim = 0,
    reads: Mapping[int, Dim] | None = None,
    params: Mapping[int, Dim] | None = None,
    approximate: str = "",
) -> Result:
    """One kernel that does the work of all parts, and `element_ops` more.

    outputs: what the kernel writes; the last part's outputs when left out.
    """
    mult_adds: Dim = 0
    for part in parts:
        mult_adds = mult_adds + part.mult_adds
        element_ops = element_ops + part.element_ops
        approximate = approximate or part.approximate
    return Result(
        tuple(parts[-1].outputs if outputs is None else outputs),
        mult_adds=mult_adds,
        element_ops=element_ops,
        reads=reads or {},
        params=params or {},
        approximate=approximate,
    )


def activation(name: str, x: TensorSpec) -> Result:
    """An activation that an attribute names, applied to x; none for an empty name, `none` and `identity`."""
    if name.lower() in _NOTHING:
        return Result((x,))
    if name in _FORMULAS:
        return Result((x,), element_ops=_FORMULAS[name] * x.elements)
    op = find(_ALIASES.get(name.lower(), name))
    if op is None:
        why = f"the activation {name!r} is not known; it is counted as one operation an element"
        return Result((x,), element_ops=x.elements, approximate=why)
    return call(op, (x,), {})


def needed(spec: TensorSpec | None, name: str) -> TensorSpec:
    """An input that must be there though one before it may be left out; raises ShapeError where it is not."""
    if spec is None:
        raise ShapeError(f"input {name!r} is left out; it is needed")
    return spec
