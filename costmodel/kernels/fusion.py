"""A graph's operators as the kernels that a runtime launches.

Fusion is a partition: every operator is in one kernel. It keeps mult-adds and never raises bytes:

1. Chains that mean one operator are recognised (patterns.py).
2. Operators that only rename elements (reshape, flatten) and those that nothing runs for join the kernel
   whose result they rename, or are views of their own (flow.py).
3. Batch normalisation is folded, activations and additions are taken along, copies of channels are made at
   once, as the runtime's rules say (runtimes.py), where the tensor between the two is read by nobody else. That
   tensor leaves the memory access.
4. Where the runtime's convolutions want channels in blocks, kernels without operators copy tensors into
   blocks and back (layouts.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from costmodel.cost import Cost
from costmodel.dims import Dim, equal, minimum
from costmodel.dtypes import size_in_bytes
from costmodel.graph import Graph, Node, TensorSpec
from costmodel.kernels.flow import Flow, same_shape
from costmodel.kernels.kernel import Kernel, Kind, Loops
from costmodel.kernels.kinds import KINDS
from costmodel.kernels.layouts import in_blocks, reordered
from costmodel.kernels.loops import loops_of
from costmodel.kernels.patterns import Unit, units
from costmodel.kernels.runtimes import Runtime

CONTRACTIONS = frozenset({Kind.POINTWISE, Kind.SPATIAL, Kind.GROUPED, Kind.DEPTHWISE, Kind.DENSE, Kind.MATMUL})

_ADDITIONS = frozenset({"Add", "Sum"})
_NORMS = frozenset({"BatchNormalization"})
_CUTS = frozenset({"Split", "Slice"})
_COPIES = frozenset({"Concat", "Shuffle"})

# Convolutions that ONNX Runtime has fused already, and which of their inputs is the shortcut that they add.
_WITH_SHORTCUT = frozenset({"com.microsoft:FusedConv", "com.microsoft:NhwcFusedConv", "com.microsoft.nchwc:Conv"})
_SHORTCUT = 3


@dataclass(slots=True)
class _Group:
    """A kernel while it grows.

    ready: the place in the order of execution of the last operator that runs. out: the storage that it has written
    last, which an epilogue may take. added, ended: whether it has a shortcut or an activation. epilogues: as those of a
    kernel. copies: operators that copy channels.
    """

    unit: Unit
    kind: Kind
    loops: Loops | None
    ready: int
    nodes: list[Node] = field(default_factory=list)
    out: str = ""
    added: bool = False
    ended: bool = False
    epilogues: list[Dim] = field(default_factory=list)
    copies: int = 1


def fuse(graph: Graph, runtime: Runtime) -> tuple[Kernel, ...]:
    """The kernels that `runtime` launches for the graph, in the order of execution.

    Dims may be ints or columns. A population has one partition and one kind a kernel: where these depend on sizes (a
    number of groups that is 1 in some networks only, a shortcut that only some can add in blocks) all its networks
    have the general one, and some of them have other kernels when they are alone. Views come out as kernels of kind
    VIEW without launches where they could not join another.
    """
    flow = Flow.of(graph, runtime.prepares)
    groups: list[_Group] = []
    writer: dict[str, _Group] = {}
    for place, unit in enumerate(units(graph, runtime.spelled)):
        kind, loops = _kind(flow, unit)
        group = _joined(flow, unit, kind, writer, runtime)
        if group is None:
            group = _Group(unit, kind, loops, place)
            if kind in CONTRACTIONS:
                _begin_fused(flow.graph, group)
            groups.append(group)
        group.nodes.extend(unit.nodes)
        if kind is not Kind.VIEW:
            group.out = flow.place(unit.writes[0]) if unit.writes else ""
            group.ready = place
        for name in unit.writes:
            writer.setdefault(flow.place(name), group)
    # A kernel runs when the last of its operators can: that may be after kernels that began later.
    groups.sort(key=lambda group: group.ready)
    kernels = [_kernel(flow, group, runtime) for group in groups]
    return tuple(reordered(flow, kernels, runtime.blocks) if runtime.blocks else kernels)


def _begin_fused(graph: Graph, group: _Group) -> None:
    """Note the shortcut and the activation that an operator has from the start."""
    main = group.unit.nodes[0]
    if group.unit.op in _WITH_SHORTCUT and len(main.inputs) > _SHORTCUT:
        shortcut = graph.tensors.get(main.inputs[_SHORTCUT])
        if shortcut is not None:
            group.added = True
            group.epilogues.append(shortcut.elements)
    if main.attributes.get("activation"):
        group.ended = True
        group.epilogues.append(0)


def _kind(flow: Flow, unit: Unit) -> tuple[Kind, Loops | None]:
    if all(map(flow.is_view, unit.nodes)):
        return Kind.VIEW, None
    return kind_of(unit.nodes[0], flow.graph.tensors) if len(unit.nodes) == 1 else (_kind_of_type(unit.op), None)


def kind_of(node: Node, tensors: Mapping[str, TensorSpec]) -> tuple[Kind, Loops | None]:
    """What an operator's time is spent on when it runs by itself, and the loops of a contraction."""
    return loops_of(node, tensors) or (_kind_of_type(node.qualified_type), None)


def _kind_of_type(op: str) -> Kind:
    return KINDS.get(op, Kind.OTHER)


def _joined(flow: Flow, unit: Unit, kind: Kind, writer: Mapping[str, _Group], runtime: Runtime) -> _Group | None:
    """The kernel that takes the unit along, or None where it begins one of its own."""
    stored = [flow.place(name) for name in unit.reads]
    data = [name for name in dict.fromkeys(stored) if name in writer]
    if kind is Kind.VIEW:  # what need not run has a cost, but it is no other kernel's
        return writer[data[0]] if data and flow.idle.isdisjoint(unit.writes) else None
    if len(data) > 1:
        data.sort(key=lambda name: -writer[name].ready)
    for name in data:
        group = writer[name]
        if group.out != name or group.kind is Kind.VIEW:
            continue
        inside = sum(name in (flow.sources[node.name] or ()) for node in unit.nodes) if len(unit.nodes) > 1 else 1
        if flow.reads[name] != inside or not equal(group.unit.nodes[0].repeat, unit.nodes[0].repeat):
            continue
        if _takes(flow.graph, group, unit, kind, stored, name, runtime):
            return group
    return None


def _takes(graph: Graph, group: _Group, unit: Unit, kind: Kind, stored: list[str], name: str, runtime: Runtime) -> bool:
    """Whether a kernel takes along a unit that alone reads its result `name`; if so, it has it from now on."""
    if group.kind in CONTRACTIONS and not group.ended:
        if unit.op in _NORMS:
            return runtime.folds_norm and not group.added
        if unit.op in runtime.epilogues:
            group.ended = True
            group.epilogues.append(0)
            return True
        if unit.op in _ADDITIONS and len(unit.reads) == 2:
            own, other = (graph.tensors.get(unit.reads[i]) for i in _own_first(stored, name))
            shortcut = runtime.adds and not group.added and same_shape(own, other)
            bias = other is not None and other.is_constant
            if bias or (shortcut and in_blocks(group.loops, group.unit.op, runtime.blocks)):
                group.added = True
                if other is not None and not bias:
                    group.epilogues.append(other.elements)
                return True
            return False
    if group.unit.op in _ADDITIONS and not group.ended and unit.op in runtime.add_epilogues:
        group.ended = True
        return True
    if runtime.merges_copies and group.unit.op in _COPIES and unit.op in {"Shuffle", "Split"}:
        group.copies += 1
        return True
    return runtime.chains and kind is Kind.ELEMENTWISE and group.kind is Kind.ELEMENTWISE


def _own_first(stored: list[str], name: str) -> tuple[int, int]:
    return (0, 1) if stored[0] == name else (1, 0)


def _kernel(flow: Flow, group: _Group, runtime: Runtime) -> Kernel:
    main = group.unit.nodes[0]
    kind = group.kind
    launches = _launches(group, runtime)
    if kind is Kind.MOVEMENT and isinstance(launches, int) and launches == 0:
        kind = Kind.VIEW
    cost = main.cost if len(group.nodes) == 1 else _cost(flow, group)
    op = group.unit.op.rpartition(":")[2]
    epilogues = tuple(group.epilogues)
    return Kernel(main.name, op, kind, tuple(group.nodes), cost, launches, group.loops, main.repeat, epilogues)


def _launches(group: _Group, runtime: Runtime) -> Dim:
    op = group.unit.op
    if group.kind is Kind.VIEW:
        return 0
    if group.kind is Kind.GROUPED and group.loops is not None and runtime.launches_groups:
        return group.loops.groups
    if group.kind is Kind.MOVEMENT:
        if group.copies > 1:
            return 1
        if op in _CUTS:
            return runtime.splits
        if op in _COPIES:
            return runtime.concats if op == "Concat" else runtime.passes
    return dict(runtime.decomposed).get(op, 1)


def _cost(flow: Flow, group: _Group) -> Cost:
    """The sum over the operators, without the tensors between them and without what is folded away.

    A tensor that several of them read is read once.
    """
    contraction = group.kind in CONTRACTIONS
    tensors = flow.graph.tensors
    mult_adds: Dim = 0
    element_ops: Dim = 0
    inputs: Dim = 0
    outputs: Dim = 0
    weights: Dim = 0
    params: Dim = 0
    size: Dim = 0
    at_hand: set[str] = set()
    written: dict[str, Node] = {}
    inside: dict[str, int] = {}
    for node in group.nodes:
        cost = node.cost
        mult_adds, params, outputs = mult_adds + cost.mult_adds, params + cost.params, outputs + cost.output_elements
        read = flow.sources[node.name] or ()
        between = [name for name in read if name in written]
        if contraction and between and node.op_type in _NORMS:  # its weights are part of the contraction's
            size = size + size_in_bytes(cost.output_elements, tensors[node.outputs[0]].dtype)
        else:
            inputs, weights = inputs + cost.input_elements, weights + cost.weight_elements
            element_ops, size = element_ops + cost.element_ops, size + cost.bytes
            for name in read:
                if name in written or (name in at_hand and not tensors[name].is_constant):
                    elements = _part(tensors[name], node, "input_elements")
                    inputs, size = inputs - elements, size - size_in_bytes(elements, tensors[name].dtype)
        for name in between:
            inside[name] = inside.get(name, 0) + 1
        at_hand.update(read)
        written.update((name, node) for name in node.outputs if name in tensors)
    for name, readers in inside.items():
        if flow.reads[name] == readers:
            elements = _part(tensors[name], written[name], "output_elements")
            outputs, size = outputs - elements, size - size_in_bytes(elements, tensors[name].dtype)
    return Cost(mult_adds, element_ops, inputs, outputs, weights, params, size)


def _part(spec: TensorSpec, node: Node, count: Literal["input_elements", "output_elements"]) -> Dim:
    """What a tensor contributes to one count of a node."""
    elements: Dim = getattr(node.cost, count)
    if len(node.inputs if count == "input_elements" else node.outputs) == 1:
        return elements
    return minimum(spec.elements * node.repeat, elements)
