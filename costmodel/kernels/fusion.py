"""A graph's operators as the kernels that a runtime launches.

Fusion is a partition: every operator is in one kernel. It keeps mult-adds and never raises bytes:

1. Chains that mean one operator are recognised (patterns.py).
2. Operators that only rename elements (reshape, flatten) and those that nothing runs for join the kernel
   whose result they rename, or are views of their own.
3. Batch normalisation is folded, activations and additions are taken along, as the runtime's rules say,
   where the tensor between the two is read by nobody else. That tensor leaves the memory access.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from costmodel.cost import Cost
from costmodel.dims import Dim, minimum
from costmodel.dtypes import size_in_bytes
from costmodel.graph import Graph, Node, TensorSpec
from costmodel.kernels.kernel import Kernel, Kind, Loops
from costmodel.kernels.loops import loops_of
from costmodel.kernels.patterns import Unit, units
from costmodel.kernels.runtimes import Runtime

CONTRACTIONS = frozenset({Kind.POINTWISE, Kind.SPATIAL, Kind.GROUPED, Kind.DEPTHWISE, Kind.DENSE, Kind.MATMUL})

_ADDITIONS = frozenset({"Add", "Sum"})
_NORMS = frozenset({"BatchNormalization"})
_SLICES = frozenset({"Split", "Slice"})
_KINDS: dict[str, Kind] = {
    op: kind
    for kind, names in {
        Kind.POOL: "MaxPool AveragePool LpPool MaxRoiPool RoiAlign",
        Kind.REDUCTION: "GlobalAveragePool GlobalMaxPool GlobalLpPool ReduceMean ReduceSum ReduceMax ReduceMin "
        "ReduceProd ReduceL1 ReduceL2 ReduceSumSquare ArgMax ArgMin CumSum",
        Kind.ELEMENTWISE: "Relu Clip LeakyRelu PRelu ThresholdedRelu Add Sub Mul Div Sum Max Min Mean Abs Neg Where "
        "BatchNormalization HardSigmoid HardSwish Sqrt Reciprocal Equal Greater Less And Or Not Xor Floor Ceil Round "
        "Sign Cast QuantizeLinear DequantizeLinear Mod GreaterOrEqual LessOrEqual",
        Kind.TRANSCENDENTAL: "Sigmoid Swish Mish Gelu Softmax LogSoftmax Exp Log Pow Erf Tanh Elu Selu Celu Softplus "
        "Softsign Sin Cos FastGelu BiasGelu QuickGelu",
        Kind.NORMALIZATION: "LRN LayerNormalization InstanceNormalization GroupNormalization LpNormalization "
        "MeanVarianceNormalization RMSNormalization SkipLayerNormalization GroupNorm",
        Kind.MOVEMENT: "Concat Split Slice Transpose Shuffle Pad Resize Upsample Gather GatherElements GatherND "
        "ScatterND ScatterElements Expand Tile DepthToSpace SpaceToDepth Unsqueeze Squeeze Reshape Flatten Identity",
    }.items()
    for op in names.split()
}


@dataclass(slots=True)
class _Group:
    """A kernel while it grows. out: the storage that it has written last, which an epilogue may take."""

    unit: Unit
    kind: Kind
    loops: Loops | None
    nodes: list[Node] = field(default_factory=list)
    out: str = ""
    added: bool = False
    ended: bool = False


@dataclass(frozen=True, slots=True)
class _Flow:
    """Who reads what when the network runs. A view's output is stored where its input is: `storage` names that tensor.

    idle: outputs of operators that do not run. reads: for each storage, how many operators that run read it, and
    one for the network's caller.
    """

    graph: Graph
    idle: frozenset[str]
    storage: Mapping[str, str]
    reads: Counter[str]

    @staticmethod
    def of(graph: Graph, prepares: bool) -> _Flow:
        """prepares: whether the runtime leaves out what need not run."""
        idle, same = _prepared(graph) if prepares else (frozenset[str](), dict[str, str]())
        storage: dict[str, str] = {}
        flow = _Flow(graph, idle, storage, Counter())
        for node in graph.nodes:
            if flow.is_view(node):
                source = same.get(node.outputs[0]) or next((name for name in node.inputs if name), "")
                storage.update((name, storage.get(source, source)) for name in node.outputs if name and source)
            else:
                flow.reads.update(flow.sources(node))
        flow.reads.update({storage.get(name, name) for name in graph.outputs})
        return flow

    def is_view(self, node: Node) -> bool:
        """Whether nothing happens when it is the operator's turn."""
        return _is_free(node) or self.idle.issuperset(node.outputs)

    def sources(self, node: Node) -> set[str]:
        """The storages that a node reads; none for a view."""
        return set() if self.is_view(node) else {self.storage.get(name, name) for name in node.inputs if name}


def fuse(graph: Graph, runtime: Runtime) -> tuple[Kernel, ...]:
    """The kernels that `runtime` launches for the graph, in the order of execution.

    Dims may be ints or columns. Views come out as kernels of kind VIEW without launches where they could
    not join another.
    """
    flow = _Flow.of(graph, runtime.prepares)
    groups: list[_Group] = []
    writer: dict[str, _Group] = {}
    for unit in units(graph):
        found = loops_of(unit.nodes[0], graph.tensors) if len(unit.nodes) == 1 else None
        kind, loops = found if found else (_kind(unit), None)
        if flow.idle.issuperset(unit.writes):
            kind, loops = Kind.VIEW, None
        group = _joined(flow, unit, kind, writer, runtime)
        if group is None:
            group = _Group(unit, kind, loops)
            groups.append(group)
        group.nodes.extend(unit.nodes)
        if kind is not Kind.VIEW and unit.writes:
            group.out = flow.storage.get(unit.writes[0], unit.writes[0])
        for name in unit.writes:
            writer.setdefault(flow.storage.get(name, name), group)
    return tuple(_kernel(flow, group, runtime) for group in groups)


def _prepared(graph: Graph) -> tuple[frozenset[str], dict[str, str]]:
    """Tensors that a runtime which prepares its graph does not compute when the network runs, and what some equal.

    Those that nothing leads from to an output; those that are known beforehand: a product with zero, and what is
    computed from one of these alone; and sums of one of these and another tensor, which they equal. (A sum of two
    that are known is computed: so it was in every network of NAS-Bench-201 measured with TFLite.)
    """
    known: set[str] = set()
    same: dict[str, str] = {}
    for node in graph.nodes:
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
    return frozenset(same.keys() | known | (written - needed)), same


def _kind(unit: Unit) -> Kind:
    if unit.op != "Shuffle" and all(map(_is_free, unit.nodes)):
        return Kind.VIEW
    return _KINDS.get(unit.op, Kind.OTHER)


def _is_free(node: Node) -> bool:
    cost = node.cost
    return all(
        isinstance(count, int) and count == 0
        for count in (cost.mult_adds, cost.element_ops, cost.input_elements, cost.output_elements)
    )


def _joined(flow: _Flow, unit: Unit, kind: Kind, writer: Mapping[str, _Group], runtime: Runtime) -> _Group | None:
    """The kernel that takes the unit along, or None where it begins one of its own."""
    stored = [flow.storage.get(name, name) for name in unit.reads]
    data = [name for name in dict.fromkeys(stored) if name in writer]
    if kind is Kind.VIEW:
        return writer[data[0]] if data else None
    for name in reversed(data):
        group = writer[name]
        inside = sum(name in flow.sources(node) for node in unit.nodes)
        if group.out != name or flow.reads[name] != inside or group.kind is Kind.VIEW:
            continue
        if not _takes(flow.graph, group, unit, kind, stored, name, runtime):
            continue
        if unit.op in _ADDITIONS:
            group.added = True
        elif unit.op not in _NORMS:
            group.ended = True
        return group
    return None


def _takes(
    graph: Graph, group: _Group, unit: Unit, kind: Kind, stored: Sequence[str], name: str, runtime: Runtime
) -> bool:
    contraction = group.kind in CONTRACTIONS
    if contraction and not group.ended:
        if unit.op in _NORMS:
            return runtime.folds_norm and not group.added
        if unit.op in runtime.epilogues:
            return True
        if unit.op in _ADDITIONS and len(unit.reads) == 2:
            own, other = (
                graph.tensors.get(read)
                for read in sorted(unit.reads, key=lambda read: stored[unit.reads.index(read)] != name)
            )
            if own is None or other is None or other.shape is None:
                return False
            return other.is_constant or (runtime.adds and not group.added and other.shape == own.shape)
    if group.unit.op in _ADDITIONS and not group.ended and unit.op in runtime.add_epilogues:
        return True
    return runtime.chains and kind is Kind.ELEMENTWISE and group.kind is Kind.ELEMENTWISE


def _kernel(flow: _Flow, group: _Group, runtime: Runtime) -> Kernel:
    cost = _cost(flow, group)
    op = group.unit.op
    launches: Dim = 0 if group.kind is Kind.VIEW else dict(runtime.decomposed).get(op, 1)
    if group.kind is Kind.GROUPED and group.loops is not None:
        each = runtime.launches_groups == "single" and group.loops.batch == 1
        launches = group.loops.groups if each or runtime.launches_groups == "always" else launches
    copies = {"Concat": runtime.concats, "Shuffle": runtime.passes, **dict.fromkeys(_SLICES, runtime.splits)}.get(op)
    kind = group.kind
    if copies is not None and kind is Kind.MOVEMENT:
        launches = copies
        kind = Kind.VIEW if copies == 0 else kind
    main = group.unit.nodes[0]
    return Kernel(main.name, op, kind, tuple(group.nodes), cost, launches, group.loops, main.repeat)


def _cost(flow: _Flow, group: _Group) -> Cost:
    """The sum over the operators, without the tensors between them and without what is folded away."""
    if len(group.nodes) == 1:
        return group.nodes[0].cost
    contraction = group.kind in CONTRACTIONS
    cost = Cost.total(
        _folded(flow.graph, node) if contraction and node.op_type in _NORMS else node.cost for node in group.nodes
    )
    for node in group.nodes:
        for name in () if flow.is_view(node) else node.outputs:
            spec = flow.graph.tensors.get(name)
            readers = [other for other in group.nodes if name in flow.sources(other)]
            if spec is None or not readers:
                continue
            read = Cost.total(Cost(input_elements=_part(spec, other, "input_elements")) for other in readers)
            written = _part(spec, node, "output_elements") if flow.reads[name] == len(readers) else 0
            cost = replace(
                cost,
                input_elements=cost.input_elements - read.input_elements,
                output_elements=cost.output_elements - written,
                bytes=cost.bytes - size_in_bytes(read.input_elements + written, spec.dtype),
            )
    return cost


def _folded(graph: Graph, node: Node) -> Cost:
    """A normalisation's cost once its weights are part of the contraction's: only what it passes on."""
    stored: Dim = 0
    for name in set(node.inputs):
        spec = graph.tensors.get(name)
        if spec is not None and spec.is_stored:
            stored = stored + size_in_bytes(spec.elements, spec.stored or spec.dtype)
    return replace(node.cost, element_ops=0, weight_elements=0, bytes=node.cost.bytes - stored * node.repeat)


def _part(spec: TensorSpec, node: Node, count: Literal["input_elements", "output_elements"]) -> Dim:
    """What a tensor contributes to one count of a node."""
    elements: Dim = getattr(node.cost, count)
    return minimum(spec.elements * node.repeat, elements)
