"""Operators that exporters write as several: recognised by their chain, named as the one they mean.

A pattern is a chain of operators. Each reads what the one before it wrote, and nothing else does; its
other inputs are constants, or the tensor that the first one read.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise

from costmodel.graph import Graph, Node
from costmodel.kernels.flow import same_shape

# The longest first: each operator belongs to the first chain that fits.
PATTERNS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Gelu", ("Div", "Erf", "Add", "Mul", "Mul")),
    ("HardSwish", ("Add", "Clip", "Div", "Mul")),
    ("HardSwish", ("Add", "Clip", "Mul", "Div")),
    ("HardSwish", ("Add", "Clip", "Mul", "Mul")),
    ("HardSigmoid", ("Add", "Clip", "Div")),
    ("Shuffle", ("Reshape", "Transpose", "Reshape")),
    ("Swish", ("Sigmoid", "Mul")),
    ("HardSwish", ("HardSigmoid", "Mul")),
)
_HEADS: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
for _op, _ops in PATTERNS:
    _HEADS.setdefault(_ops[0], []).append((_op, _ops))


@dataclass(frozen=True, slots=True)
class Unit:
    """One operator in the sense of a person: a node, or the nodes of a recognised chain.

    op: the node's qualified type or the pattern's name. reads: tensors from outside, in order. writes: what leaves it.
    """

    op: str
    nodes: tuple[Node, ...]
    reads: tuple[str, ...]
    writes: tuple[str, ...]


def units(graph: Graph, spelled: Collection[str] = ()) -> list[Unit]:
    """The graph's nodes in the order of execution, recognised chains as one unit at the place of their last node.

    spelled: names of patterns that are left as they are written.
    """
    ends, taken = _chains(graph, spelled)
    result = []
    for node in graph.nodes:
        if node.name in ends:
            result.append(ends[node.name])
        elif node.name not in taken:
            inputs = node.inputs if "" not in node.inputs else tuple(filter(None, node.inputs))
            result.append(Unit(node.qualified_type, (node,), inputs, node.outputs))
    return result


def _chains(graph: Graph, spelled: Collection[str]) -> tuple[dict[str, Unit], set[str]]:
    """The recognised chains, each by the name of its last node, and the names of all their nodes."""
    heads = [node for node in graph.nodes if node.op_type in _HEADS and not node.domain]
    ends: dict[str, Unit] = {}
    taken: set[str] = set()
    readers = _readers(graph) if heads else {}
    for node in heads:
        for op, chain in _HEADS[node.op_type]:
            if op in spelled or node.name in taken:
                continue
            nodes = _chain(graph, node, op, chain, readers)
            if nodes and taken.isdisjoint(part.name for part in nodes):
                taken.update(part.name for part in nodes)
                inner = {name for part in nodes for name in part.outputs}
                outside = [name for part in nodes for name in part.inputs if name and name not in inner]
                ends[nodes[-1].name] = Unit(op, nodes, tuple(dict.fromkeys(outside)), nodes[-1].outputs)
    return ends, taken


def _readers(graph: Graph) -> dict[str, Node | None]:
    """For each tensor the one node that reads it; None where several do, or the network's caller."""
    readers: dict[str, Node | None] = dict.fromkeys(graph.outputs)
    for node in graph.nodes:
        for name in node.inputs:
            readers[name] = node if readers.get(name, node) is node else None
    return readers


def _chain(
    graph: Graph, first: Node, op: str, chain: tuple[str, ...], readers: dict[str, Node | None]
) -> tuple[Node, ...]:
    """The nodes of the chain that begins with `first`, or none."""
    nodes = [first]
    for op_type in chain[1:]:
        following = readers.get(nodes[-1].outputs[0])
        if following is None or following.op_type != op_type or following.domain:
            return ()
        nodes.append(following)
    sources = [name for name in first.inputs if name and not _is_constant(graph, name)]
    if len(sources) != 1:
        return ()
    for before, node in pairwise(nodes):
        known = (*before.outputs, sources[0])
        if not all(name in known or not name or _is_constant(graph, name) for name in node.inputs):
            return ()
    gated = chain[-1] == "Mul" or chain[-2:] == ("Mul", "Div")  # x times a gate of x
    if gated and not any(sources[0] in node.inputs for node in nodes[1:]):
        return ()
    if op == "Shuffle" and not same_shape(graph.tensors.get(sources[0]), graph.tensors.get(nodes[-1].outputs[0])):
        return ()
    return tuple(nodes)


def _is_constant(graph: Graph, name: str) -> bool:
    spec = graph.tensors.get(name)
    return spec is not None and spec.is_constant
