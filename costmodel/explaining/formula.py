"""An operator's counts as formulas: its own function applied to symbols, and the numbers that stand for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from costmodel.cost import Cost
from costmodel.dims import Dim, Shape, symbol
from costmodel.errors import CostModelError
from costmodel.graph import Graph, Node, TensorSpec
from costmodel.ops import Operator, apply, as_value, find

COUNTS = ("mult_adds", "element_ops", "memory_access")

_LETTERS = {1: "C", 2: "N C", 3: "N C L", 4: "N C H W", 5: "N C D H W"}

Inputs = tuple[TensorSpec | None, ...]
Letters = Sequence[Sequence[str | int] | None]  # for each input its dims: a letter, or -1 for one that stays a number
Lettered = tuple[Inputs, Mapping[str, Any], dict[str, int]]


@dataclass(frozen=True, slots=True)
class Formula:
    """What an operator counts, as formulas.

    words: the formula as its documentation has it. expressions: for each count that is not 0, by its name in Cost,
    an expression of sympy; empty where the operator's sizes have no letters. values: what the letters stand for.
    """

    words: str
    expressions: Mapping[str, Any]
    values: Mapping[str, int]


def formula_of(graph: Graph, node: Node) -> Formula | None:
    """An operator's formulas; None for an operator that is not known.

    They are kept only if the node's own sizes, put in for the letters, give its counts.
    """
    op = find(node.op_type, node.domain)
    if op is None:
        return None
    inputs = tuple(_input(graph, op, index, name) for index, name in enumerate(node.inputs))
    if all(spec is None or _is_sized(spec) for spec in inputs):
        for symbolic, attributes, values in _lettered(op, node, inputs):
            try:
                cost = apply(node.op_type, node.domain, symbolic, attributes, node.outputs).cost
            except CostModelError:
                continue
            if _gives(cost, values, node):
                return Formula(op.summary, _expressions(cost), values)
    return Formula(op.summary, {}, {})


def _input(graph: Graph, op: Operator, index: int, name: str) -> TensorSpec | None:
    """An input; a setting that the graph does not keep (the ends of a Clip in a network that was built) as a scalar."""
    if not name and index in op.settings:
        return TensorSpec((), "float32", "", as_value((0.0,)).reshape(()))
    return graph.tensors.get(name)


def _is_sized(spec: TensorSpec) -> bool:
    return spec.shape is not None and all(isinstance(dim, int) for dim in spec.shape)


def _expressions(cost: Cost) -> dict[str, Any]:
    counts = {name: getattr(cost, name) for name in COUNTS}
    return {name: count for name, count in counts.items() if count != 0}


def _gives(cost: Cost, values: Mapping[str, int], node: Node) -> bool:
    """Whether the formulas with the values are the node's counts of one run."""
    numbers = {symbol(letter): value for letter, value in values.items()}
    for name in COUNTS:
        count: Any = getattr(cost, name)
        got = count if isinstance(count, int) else count.subs(numbers)
        if got * node.repeat != getattr(node.cost, name):
            return False
    return True


def _lettered(op: Operator, node: Node, inputs: Inputs) -> Iterator[Lettered]:
    """Ways to give sizes letters, the best first: symbolic inputs, attributes, and what the letters stand for."""
    grouped = _in_groups(node, inputs)
    if grouped is not None:
        yield grouped
    for shapes in (_as_example(op, inputs), _as_first(inputs)):
        if shapes is not None:
            yield _bound(inputs, shapes), node.attributes, _values(inputs, shapes)


def _in_groups(node: Node, inputs: Inputs) -> Lettered | None:
    """A grouped convolution: g groups of C channels each; a depthwise one: C groups of one."""
    groups = node.attributes.get("group", 1)
    if node.op_type != "Conv" or node.domain or groups == 1 or len(inputs) < 2:
        return None
    data, weight = (spec.shape if spec is not None else None for spec in inputs[:2])
    if data is None or weight is None or len(data) != 4:
        return None
    batch, channels, *size = data
    written, each, *taps = weight
    depthwise = each == 1 and written == channels
    g, c, m = symbol("C" if depthwise else "g"), 1 if depthwise else symbol("C"), symbol("M")
    out = g if depthwise else m
    shapes = [(symbol("N"), g * c, symbol("H"), symbol("W")), (out, c, *taps), (out,)]
    values = {"N": batch, "H": size[0], "W": size[1]}
    values |= {"C": channels} if depthwise else {"g": groups, "C": each, "M": written}
    bound = tuple(_with(spec, shape) for spec, shape in zip(inputs, shapes, strict=False))
    return bound, {**node.attributes, "group": g}, _whole(values)


def _as_example(op: Operator, inputs: Inputs) -> Letters | None:
    """The letters of the operator's example, where its ranks are those of the inputs and a letter is one size."""
    result: list[Sequence[str | int] | None] = []
    if len(inputs) > len(op.example.inputs):
        return None
    known: dict[str, Dim] = {}
    for spec, entry in zip(inputs, op.example.inputs, strict=False):
        shape = spec.shape if spec is not None else None
        if not isinstance(entry, str) or shape is None or (spec is not None and spec.value is not None):
            result.append(None)
            continue
        tokens = entry.split()
        if len(tokens) != len(shape):
            return None
        for token, dim in zip(tokens, shape, strict=True):
            if token.isalpha() and known.setdefault(token, dim) != dim:
                return None
        result.append([token if token.isalpha() else -1 for token in tokens])
    return result


def _as_first(inputs: Inputs) -> Letters | None:
    """Letters for the dims of the first input, and for those of the others that are the same ones."""
    first = next((spec for spec in inputs if spec is not None and spec.value is None and not spec.is_stored), None)
    shape = first.shape if first is not None else None
    if shape is None or len(shape) not in _LETTERS:
        return None
    letters = _LETTERS[len(shape)].split()
    result: list[Sequence[str | int] | None] = []
    for spec in inputs:
        if spec is None or spec.shape is None or spec.value is not None:
            result.append(None)
            continue
        own = spec.shape
        if len(own) == 1 and len(shape) > 1 and own[0] == shape[1]:
            result.append([letters[1]])
            continue
        if len(own) > len(shape):
            result.append(None)
            continue
        last = zip(letters[-len(own) :], shape[-len(own) :], own, strict=True)
        result.append([letter if dim == mine and (mine != 1 or letter == "N") else -1 for letter, dim, mine in last])
    result[next(i for i, spec in enumerate(inputs) if spec is first)] = letters
    return result


def _bound(inputs: Inputs, shapes: Letters) -> Inputs:
    result = []
    for spec, letters in zip(inputs, shapes, strict=True):
        if spec is None or not letters or spec.shape is None:
            result.append(spec)
            continue
        dims = tuple(
            symbol(letter) if isinstance(letter, str) else dim for letter, dim in zip(letters, spec.shape, strict=True)
        )
        result.append(_with(spec, dims))
    return tuple(result)


def _values(inputs: Inputs, shapes: Letters) -> dict[str, int]:
    values: dict[str, Dim] = {}
    for spec, letters in zip(inputs, shapes, strict=True):
        if spec is not None and letters and spec.shape is not None:
            pairs = zip(letters, spec.shape, strict=True)
            values.update((letter, dim) for letter, dim in pairs if isinstance(letter, str))
    return _whole(values)


def _whole(values: Mapping[str, Dim]) -> dict[str, int]:
    return {letter: dim for letter, dim in values.items() if isinstance(dim, int)}


def _with(spec: TensorSpec | None, shape: Shape) -> TensorSpec | None:
    return None if spec is None else replace(spec, shape=shape)
