"""Put nodes in an order in which they can run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterator, Sequence
from heapq import heappop, heappush
from typing import Any

from costmodel.errors import ModelError


def in_order(nodes: Sequence[Any], known: Container[str]) -> Sequence[Any]:
    """The nodes sorted so that each stands behind the writers of what it reads.

    ONNX asks for this order, so a model that has it is only looked through once. known: tensors that
    are there before the first node. A tensor that nothing writes is left for its reader to report,
    and one that two nodes write for whoever adds it to the graph.
    Raises ModelError where nodes wait for each other in a cycle.
    """
    seen: set[str] = set()
    written: set[str] | None = None  # by any node; gathered for the first one that holds graphs
    for node in nodes:
        for name in node.input:
            if name and name not in seen and name not in known:
                return _sorted(nodes, known)
        for graph in graphs_of(node):
            if written is None:
                written = {name for each in nodes for name in each.output}
            if any(name in written and name not in seen and name not in known for name in _captured(graph)):
                return _sorted(nodes, known)
        seen.update(node.output)
    return nodes


def _sorted(nodes: Sequence[Any], known: Container[str]) -> list[Any]:
    """In the file's order among the nodes that are ready."""
    writer: dict[str, int] = {}
    for i, node in enumerate(nodes):
        for name in node.output:
            if name:
                writer.setdefault(name, i)
    waiting = [0] * len(nodes)
    readers = defaultdict(list)
    for i, node in enumerate(nodes):
        needed = {writer[name] for name in _reads(node) if name in writer and name not in known}
        waiting[i] = len(needed)
        for j in needed:
            readers[j].append(i)
    ready = [i for i, count in enumerate(waiting) if count == 0]  # ascending, so a heap already
    order = []
    while ready:
        i = heappop(ready)
        order.append(nodes[i])
        for j in readers[i]:
            waiting[j] -= 1
            if waiting[j] == 0:
                heappush(ready, j)
    if len(order) < len(nodes):
        stuck = next(nodes[i] for i, count in enumerate(waiting) if count)
        raise ModelError(
            f"node {stuck.name or next(iter(stuck.output), '')!r} ({stuck.op_type}) is in a cycle: it waits for a "
            "tensor that depends on its own output; export the model again"
        )
    return order


def graphs_of(node: Any) -> Iterator[Any]:
    """The graphs that a node holds."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _reads(node: Any) -> Iterator[str]:
    """Everything that a node reads, also from within the graphs that it holds."""
    yield from node.input
    for graph in graphs_of(node):
        yield from _captured(graph)


def _captured(graph: Any) -> Iterator[str]:
    """What a nested graph reads of the graphs around it."""
    own = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    own.update(tensor.values.name for tensor in graph.sparse_initializer)
    own.update(name for node in graph.node for name in node.output)
    for node in graph.node:
        yield from (name for name in _reads(node) if name not in own)
    yield from (output.name for output in graph.output if output.name not in own)
