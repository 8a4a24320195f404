"""What is counted the same way for every operator: elements, bytes, parameters, folding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from costmodel.cost import Cost
from costmodel.dims import Dim
from costmodel.dtypes import size_in_bytes
from costmodel.errors import UnknownShapeError
from costmodel.graph import Counting, TensorSpec
from costmodel.ops.folding import fold
from costmodel.ops.registry import Result, call, find

# Operators whose output is a constant of its own, not a rearrangement of others.
_MAKERS = frozenset({"Constant", "ConstantOfShape", "EyeLike", "Range"})
_RANDOM = frozenset(
    {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}
)
# Arithmetic that runtimes do once on a weight, when they load it.
_PREPARES = frozenset({"Cast", "CastLike", "DequantizeLinear", "QuantizeLinear"})
_INTEGERS = frozenset({"int32", "int64", "bool"})

# For each constant that is a parameter here: the tensor, and its learned elements, or None for every
# element of the constants that it is made from.
Params = tuple[tuple[TensorSpec, Dim | None], ...]


@dataclass(frozen=True, slots=True)
class Applied:
    """An operator applied to inputs: its outputs and its cost, parameters apart.

    Whoever knows the whole graph turns `params` into a count, each constant once.
    """

    outputs: tuple[TensorSpec, ...]
    cost: Cost = Cost()
    params: Params = ()
    counting: Counting = Counting.COUNTED
    note: str = ""


def apply(
    op_type: str,
    domain: str,
    inputs: Sequence[TensorSpec | None],
    attributes: Mapping[str, Any],
    outputs: Sequence[str],
    declared: Sequence[TensorSpec | None] = (),
    stored: Mapping[str, TensorSpec] | None = None,
) -> Applied:
    """Apply an operator and count it.

    outputs: names for the outputs, "" for one that is not wanted and therefore not written.
    declared: what the model says of the outputs, where shapes depend on data.
    stored: the constants of the graph by name, to count the bytes of a weight as it is stored.
    An operator that is not registered, or whose shapes cannot be known, counts its bytes only and is
    UNKNOWN. Raises ShapeError as `registry.call` does.
    """
    op = find(op_type, domain)
    if op is None:
        return _bytes_only("the operator is not known", inputs, outputs, declared, stored or {})
    try:
        result = call(op, inputs, attributes, declared or (None,) * len(outputs))
    except UnknownShapeError as why:
        return _bytes_only(str(why), inputs, outputs, declared, stored or {})
    specs = tuple(map(_named, result.outputs, outputs))
    values: tuple[Any, ...] = ()
    constant = False
    if not op.domain:
        values = fold(op_type, inputs, attributes, specs)
        constant = _is_preparation(op_type, result) and all(spec is None or spec.roots for spec in inputs)
    if constant:
        specs = _constants(op_type, op.settings, inputs, specs)
    if values:
        specs = tuple(replace(s, value=v) for s, v in zip(specs, values, strict=False))
    counting = Counting.APPROXIMATED if result.approximate else Counting.COUNTED
    if constant or values or result.free:
        return Applied(specs, counting=counting, note=result.approximate)
    cost, params = _count(result, op.settings, inputs, specs, stored or {})
    return Applied(specs, cost, params, counting, result.approximate)


def _named(spec: TensorSpec, name: str) -> TensorSpec:
    return TensorSpec(spec.shape, spec.dtype, name, spec.value, spec.roots)


def _is_preparation(op_type: str, result: Result) -> bool:
    """Whether constants stay constants: moved, cut, joined or retyped, but with nothing computed."""
    if op_type in _PREPARES:
        return True
    computes = not (_is_zero(result.mult_adds) and _is_zero(result.element_ops))
    return not computes and op_type not in _RANDOM


def _is_zero(count: Dim) -> bool:
    return isinstance(count, int) and count == 0


def _constants(
    op_type: str,
    settings: frozenset[int],
    inputs: Sequence[TensorSpec | None],
    outputs: tuple[TensorSpec, ...],
) -> tuple[TensorSpec, ...]:
    """Outputs that are known before the run: constants of their own, or made from their inputs' constants.

    What steers the operator is no part of them: the scale of a quantised weight is not learned.
    """
    data = (spec for i, spec in enumerate(inputs) if spec is not None and i not in settings)
    roots = tuple(dict.fromkeys(root for spec in data for root in spec.roots))
    own = op_type in _MAKERS or not roots
    return tuple(replace(spec, roots=(spec.name,) if own else roots) for spec in outputs)


def _bytes_only(
    why: str,
    inputs: Sequence[TensorSpec | None],
    outputs: Sequence[str],
    declared: Sequence[TensorSpec | None],
    stored: Mapping[str, TensorSpec],
) -> Applied:
    specs = []
    for i, name in enumerate(outputs):
        spec = declared[i] if i < len(declared) else None
        specs.append(_named(spec or TensorSpec(None, "undefined"), name))
    cost, params = _count(Result(tuple(specs)), frozenset(), inputs, specs, stored)
    return Applied(tuple(specs), cost, params, Counting.UNKNOWN, why)


def _count(
    result: Result,
    settings: frozenset[int],
    inputs: Sequence[TensorSpec | None],
    outputs: Sequence[TensorSpec],
    stored: Mapping[str, TensorSpec],
) -> tuple[Cost, Params]:
    read: Dim = 0
    weights: Dim = 0
    total_bytes: Dim = 0
    params = []
    seen = set()
    for i, spec in enumerate(inputs):
        if spec is None or spec.name in seen:
            continue
        if i in settings and spec.value is not None and (spec.dtype in _INTEGERS or spec.value.size == 1):
            continue  # part of the operator's code, not of its data
        if spec.name:
            seen.add(spec.name)  # a tensor that is used twice is read once
        elements = result.reads.get(i, spec.elements)
        dtype = spec.dtype
        if spec.roots:
            weights = weights + elements
            dtype = _stored_type(spec, stored)
            if i not in settings:
                params.append((spec, result.params.get(i)))
        else:
            read = read + elements
        total_bytes = total_bytes + size_in_bytes(elements, dtype)
    written: Dim = 0
    for i, spec in enumerate(outputs):
        if spec.name:
            elements = result.writes.get(i, spec.elements)
            written = written + elements
            total_bytes = total_bytes + size_in_bytes(elements, spec.dtype)
    cost = Cost(result.mult_adds, result.element_ops, read, written, weights, 0, total_bytes)
    return cost, tuple(params)


def _stored_type(spec: TensorSpec, stored: Mapping[str, TensorSpec]) -> str:
    """The element type of a weight in the file: int8 for one that is dequantised ahead of the run."""
    for root in spec.roots:
        source = stored.get(root)
        if source is not None and source.shape == spec.shape:
            return source.dtype
    return spec.dtype
