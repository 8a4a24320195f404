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

from costmodel.graph import Node
from costmodel.guidelines.network import Network
from costmodel.kernels import Kind
from costmodel.kernels.flow import severed

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
class _Tree:
    """A tree of what dominates what: parents, and an interval for each vertex, inside which those below it lie."""

    parent: Mapping[str, str]
    span: Mapping[str, tuple[int, int]]

    @staticmethod
    def of(order: Iterable[str], before: Mapping[str, list[str]], root: str) -> _Tree:
        """Immediate dominators of a directed graph without cycles, in one pass.

        order: vertices so that each comes after those that lead to it; what the root does not lead to is left out.
        An immediate dominator is the lowest common ancestor of the predecessors (Cooper, Harvey and Kennedy, 2001).
        """
        parent: dict[str, str] = {}
        depth = {root: 0}
        for vertex in order:
            above = ""
            for name in before[vertex]:
                if name in depth:
                    above = _meet(above, name, parent, depth) if above else name
            if above:
                parent[vertex], depth[vertex] = above, depth[above] + 1
        return _Tree(parent, _spans(parent, root))

    def is_below(self, low: str, high: str) -> bool:
        """Whether a vertex is another's descendant, and not itself."""
        (a, b), (c, d) = self.span[low], self.span[high]
        return c < a and b < d


def _meet(a: str, b: str, parent: Mapping[str, str], depth: Mapping[str, int]) -> str:
    while a != b:
        if depth[a] < depth[b]:
            b = parent[b]
        else:
            a = parent[a]
    return a


def _spans(parent: Mapping[str, str], root: str) -> dict[str, tuple[int, int]]:
    children: dict[str, list[str]] = {}
    for child, above in parent.items():
        children.setdefault(above, []).append(child)
    span: dict[str, tuple[int, int]] = {}
    stack = [(root, -1)]
    for time in range(2 * len(parent) + 2):
        vertex, began = stack.pop()
        if began >= 0:
            span[vertex] = (began, time)
        else:
            stack.append((vertex, time))
            stack.extend((child, -1) for child in children.get(vertex, ()))
    return span


@dataclass(frozen=True)
class _Flow:
    """The operators' dataflow between the inputs and the outputs of a network, with what dominates each and what
    each leads to in any case. nodes: in the order of execution."""

    nodes: Mapping[str, Node]
    place: Mapping[str, int]
    before: Mapping[str, list[str]]
    after: Mapping[str, list[str]]
    dominators: _Tree
    exits: _Tree

    @staticmethod
    def of(network: Network) -> _Flow:
        graph = network.graph
        order = [node.name for node in graph.nodes]
        writer = {name: node.name for node in graph.nodes for name in node.outputs if name}
        nobodys = severed(graph)
        writer.update(dict.fromkeys((*graph.inputs, *nobodys), _SOURCE))
        before: dict[str, list[str]] = {}
        for node in graph.nodes:
            before[node.name] = list(dict.fromkeys([writer[name] for name in node.inputs if name in writer]))
        ends = list(graph.outputs)
        if nobodys:  # what leads to them is not known: all that nobody reads may
            read = {name for node in graph.nodes for name in node.inputs}
            ends += [name for node in graph.nodes for name in node.outputs if name and name not in read]
        before[_SINK] = list(dict.fromkeys([writer[name] for name in ends if name in writer]))
        dominators = _Tree.of([*order, _SINK], before, _SOURCE)
        after: dict[str, list[str]] = {name: [] for name in (_SOURCE, *order)}
        for name in (*order, _SINK):
            before[name] = [one for one in before[name] if one in dominators.span]
            if name in dominators.span:
                for one in before[name]:
                    after[one].append(name)
        exits = _Tree.of([*reversed(order), _SOURCE], after, _SINK)
        live = {node.name: node for node in graph.nodes if node.name in dominators.span and node.name in exits.span}
        before, after = (
            {name: [one for one in side[name] if one in live or one in (_SOURCE, _SINK)] for name in live}
            for side in (before, after)
        )
        return _Flow(live, network.place, before, after, dominators, exits)

    def is_between(self, above: str, name: str, join: str) -> bool:
        """Whether an operator leads only to `join` and comes only from `above`."""
        return self.exits.is_below(name, join) and self.dominators.is_below(name, above)


def blocks(network: Network, max_depth: int) -> list[Block]:
    """The outermost blocks of at most `max_depth` fragments one after the other, in the order of execution."""
    if not any(kind in _CONVOLUTIONS for kind in network.kinds.values()):
        return []
    flow = _Flow.of(network)
    regions: dict[str, list[str]] = {}
    large: set[str] = set()
    for name in flow.nodes:
        if len(flow.before[name]) > 1:
            region = _region(flow, name, large)
            if region:
                regions[name] = region
            else:
                large.add(name)
    found: list[Block] = []
    inside: set[str] = set()
    for name in reversed(list(regions)):
        block = None if name in inside else _block(network, flow, regions[name], max_depth)
        if block is not None:
            found.append(block)
            inside.update(regions[name])
    return found[::-1]


def _region(flow: _Flow, join: str, large: Collection[str]) -> list[str]:
    """What leads only to a join and comes only from what dominates it, the join first; empty where that is too much.

    large: joins whose regions are; what holds one of them is.
    """
    above = flow.dominators.parent[join]
    seen = {join}
    queue = [join]
    for name in queue:
        for before in flow.before[name]:
            if before in seen or before not in flow.nodes or not flow.is_between(above, before, join):
                continue
            seen.add(before)
            queue.append(before)
            if before in large or len(queue) > _LARGEST:
                return []
    return queue


def _block(network: Network, flow: _Flow, region: list[str], max_depth: int) -> Block | None:
    """A region as a block; None where it has no fragments, or more of them than a block has."""
    members = set(region) - _adaptors(network, flow, region)
    members -= _projection(network, flow, members, region[0])
    names = sorted(members, key=lambda name: flow.place[name])
    fragments = _fragments(network, flow, names)
    if not fragments or len(fragments) > _MOST:
        return None
    depth, waits = _order(flow, names, fragments)
    if depth > max_depth:
        return None
    operators = tuple(flow.nodes[name] for name in sorted(region, key=lambda name: flow.place[name]))
    named = tuple(tuple(flow.nodes[name] for name in one) for one in fragments)
    return Block(operators, named, depth, len(fragments) - _matched(waits))


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


def _order(flow: _Flow, names: list[str], fragments: list[tuple[str, ...]]) -> tuple[int, list[int]]:
    """How many fragments are one after the other at most, and for each those that it waits for, as bits."""
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
    return max(levels.values()), waits


def _matched(waits: list[int]) -> int:
    """Pairs in a largest matching of fragments with ones that they wait for, each once on either side: as many fewer
    fragments than all are side by side (Dilworth's theorem)."""
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
    """The shortcut among two paths into an addition: the one that has but one 1x1 convolution, and poolings."""
    starts = [name for name in members if any(before not in members for before in flow.before[name])]
    if network.kinds[join] is not Kind.ELEMENTWISE or len(flow.before[join]) != 2 or len(starts) != 2:
        return set()
    paths = [_path(network, flow, members, name) for name in flow.before[join]]
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
