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

# Operators that make a constant of their own. What EyeLike and Range make is a table, not learned.
_MAKERS = frozenset({"Constant", "ConstantOfShape"})
_TABLES = frozenset({"EyeLike", "Range"})
# Arithmetic that runtimes do once on a weight, when they load it.
_RETYPES = frozenset({"Cast", "CastLike", "DequantizeLinear", "QuantizeLinear"})
# Their outputs are never a rearrangement of their inputs' elements.
_UNRELATED = frozenset(
    {
        "Bernoulli",
        "Multinomial",
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
        "Shape",
        "Size",
    }
)
# Their outputs have an element of a constant as often as a shape says, which may be the batch's.
_REPEATS = frozenset({"Expand", "Tile"})
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
) -> Applied:
    """Apply an operator and count it.

    outputs: names for the outputs, "" for one that is not wanted and therefore not written.
    declared: what the model says of the outputs, where shapes depend on data.
    An operator that is not registered, or whose shapes cannot be known, counts its bytes only and is
    UNKNOWN. Raises ShapeError as `registry.call` does.
    """
    op = find(op_type, domain)
    if op is None:
        return _bytes_only("the operator is not known", inputs, outputs, declared)
    try:
        result = call(op, inputs, attributes, declared or (None,) * len(outputs))
    except UnknownShapeError as why:
        return _bytes_only(str(why), inputs, outputs, declared)
    specs = tuple(map(_named, result.outputs, outputs))
    values = () if op.domain else fold(op_type, inputs, attributes, specs)
    prepared = not op.domain and _is_prepared(op_type, op.settings, result, inputs)
    if prepared:
        specs = _constants(op_type, op.settings, result, inputs, specs)
    if values:
        specs = tuple(replace(s, value=v) for s, v in zip(specs, values, strict=False))
    counting = Counting.APPROXIMATED if result.approximate else Counting.COUNTED
    if prepared or result.free or (values and not _is_weight_arithmetic(inputs, specs)):
        return Applied(specs, counting=counting, note=result.approximate)
    cost, params = _count(result, op.settings, inputs, specs)
    return Applied(specs, cost, params, counting, result.approximate)


def _named(spec: TensorSpec, name: str) -> TensorSpec:
    return TensorSpec(spec.shape, spec.dtype, name, spec.value, spec.stored, spec.roots)


def _is_prepared(op_type: str, settings: frozenset[int], result: Result, inputs: Sequence[TensorSpec | None]) -> bool:
    """Whether the outputs are constants that runtimes make when they load the model.

    Constants stay constants where they are moved, cut, joined or retyped, and where integers are
    computed from them; repeating them and arithmetic on weights are counted as they stand in the graph.
    """
    if op_type in _UNRELATED or op_type in _REPEATS:
        return False
    own = op_type in _MAKERS or op_type in _TABLES
    for i, spec in enumerate(inputs):
        known = i in settings and spec is not None and spec.value is not None and not own
        if spec is not None and not (spec.is_stored or known or _is_zero(result.reads.get(i, 1))):
            return False
    if not _is_zero(result.mult_adds):
        return False
    integers = all(spec.dtype in _INTEGERS for spec in result.outputs)
    return _is_zero(result.element_ops) or op_type in _RETYPES or integers


def _is_weight_arithmetic(inputs: Sequence[TensorSpec | None], outputs: Sequence[TensorSpec]) -> bool:
    """Whether known values come from constants of the file alone, and are no integers: not a shape."""
    return all(spec is None or spec.is_stored for spec in inputs) and any(s.dtype not in _INTEGERS for s in outputs)


def _is_zero(count: Dim) -> bool:
    return isinstance(count, int) and count == 0


def _constants(
    op_type: str,
    settings: frozenset[int],
    result: Result,
    inputs: Sequence[TensorSpec | None],
    outputs: tuple[TensorSpec, ...],
) -> tuple[TensorSpec, ...]:
    """Outputs as constants: of their own, or holding the elements of their inputs as they are stored.

    What steers the operator is no part of them: the scale of a quantised weight is not learned.
    """
    if op_type in _MAKERS:
        return tuple(replace(spec, stored=spec.dtype, roots=(spec.name,)) for spec in outputs)
    if op_type in _TABLES:
        return tuple(replace(spec, stored=spec.dtype) for spec in outputs)
    steering = settings | {i for i, elements in result.reads.items() if _is_zero(elements)}
    data = [spec for i, spec in enumerate(inputs) if spec is not None and i not in steering]
    roots = tuple(dict.fromkeys(root for spec in data for root in spec.roots))
    types = {spec.stored or spec.dtype for spec in data}
    one = types.pop() if len(types) == 1 else ""
    return tuple(replace(spec, stored=one or spec.dtype, roots=roots) for spec in outputs)


def _bytes_only(
    why: str,
    inputs: Sequence[TensorSpec | None],
    outputs: Sequence[str],
    declared: Sequence[TensorSpec | None],
) -> Applied:
    specs = []
    for i, name in enumerate(outputs):
        spec = declared[i] if i < len(declared) else None
        specs.append(_named(spec or TensorSpec(None, "undefined"), name))
    cost, params = _count(Result(tuple(specs)), frozenset(), inputs, specs)
    return Applied(tuple(specs), cost, params, Counting.UNKNOWN, why)


def _count(
    result: Result,
    settings: frozenset[int],
    inputs: Sequence[TensorSpec | None],
    outputs: Sequence[TensorSpec],
) -> tuple[Cost, Params]:
    read: Dim = 0
    weights: Dim = 0
    total_bytes: Dim = 0
    params = []
    seen = set()
    for i, spec in enumerate(inputs):
        if spec is None or spec.name in seen:
            continue
        if i in settings and spec.is_constant and (spec.dtype in _INTEGERS or spec.elements == 1):
            continue  # part of the operator's code, not of its data
        if spec.name:
            seen.add(spec.name)  # a tensor that is used twice is read once
        elements = result.reads.get(i, spec.elements)
        if spec.is_stored:
            weights = weights + elements
            if i not in settings:
                params.append((spec, result.params.get(i)))
        else:
            read = read + elements
        total_bytes = total_bytes + size_in_bytes(elements, spec.stored or spec.dtype)
    written: Dim = 0
    for i, spec in enumerate(outputs):
        if spec.name:
            elements = result.writes.get(i, spec.elements)
            written = written + elements
            total_bytes = total_bytes + size_in_bytes(elements, spec.dtype)
    cost = Cost(result.mult_adds, result.element_ops, read, written, weights, 0, total_bytes)
    return cost, tuple(params)
