"""Building blocks of a network, found from its graph: regions that part and join again.

For every operator that joins paths, its block is what lies between it and the operator that dominates it: what leads
only to the one and comes only from the other. In a network of blocks in a row the joins are articulation points and
the blocks are its single-entry single-exit regions; where blocks read two earlier ones (NASNet), each still ends in
one join. A block inside another belongs to it, unless the other is too deep to be one block.

What is counted in a block are fragments, as the paper does (Section 2, G3): convolutions and poolings, a depthwise
convolution and the 1x1 convolution that alone reads it being one separable convolution. Two kinds of 1x1 convolution
are not counted, as the paper counts 2 or 3 in ResNet's block and 13 in NASNet-A's cell: the projection on a
shortcut, and those that only bring the inputs of a block to its width.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import networkx

from costmodel.graph import Node
from costmodel.guidelines.network import Network
from costmodel.kernels import Kind

_LARGEST = 600  # operators of what may still be one block
_MOST = 120  # fragments of what may still be one block
_CONVOLUTIONS = frozenset({Kind.POINTWISE, Kind.SPATIAL, Kind.GROUPED, Kind.DEPTHWISE})
_POOLS = frozenset({Kind.POOL, Kind.REDUCTION})
_SOURCE, _SINK = "\0source", "\0sink"


@dataclass(frozen=True, slots=True)
class Block:
    """A region that ends in one join.

    operators: all of it with the join, in the order of execution. fragments: convolutions and poolings, each as the
    operators that are counted as one. depth: fragments one after the other. width: fragments of which none waits
    for another.
    """

    operators: tuple[Node, ...]
    fragments: tuple[tuple[Node, ...], ...]
    depth: int
    width: int


@dataclass(frozen=True)
class _Flow:
    """The operators' dataflow, with the trees of what dominates and what post-dominates each."""

    nodes: Mapping[str, Node]
    place: Mapping[str, int]
    before: Mapping[str, list[str]]
    after: Mapping[str, list[str]]
    dominators: _Tree
    exits: _Tree

    @staticmethod
    def of(network: Network) -> _Flow:
        graph = network.graph
        writer = {name: node.name for node in graph.nodes for name in node.outputs if name}
        flow: networkx.DiGraph[str] = networkx.DiGraph()
        flow.add_nodes_from((_SOURCE, _SINK))
        for node in graph.nodes:
            flow.add_edges_from((writer[name], node.name) for name in node.inputs if name in writer)
            if not any(name in writer for name in node.inputs):
                reads = any(name in graph.tensors and not graph.tensors[name].is_constant for name in node.inputs)
                if reads:
                    flow.add_edge(_SOURCE, node.name)
        flow.add_edges_from((writer[name], _SINK) for name in graph.outputs if name in writer)
        live = {_SOURCE, _SINK, *networkx.descendants(flow, _SOURCE)} & {
            _SOURCE,
            _SINK,
            *networkx.ancestors(flow, _SINK),
        }
        flow = networkx.DiGraph(flow.subgraph(live))
        order = {node.name: place for place, node in enumerate(graph.nodes)}
        named = {node.name: node for node in graph.nodes if node.name in live}
        return _Flow(
            named,
            order,
            {name: list(flow.predecessors(name)) for name in flow},
            {name: list(flow.successors(name)) for name in flow},
            _Tree.of(networkx.immediate_dominators(flow, _SOURCE), _SOURCE),
            _Tree.of(networkx.immediate_dominators(flow.reverse(copy=False), _SINK), _SINK),
        )

    def is_between(self, above: str, name: str, join: str) -> bool:
        """Whether an operator leads only to `join` and comes only from `above`."""
        return self.exits.is_below(name, join) and self.dominators.is_below(name, above)


@dataclass(frozen=True)
class _Tree:
    """A tree with an interval for each vertex, inside which those of all vertices below lie."""

    parent: Mapping[str, str]
    span: Mapping[str, tuple[int, int]]

    @staticmethod
    def of(parent: Mapping[str, str], root: str) -> _Tree:
        children: dict[str, list[str]] = {}
        for child, above in parent.items():
            if child != root and above is not None:
                children.setdefault(above, []).append(child)
        span: dict[str, tuple[int, int]] = {}
        clock = 0
        stack: list[tuple[str, int]] = [(root, -1)]
        while stack:
            vertex, began = stack.pop()
            clock += 1
            if began >= 0:
                span[vertex] = (began, clock)
                continue
            stack.append((vertex, clock))
            stack.extend((child, -1) for child in children.get(vertex, ()))
        return _Tree(parent, span)

    def is_below(self, low: str, high: str) -> bool:
        """Whether a vertex is another's descendant, and not itself."""
        (a, b), (c, d) = self.span[low], self.span[high]
        return c < a and b < d


def blocks(network: Network, max_depth: int) -> list[Block]:
    """The outermost blocks of at most `max_depth` fragments one after the other, in the order of execution."""
    if not any(kind in _CONVOLUTIONS for kind in network.kinds.values()):
        return []
    flow = _Flow.of(network)
    found: list[Block] = []
    inside: set[str] = set()
    for name in reversed(list(flow.nodes)):
        if len(flow.before[name]) < 2 or name in inside:
            continue
        region = _region(flow, name)
        block = None if region is None else _block(network, flow, region)
        if block is None or block.depth > max_depth:
            continue
        found.append(block)
        inside.update(node.name for node in block.operators)
    return found[::-1]


def _region(flow: _Flow, join: str) -> list[str] | None:
    """What leads only to a join and comes only from what dominates it, the join first; None where that is too much."""
    above = flow.dominators.parent[join]
    seen = {join}
    queue = [join]
    for name in queue:
        for before in flow.before[name]:
            if before in seen or before not in flow.nodes or not flow.is_between(above, before, join):
                continue
            seen.add(before)
            queue.append(before)
        if len(queue) > _LARGEST:
            return None
    return queue


def _block(network: Network, flow: _Flow, region: list[str]) -> Block | None:
    join = region[0]
    members = set(region) - _adaptors(network, flow, region)
    members -= _projection(network, flow, members, join)
    names = sorted(members, key=lambda name: flow.place[name])
    fragments = _fragments(network, flow, names)
    if not fragments or len(fragments) > _MOST:
        return None
    depth, width = _shape(flow, names, fragments)
    operators = tuple(flow.nodes[name] for name in sorted(region, key=lambda name: flow.place[name]))
    return Block(operators, tuple(tuple(flow.nodes[name] for name in one) for one in fragments), depth, width)


def _fragments(network: Network, flow: _Flow, names: Iterable[str]) -> list[tuple[str, ...]]:
    """The convolutions and poolings, a depthwise and the 1x1 convolution that alone reads it together."""
    result: dict[str, tuple[str, ...]] = {}
    for name in names:
        kind = network.kinds[name]
        if kind in _POOLS:
            result[name] = (name,)
        if kind not in _CONVOLUTIONS:
            continue
        layer = network.layers.get(name)
        before = _only(flow, name, flow.before) if layer is not None and layer.loops.window == 1 else ""
        while before in flow.nodes and network.kinds[before] is Kind.ELEMENTWISE and len(flow.after[before]) == 1:
            before = _only(flow, before, flow.before)
        if before in result and network.kinds[before] is Kind.DEPTHWISE and len(flow.after[before]) == 1:
            result[name] = (*result.pop(before), name)
        else:
            result[name] = (name,)
    return list(result.values())


def _only(flow: _Flow, name: str, side: Mapping[str, list[str]]) -> str:
    return side[name][0] if len(side[name]) == 1 else ""


def _shape(flow: _Flow, names: list[str], fragments: list[tuple[str, ...]]) -> tuple[int, int]:
    """How many fragments are one after the other at most, and of how many none waits for another (Dilworth)."""
    ends = {one[-1]: index for index, one in enumerate(fragments)}
    earlier: dict[str, int] = {}  # operator -> the fragments that it waits for, as bits
    levels: dict[str, int] = {}
    waits = [0] * len(fragments)
    for name in names:
        before = [one for one in flow.before[name] if one in earlier]
        mask, level = 0, 0
        for one in before:
            mask |= earlier[one]
            level = max(level, levels[one])
        if name in ends:
            waits[ends[name]] = mask
            mask |= 1 << ends[name]
            level += 1
        earlier[name], levels[name] = mask, level
    return max(levels.values()), len(fragments) - _matched(waits)


def _matched(waits: list[int]) -> int:
    """Pairs in a largest matching of fragments with ones that they wait for, each once on either side."""
    partner: dict[int, int] = {}

    def match(index: int, tried: set[int]) -> bool:
        for other in range(len(waits)):
            if waits[index] >> other & 1 and other not in tried:
                tried.add(other)
                if other not in partner or match(partner[other], tried):
                    partner[other] = index
                    return True
        return False

    return sum(match(index, set()) for index in range(len(waits)))


def _adaptors(network: Network, flow: _Flow, region: list[str]) -> set[str]:
    """1x1 convolutions, with what is element-wise around them, where nothing else reads what enters the region and
    several operators read what they write."""
    members = set(region)
    result: set[str] = set()
    for name in region:
        if members.isdisjoint(flow.before[name]):
            chain = _adaptor(network, flow, name, members)
            if not chain:
                return set()
            result.update(chain)
    return result


def _adaptor(network: Network, flow: _Flow, name: str, members: Collection[str]) -> list[str]:
    chain, convolutions = [name], 0
    while True:
        kind = network.kinds[name]
        convolutions += kind is Kind.POINTWISE
        if kind not in (Kind.POINTWISE, Kind.ELEMENTWISE, Kind.VIEW) or convolutions > 1:
            return []
        if len(flow.after[name]) > 1:
            return chain if convolutions else []
        name = flow.after[name][0]
        if name not in members or len(flow.before[name]) > 1:
            return []
        chain.append(name)


def _projection(network: Network, flow: _Flow, members: Collection[str], join: str) -> set[str]:
    """The path into an addition of two that has but one 1x1 convolution and poolings: a shortcut."""
    if network.kinds[join] is not Kind.ELEMENTWISE:
        return set()
    while len(flow.before[join]) == 1:  # an activation after the addition
        join = flow.before[join][0]
    if len(flow.before[join]) != 2:
        return set()
    paths = [_path(network, flow, members, start) for start in flow.before[join]]
    short = [path for path in paths if path]
    return set(short[0]) if len(short) == 1 else set()


def _path(network: Network, flow: _Flow, members: Collection[str], name: str) -> list[str]:
    path, convolutions = [], 0
    while name in members:
        kind = network.kinds[name]
        convolutions += kind is Kind.POINTWISE
        if kind not in (Kind.POINTWISE, Kind.ELEMENTWISE, Kind.POOL) or len(flow.before[name]) != 1:
            return []
        path.append(name)
        name = flow.before[name][0]
    return path if convolutions == 1 else []
