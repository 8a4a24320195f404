"""Where blocks end: where paths join."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from costmodel.errors import UsageError
from costmodel.graph import Graph, Node
from costmodel.kernels.flow import same_shape
from costmodel.kernels.kinds import KINDS
from costmodel.kernels.patterns import Unit
from costmodel.reuse.channels import BY_ELEMENT, MOVES, axis_of, shape_of

_SUMS = frozenset({"Add", "Sum"})
_PARTS = frozenset({"Split", "Slice", "Gather"})
_CONVOLUTIONS = frozenset({"Conv", "ConvTranspose", "FusedConv", "NhwcConv", "NhwcFusedConv", "QLinearConv"})


def is_known(graph: Graph, unit: Unit) -> bool:
    """Whether all that an operator writes is known before the run, such as arithmetic on shapes."""
    return all(name in graph.tensors and graph.tensors[name].is_constant for name in unit.writes if name)


def block_ends(graph: Graph, steps: Sequence[Unit]) -> dict[str, Node]:
    """The output of every block, and the operator that joins.

    Joins with nothing but views and operators on single elements between them are one: the last. Such operators
    after a join belong to its block where the result goes several ways.
    """
    readers: dict[str, list[Unit]] = {name: [] for name in graph.outputs}
    for unit in steps:
        for name in unit.reads:
            readers.setdefault(name, []).append(unit)
    ranks = {len(shape_of(graph, unit.writes[0])) for unit in steps if unit.nodes[0].op_type in _CONVOLUTIONS}
    ends = {}
    for unit in steps:
        shape = shape_of(graph, unit.writes[0])
        end = _end(graph, unit, readers) if len(shape) in ranks and _is_join(graph, unit) else None
        if end is not None:
            node = ends[end] = unit.nodes[-1]
            if not all(isinstance(dim, int) for dim in shape):
                raise UsageError(f"{graph.name}: {node.name!r} has sizes that are no numbers; give all sizes")
    return ends


def _is_join(graph: Graph, unit: Unit) -> bool:
    """Whether paths join: a concat, or a sum of tensors that are as large as it."""
    parts = [graph.tensors.get(name) for name in unit.reads]
    data = [spec for spec in parts if spec is not None and not spec.is_constant]
    if unit.op in _SUMS:
        return sum(same_shape(spec, graph.tensors[unit.writes[0]]) for spec in data) > 1
    return unit.op == "Concat" and len(data) > 1 and axis_of(graph, unit.nodes[0]) in (1, len(data[0].shape or ()) - 1)


def _end(graph: Graph, join: Unit, readers: Mapping[str, list[Unit]]) -> str | None:
    """The output of a join's block; None where the join is inside another one's block."""
    name = end = join.writes[0]
    while len(readers.get(name, ())) == 1 and name not in graph.outputs:
        (unit,) = readers[name]
        if unit.op in _PARTS:
            return end
        if _is_join(graph, unit):
            return None
        name = unit.writes[0]
        if _is_unary(graph, unit):
            end = name
        elif unit.op not in MOVES:
            return join.writes[0]
    return end if readers.get(name) else join.writes[0]


def _is_unary(graph: Graph, unit: Unit) -> bool:
    """Whether an operator makes each element from one element of one tensor."""
    data = [name for name in unit.reads if name in graph.tensors and not graph.tensors[name].is_constant]
    return (
        KINDS.get(unit.op) in BY_ELEMENT
        and len(data) == 1
        and same_shape(graph.tensors[data[0]], graph.tensors.get(unit.writes[0]))
    )
