"""Who reads what when a network runs: views, and what a runtime works out before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from costmodel.dims import equal
from costmodel.graph import Counting, Graph, Node, TensorSpec


@dataclass(frozen=True, slots=True)
class Flow:
    """A graph's tensors as they lie in memory. A view's output is stored where its input is.

    idle: outputs of operators that do not run. storage: the tensor whose place a view's output has. sources: for
    each operator, by name, the storages that it reads; None for a view. reads: for each storage, how many operators
    that run read it, and one more where the network's caller does.
    """

    graph: Graph
    idle: frozenset[str]
    storage: Mapping[str, str]
    sources: Mapping[str, tuple[str, ...] | None]
    reads: Mapping[str, int]

    @staticmethod
    def of(graph: Graph, prepares: bool) -> Flow:
        """prepares: whether the runtime leaves out what need not run."""
        idle, same = prepared(graph) if prepares else (frozenset[str](), dict[str, str]())
        storage: dict[str, str] = {}
        sources: dict[str, tuple[str, ...] | None] = {}
        reads: dict[str, int] = {}
        for node in graph.nodes:
            if _is_free(node) or (idle and idle.issuperset(node.outputs)):
                sources[node.name] = None
                source = same.get(node.outputs[0]) or next((name for name in node.inputs if name), "")
                storage.update((name, storage.get(source, source)) for name in node.outputs if name and source)
            else:
                read = tuple(dict.fromkeys([storage.get(name, name) for name in node.inputs if name]))
                sources[node.name] = read
                for name in read:
                    reads[name] = reads.get(name, 0) + 1
        for name in {storage.get(name, name) for name in graph.outputs}:
            reads[name] = reads.get(name, 0) + 1
        return Flow(graph, idle, storage, sources, reads)

    def is_view(self, node: Node) -> bool:
        """Whether nothing happens when it is the operator's turn."""
        return self.sources[node.name] is None

    def place(self, name: str) -> str:
        """The storage of a tensor."""
        return self.storage.get(name, name)


def prepared(graph: Graph) -> tuple[frozenset[str], dict[str, str]]:
    """Tensors that a runtime which prepares its graph does not compute when the network runs, and what some equal.

    Those that nothing leads from to an output, where all that leads there is in the graph; those that are known
    beforehand: a product with zero, and what is computed from one of these alone; and sums of one of these and another
    tensor, which they equal. (A sum of two that are known is computed: so it was in every network of NAS-Bench-201
    measured with TFLite.)
    """
    known: set[str] = set()
    same: dict[str, str] = {}
    for node in graph.nodes:
        if not known and node.op_type != "Mul":
            continue
        specs = [graph.tensors[name] for name in node.inputs if name in graph.tensors]
        data = {spec.name: spec.name in known for spec in specs if not spec.is_constant}
        zero = node.op_type == "Mul" and any(spec.value is not None and not np.any(spec.value) for spec in specs)
        if zero or list(data.values()) == [True]:
            known.update(name for name in node.outputs if name)
        elif node.op_type == "Add" and sorted(data.values()) == [False, True]:
            same[node.outputs[0]] = next(name for name, fixed in data.items() if not fixed)
    needed = set(graph.outputs)
    for node in reversed(graph.nodes):
        if node.outputs and node.outputs[0] in same and node.outputs[0] in needed:
            needed.add(same[node.outputs[0]])
        elif not needed.isdisjoint(node.outputs) and not known.issuperset(node.outputs):
            needed.update(node.inputs)
    written = {name for node in graph.nodes for name in node.outputs}
    unneeded = written - needed if needed.isdisjoint(severed(graph)) else set()
    return frozenset(same.keys() | known | unneeded), same


def severed(graph: Graph) -> frozenset[str]:
    """Tensors that are read and nobody's: what a Loop or a Scan writes, of which the graph has the body alone."""
    made = {*graph.inputs, *(name for node in graph.nodes for name in node.outputs)}
    read = {*graph.outputs, *(name for node in graph.nodes for name in node.inputs)} - made
    return frozenset(name for name in read if name in graph.tensors and not graph.tensors[name].is_constant)


def _is_free(node: Node) -> bool:
    """Whether an operator is known to do nothing."""
    cost = node.cost
    return (
        _is_zero(cost.output_elements)
        and _is_zero(cost.input_elements)
        and _is_zero(cost.element_ops)
        and _is_zero(cost.mult_adds)
        and node.counting is not Counting.UNKNOWN
    )


def _is_zero(count: object) -> bool:
    return isinstance(count, int) and count == 0


def same_shape(a: TensorSpec | None, b: TensorSpec | None) -> bool:
    """Whether two tensors certainly have the same dims."""
    if a is None or b is None or a.shape is None or b.shape is None or len(a.shape) != len(b.shape):
        return False
    return all(map(equal, a.shape, b.shape))
