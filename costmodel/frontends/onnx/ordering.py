"""Put nodes in an order in which they can run."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Container, Iterator, Sequence
from typing import Any

from costmodel.errors import ModelError

_GRAPH, _GRAPHS = 5, 10  # AttributeProto.AttributeType


def in_order(nodes: Sequence[Any], known: Container[str]) -> Sequence[Any]:
    """The nodes sorted so that each stands behind the writers of what it reads.

    ONNX asks for this order, so a model that has it is only looked through once. known: tensors that
    are there before the first node. A tensor that nothing writes is left for its reader to report.
    Raises ModelError where nodes wait for each other in a cycle, or two nodes write one tensor.
    """
    seen: set[str] = set()
    for node in nodes:
        for name in node.input:
            if name and name not in seen and name not in known:
                return _sorted(nodes, known)
        seen.update(node.output)
    return nodes


def _sorted(nodes: Sequence[Any], known: Container[str]) -> list[Any]:
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
    ready = deque(i for i, count in enumerate(waiting) if count == 0)
    order = []
    while ready:
        i = ready.popleft()
        order.append(nodes[i])
        for j in readers[i]:
            waiting[j] -= 1
            if waiting[j] == 0:
                ready.append(j)
    if len(order) < len(nodes):
        stuck = next(nodes[i] for i, count in enumerate(waiting) if count)
        raise ModelError(
            f"node {stuck.name or next(iter(stuck.output), '')!r} ({stuck.op_type}) is in a cycle: it waits for a "
            "tensor that depends on its own output; export the model again"
        )
    return order


def _reads(node: Any) -> Iterator[str]:
    """Everything that a node reads, also from within the graphs that it holds."""
    yield from node.input
    for attribute in node.attribute:
        graphs = [attribute.g] if attribute.type == _GRAPH else attribute.graphs if attribute.type == _GRAPHS else ()
        for graph in graphs:
            for inner in graph.node:
                yield from _reads(inner)
            for output in graph.output:
                yield output.name
