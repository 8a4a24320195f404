"""Operators that exporters write as several: recognised by their chain, named as the one they mean.

A pattern is a chain of operators. Each reads what the one before it wrote, and nothing else does; its
other inputs are constants, or the tensor that the first one read.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from costmodel.graph import Graph, Node

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


@dataclass(frozen=True, slots=True)
class Unit:
    """One operator in the sense of a person: a node, or the nodes of a recognised chain.

    op: the node's type or the pattern's name. reads: tensors from outside, in order. writes: what leaves it.
    """

    op: str
    nodes: tuple[Node, ...]
    reads: tuple[str, ...]
    writes: tuple[str, ...]


def units(graph: Graph) -> list[Unit]:
    """The graph's nodes in the order of execution, recognised chains as one unit at the place of their last node."""
    readers: dict[str, list[Node]] = {}
    reads: Counter[str] = Counter(graph.outputs)
    for node in graph.nodes:
        for name in dict.fromkeys(node.inputs):
            readers.setdefault(name, []).append(node)
            reads[name] += 1
    heads: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
    for op, chain in PATTERNS:
        heads.setdefault(chain[0], []).append((op, chain))
    ends: dict[str, Unit] = {}  # last node -> its chain
    taken: set[str] = set()
    for node in graph.nodes:
        if node.name in taken or node.domain:
            continue
        for op, chain in heads.get(node.op_type, ()):
            nodes = _chain(graph, node, chain, readers, reads)
            if nodes and not any(part.name in taken for part in nodes):
                taken.update(part.name for part in nodes)
                inner = {name for part in nodes for name in part.outputs}
                outside = [name for part in nodes for name in part.inputs if name and name not in inner]
                ends[nodes[-1].name] = Unit(op, nodes, tuple(dict.fromkeys(outside)), nodes[-1].outputs)
                break
    result = []
    for node in graph.nodes:
        if node.name in ends:
            result.append(ends[node.name])
        elif node.name not in taken:
            names = tuple(name for name in node.inputs if name)
            result.append(Unit(node.op_type, (node,), names, node.outputs))
    return result


def _chain(
    graph: Graph, first: Node, chain: tuple[str, ...], readers: dict[str, list[Node]], reads: Counter[str]
) -> tuple[Node, ...]:
    """The nodes of the chain that begins with `first`, or none."""
    sources = [name for name in first.inputs if name and not _is_constant(graph, name)]
    if len(sources) != 1:
        return ()
    nodes = [first]
    for op in chain[1:]:
        written = nodes[-1].outputs[0]
        if reads[written] != 1 or len(readers.get(written, ())) != 1:
            return ()
        following = readers[written][0]
        others = [n for n in following.inputs if n and n != written and not _is_constant(graph, n)]
        if following.op_type != op or following.domain or any(name != sources[0] for name in others):
            return ()
        nodes.append(following)
    gated = chain[-1] == "Mul" or chain[-2:] == ("Mul", "Div")  # x times a gate of x
    if gated and not any(sources[0] in node.inputs for node in nodes[1:]):
        return ()
    return tuple(nodes)


def _is_constant(graph: Graph, name: str) -> bool:
    spec = graph.tensors.get(name)
    return spec is not None and spec.is_constant
