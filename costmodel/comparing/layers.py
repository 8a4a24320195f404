"""A network as layers: what a runtime that fuses well would run, whatever operators an exporter wrote it with.

A layer is a kernel of a runtime that folds batch normalisation, takes every activation along and prepares its graph.
Views (reshape, flatten, identity) are no layers. What exporters spell in several ways has one form (spelling.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from costmodel.comparing.spelling import Speller
from costmodel.dims import Dim
from costmodel.graph import Graph, Node
from costmodel.kernels import Kernel, Kind, Runtime, fuse
from costmodel.kernels.flow import Flow, same_shape

_ACTIVATIONS = frozenset(
    {"Relu", "Clip", "LeakyRelu", "Sigmoid", "HardSigmoid", "Tanh", "Swish", "HardSwish", "Mish", "Gelu", "Elu", "Selu"}
)
_READER = Runtime("layers", epilogues=_ACTIVATIONS, add_epilogues=_ACTIVATIONS)
_CUTS = frozenset({"Split", "Slice"})
_COPIES = _CUTS | {"Concat", "Identity", "Expand"}
_LEARNED = frozenset({"Conv", "ConvTranspose", "Gemm", "BatchNormalization"})  # one a module: the path is name enough

Facts = Mapping[str, str]


@dataclass(frozen=True)
class Layer:
    """A layer and what there is to know of it.

    name: of its main operator. op: what it does, in the one form that all spellings have. nodes: its operators.
    own: facts that somebody chose for this layer (kernel, strides, channels out, activation). read: facts that follow
    from what it reads (sizes, channels in, element type). sources: the layers that it reads, by their place. mult_adds:
    of all its runs.
    """

    name: str
    op: str
    nodes: tuple[Node, ...]
    own: Facts
    read: Facts
    sources: tuple[int, ...] = ()
    mult_adds: Dim = 0

    @cached_property
    def title(self) -> str:
        """What people call it, whichever exporter wrote it: a path of modules; "" where only a counter is known."""
        main = self.main
        if not _is_counted(main) and "/" not in main.name:
            return main.name
        if not main.module:
            return "" if _is_counted(main) else main.name
        return main.module if self.op in _LEARNED else f"{main.module}.{self.op.lower()}"

    @property
    def label(self) -> str:
        """The title, or the name where there is none."""
        return self.title or self.name

    @property
    def main(self) -> Node:
        """The operator that the layer is named for."""
        return next((node for node in self.nodes if node.name == self.name), self.nodes[0])

    @property
    def skeleton(self) -> tuple[str, ...]:
        """What stays when a network is made wider, narrower or larger: op, window, strides, kind of groups."""
        groups = self.own.get("groups", "")
        kind = groups if groups in ("", "1", "depthwise") else "grouped"
        return self.op, self.own.get("kernel", ""), self.own.get("strides", ""), kind


def _is_counted(node: Node) -> bool:
    """Whether an exporter made the operator's name by counting."""
    return node.name.startswith("node_") or bool(re.fullmatch(rf"{re.escape(node.op_type)}_[0-9]+", node.name))


@dataclass(slots=True)
class _Draft:
    """A layer while it grows: slices of one tensor are one layer."""

    kernel: Kernel
    nodes: list[Node] = field(default_factory=list)


def layers_of(graph: Graph) -> tuple[Layer, ...]:
    """The layers of a network, in the order of execution."""
    flow = Flow.of(graph, prepares=True)
    drafts: list[_Draft] = []
    cuts: dict[tuple[str, ...], _Draft] = {}
    same: dict[str, str] = {}  # what a copy of a whole tensor writes, and what it reads
    for kernel in fuse(graph, _READER):
        if kernel.kind is Kind.VIEW:
            continue
        read = _read(flow, kernel.operators, same)
        source = _copied(flow, kernel, read)
        if source is not None:
            same[flow.place(kernel.operators[-1].outputs[0])] = same.get(source, source)
        elif kernel.op in _CUTS and read in cuts:
            cuts[read].nodes.extend(kernel.operators)
        else:
            drafts.append(_Draft(kernel, list(kernel.operators)))
            if kernel.op in _CUTS:
                cuts[read] = drafts[-1]
    return _linked(flow, drafts, same)


def _copied(flow: Flow, kernel: Kernel, read: Sequence[str]) -> str | None:
    """What a kernel writes as it is: a concat of one tensor, a slice of all of it, an expansion to the size it has."""
    node = kernel.operators[0]
    if kernel.op not in _COPIES or len(kernel.operators) != 1 or len(node.outputs) != 1:
        return None
    # of an expansion also what is constant: one exporter expands a parameter to a batch of 1, another reads it
    source = flow.place(node.inputs[0]) if kernel.op == "Expand" else read[0] if len(read) == 1 else ""
    tensors = flow.graph.tensors
    return source if same_shape(tensors.get(source), tensors.get(node.outputs[0])) else None


def _linked(flow: Flow, drafts: Sequence[_Draft], same: Mapping[str, str]) -> tuple[Layer, ...]:
    writer = {
        flow.place(name): place
        for place, draft in enumerate(drafts)
        for node in draft.nodes
        if not flow.is_view(node)
        for name in node.outputs
    }
    speller = Speller(flow, same)
    result = []
    for place, draft in enumerate(drafts):
        op, own, read = speller.facts(draft.kernel, draft.nodes)
        sources = (writer[name] for name in _read(flow, draft.nodes, same) if name in writer)
        known = tuple(dict.fromkeys(source for source in sources if source != place))
        cost = draft.kernel.cost
        result.append(Layer(draft.kernel.name, op, tuple(draft.nodes), own, read, known, cost.mult_adds))
    return tuple(result)


def _read(flow: Flow, nodes: Iterable[Node], same: Mapping[str, str]) -> tuple[str, ...]:
    """The storages that operators read, constants left out, in their order."""
    run = [node for node in nodes if not flow.is_view(node)]
    written = {flow.place(name) for node in run for name in node.outputs}
    read = dict.fromkeys(same.get(name, name) for node in run for name in flow.sources[node.name] or ())
    tensors = flow.graph.tensors
    return tuple(name for name in read if name not in written and not (name in tensors and tensors[name].is_constant))
