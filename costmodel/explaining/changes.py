"""What an operator's kernel would take if the design were another there, and what a run would save.

A change is priced as a check prices what to use instead: on the platform's clock, with everything else as it is. Sizes
are changed in one kernel alone; what reads it, or what it reads, would change with it in a real design. What is left
out or put in another's place is taken from the graph, and the rest fused anew.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from costmodel.cost import Cost
from costmodel.graph import Graph, Node
from costmodel.guidelines import Clock, Saving
from costmodel.guidelines.finding import Change
from costmodel.guidelines.network import STEM
from costmodel.guidelines.remedies import with_channels
from costmodel.kernels import Kernel, Kind, Loops, fuse, kind_of, runtime_of
from costmodel.kernels.patterns import units
from costmodel.ops import apply
from costmodel.platforms import Machine
from costmodel.predictor import KernelEstimate, kernel_seconds

CONVOLUTIONS = frozenset({Kind.POINTWISE, Kind.SPATIAL, Kind.GROUPED, Kind.DEPTHWISE})
LIGHT = frozenset({Kind.POOL, Kind.REDUCTION, Kind.ELEMENTWISE, Kind.TRANSCENDENTAL, Kind.NORMALIZATION, Kind.MOVEMENT})
_RELUS = frozenset({"Relu", "Clip"})
_CURVES = frozenset({"HardSwish", "Swish", "Mish", "Gelu", "Elu", "Celu", "Selu", "LeakyRelu", "PRelu"})
_ACTIVATIONS = _RELUS | _CURVES | {"Sigmoid", "HardSigmoid", "Tanh"}
_NORM = "BatchNormalization"

_ROUNDING = 1e-12  # of a run: what sums of floats leave of nothing

Resized = Iterator[tuple[str, Kernel]]


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """A change of the design and what it makes of a platform's time.

    change: what is done. before, after: seconds of the kernels that it touches. saving: of the run.
    """

    change: str
    before: float
    after: float
    saving: Saving


def sensitivities(graph: Graph, clock: Clock, node: Node) -> tuple[Sensitivity, ...]:
    """The changes that make sense for an operator's kind, each priced; none for what takes no time of its own."""
    item = clock.kernel(node)
    if item is None or item.kernel.kind is Kind.VIEW:
        return ()
    unit = next((one.nodes for one in units(graph) if node in one.nodes), (node,))
    result = []
    if item.kernel.name in (one.name for one in unit):
        for words, kernel in _resized(graph, clock.platform.machine, unit, item.kernel):
            result.append(_replaced(clock, words, item, kernel))
    for words, nodes, edited in _edited(graph, clock, node, unit):
        result.append(_fused_anew(clock, words, graph, nodes, edited))
    return tuple(result)


def _replaced(clock: Clock, words: str, item: KernelEstimate, kernel: Kernel) -> Sensitivity:
    before, after = float(item.estimate.seconds), _seconds(clock, kernel)
    lost = clock.change([item]) + Change({kernel.kind: -after})
    return Sensitivity(words, before, after, clock.saving(lost))


def _seconds(clock: Clock, kernel: Kernel) -> float:
    """What any kernel takes as part of the run."""
    whole = float(clock.platform.stretch.sum_of(clock.total))
    return float(kernel_seconds(kernel, clock.platform)) * (clock.total / whole if whole else 1.0)


def _fused_anew(clock: Clock, words: str, graph: Graph, nodes: Sequence[Node], edited: Graph) -> Sensitivity:
    """nodes: those of the graph whose kernels are compared, with what becomes of them in the edited graph."""
    names = {one.name for item in clock.kernels(nodes) for one in item.kernel.operators}
    lost: dict[Kind, float] = {}
    sums = []
    kernels = fuse(edited, runtime_of(clock.platform.runtime, clock.platform.machine.blocks))
    before = [(item.kernel, float(item.estimate.seconds)) for item in clock.prediction.kernels]
    for sign, timed in ((1, before), (-1, [(kernel, _seconds(clock, kernel)) for kernel in kernels])):
        for kernel, seconds in timed:
            lost[kernel.kind] = lost.get(kernel.kind, 0.0) + sign * seconds
        touched = (seconds for kernel, seconds in timed if not names.isdisjoint(one.name for one in kernel.operators))
        sums.append(sum(touched, start=0.0))
    change = Change({kind: seconds for kind, seconds in lost.items() if abs(seconds) > _ROUNDING * clock.total})
    return Sensitivity(words, sums[0], sums[1], clock.saving(change))


# -- other sizes of one kernel


def _resized(graph: Graph, machine: Machine, unit: Sequence[Node], kernel: Kernel) -> Resized:
    if kernel.loops is not None and _is_whole(kernel.loops):
        for words, changed in _other_loops(kernel, kernel.loops, machine):
            yield words, _with_shortcut(kernel, changed)
    elif kernel.loops is None and kernel.kind in LIGHT:
        yield from _light(graph, unit, kernel)


def _other_loops(kernel: Kernel, loops: Loops, machine: Machine) -> Resized:
    if kernel.kind is Kind.DEPTHWISE:
        yield from _depthwise(kernel, loops, machine)
    elif kernel.kind in CONVOLUTIONS or kernel.kind is Kind.DENSE:
        yield from _mixing(kernel, loops, machine)
    if kernel.kind in CONVOLUTIONS:
        yield from _convolution(kernel, loops)


def _with_shortcut(kernel: Kernel, changed: Kernel) -> Kernel:
    """The changed kernel with what it adds on its way out as large as its output."""
    before, after = (_written(one.loops) for one in (kernel, changed))
    return replace(changed, epilogues=tuple(_times(one, Fraction(after, before)) for one in kernel.epilogues))


def _written(loops: Loops | None) -> int:
    assert loops is not None
    count: Any = loops.positions * loops.groups * loops.cout
    return int(count)


def _is_whole(loops: Loops) -> bool:
    return all(isinstance(dim, int) for dim in (loops.batch, loops.groups, loops.cin, loops.cout, *loops.size))


def _depthwise(kernel: Kernel, loops: Loops, machine: Machine) -> Resized:
    channels: Any = loops.groups
    if channels > 1:
        yield f"half the channels, {-(-channels // 2)}", with_channels(kernel, 1, 1, -(-channels // 2))
    filled = _filled(channels, machine)
    if filled != channels:
        yield f"{filled} channels, which fill vectors of {machine.vector}", with_channels(kernel, 1, 1, filled)


def _mixing(kernel: Kernel, loops: Loops, machine: Machine) -> Resized:
    groups: Any = loops.groups
    cin: Any = loops.cin
    cout: Any = loops.cout
    if cout > 1:
        half = -(-cout // 2)
        yield f"half the output channels, {half * groups}", with_channels(kernel, cin, half, groups)
    if cin > STEM:
        half = -(-cin // 2)
        yield f"half the input channels, {half * groups}", with_channels(kernel, half, cout, groups)
    if kernel.kind is Kind.DENSE:
        return
    if groups > 1:
        dense = with_channels(kernel, cin * groups, cout * groups)
        yield f"one group, {groups} times the mult-adds", dense
    read, written = (c if c <= STEM else _filled(c, machine) for c in (cin, cout))
    if (read, written) != (cin, cout):
        words = f"{read * groups} channels in and {written * groups} out, which fill vectors of {machine.vector}"
        yield words, with_channels(kernel, read, written, groups)


def _filled(channels: int, machine: Machine) -> int:
    return channels if machine.padded else -(-channels // machine.vector) * machine.vector


def _convolution(kernel: Kernel, loops: Loops) -> Resized:
    if loops.positions != loops.batch:
        size = tuple(-(-dim // 2) if isinstance(dim, int) else dim for dim in loops.size)
        yield f"half the resolution, {_by(size)}", replace(kernel, loops=replace(loops, size=size))
    if min(loops.taps) > 3:
        yield "a 3x3 window" if len(loops.taps) == 2 else "a window of 3", _with_window(kernel, loops, 3)
    if loops.window > 1 and kernel.kind is not Kind.DEPTHWISE:
        yield "a 1x1 window" if len(loops.taps) == 2 else "a window of 1", _with_window(kernel, loops, 1)


def _by(size: Iterable[Any]) -> str:
    return "x".join(map(str, size))


def _with_window(kernel: Kernel, loops: Loops, taps: int) -> Kernel:
    kind = Kind.POINTWISE if taps == 1 and kernel.kind is Kind.SPATIAL else kernel.kind
    dilated = loops.dilated and taps > 1
    return replace(kernel, kind=kind, loops=replace(loops, taps=(taps,) * len(loops.taps), dilated=dilated))


def _light(graph: Graph, unit: Sequence[Node], kernel: Kernel) -> Resized:
    """Half the channels and half the resolution of what only reads and writes images."""
    specs = [graph.tensors.get(name) for name in (*unit[0].inputs[:1], *unit[-1].outputs[:1])]
    shapes = [spec.shape for spec in specs if spec is not None and spec.shape is not None and len(spec.shape) == 4]
    if len(shapes) < 2 or kernel.op.endswith("Softmax") or not isinstance(kernel.cost.memory_access, int):
        return
    half = Fraction(1, 2)
    yield "half the channels", replace(kernel, cost=_scaled(kernel.cost, half, half, half))
    read, written = (_halving(shape[2:]) for shape in shapes)
    if read < 1:
        yield "half the resolution", replace(kernel, cost=_scaled(kernel.cost, read, written, Fraction(1)))


def _halving(size: Iterable[Any]) -> Fraction:
    return math.prod((Fraction(-(-dim // 2), dim) for dim in size), start=Fraction(1))


def _scaled(cost: Cost, read: Fraction, written: Fraction, weights: Fraction) -> Cost:
    return replace(
        cost,
        element_ops=_times(cost.element_ops, min(read, written)),
        input_elements=_times(cost.input_elements, read),
        output_elements=_times(cost.output_elements, written),
        weight_elements=_times(cost.weight_elements, weights),
    )


def _times(count: Any, factor: Fraction) -> int:
    return int(count * factor + Fraction(1, 2))


# -- another graph


def _edited(
    graph: Graph, clock: Clock, node: Node, unit: tuple[Node, ...]
) -> Iterator[tuple[str, tuple[Node, ...], Graph]]:
    """Changes with the operators whose kernels they touch, and the graph after each.

    unit: the operators that together mean one, of which the node is one.
    """
    kind = kind_of(node, graph.tensors)[0]
    if kind in CONVOLUTIONS or kind is Kind.DENSE:
        after = _reader(graph, node)
        if after is not None and after.op_type == _NORM:
            if clock.kernel(after) is not clock.kernel(node):
                yield "its normalisation folded", (node, after), _without(graph, (after,), node.outputs[0])
            after = _reader(graph, after)
        if after is not None and after.op_type in _ACTIVATIONS and len(_data(graph, after)) == 1:
            words = f"without the {after.op_type} after it"
            yield words, (node, after), _without(graph, (after,), _data(graph, after)[0])
        return
    kept = _kept(graph, unit)
    if kept and kind in LIGHT | {Kind.VIEW}:
        yield "left out", unit, _without(graph, unit, kept)
    if node.op_type in _CURVES and len(unit) == 1:
        yield "ReLU instead", unit, _with_relu(graph, node)


def _reader(graph: Graph, node: Node) -> Node | None:
    """The operator that alone reads what this one writes, if nobody else does."""
    name = node.outputs[0]
    readers = [one for one in graph.nodes if name in one.inputs]
    return readers[0] if len(readers) == 1 and name not in graph.outputs else None


def _data(graph: Graph, node: Node) -> list[str]:
    return [name for name in node.inputs if name in graph.tensors and not graph.tensors[name].is_constant]


def _kept(graph: Graph, unit: Sequence[Node]) -> str:
    """The tensor that can stand for the result of operators: of its shape, the last that was written.

    Empty where there is none, or where another tensor would be left that nobody reads.
    """
    inner = {name for one in unit for name in one.outputs}
    read = list(dict.fromkeys(name for one in unit for name in _data(graph, one) if name not in inner))
    shape = graph.tensors[unit[-1].outputs[0]].shape if unit[-1].outputs[0] in graph.tensors else None
    alike = [name for name in read if shape is not None and graph.tensors[name].shape == shape]
    if not alike or len(unit[-1].outputs) > 1:
        return ""
    place = {name: index for index, one in enumerate(graph.nodes) for name in one.outputs}
    kept = max(alike, key=lambda name: place.get(name, -1))
    names = {one.name for one in unit}
    needed = {name for one in graph.nodes if one.name not in names for name in one.inputs} | set(graph.outputs)
    return kept if needed.issuperset(name for name in read if name != kept) else ""


def _without(graph: Graph, unit: Sequence[Node], kept: str) -> Graph:
    """The graph without operators, of whose result another tensor takes the place."""
    gone = {node.name for node in unit}
    result = unit[-1].outputs[0]
    nodes = tuple(
        replace(node, inputs=tuple(kept if name == result else name for name in node.inputs))
        if result in node.inputs
        else node
        for node in graph.nodes
        if node.name not in gone
    )
    outputs = tuple(kept if name == result else name for name in graph.outputs)
    return replace(graph, nodes=nodes, outputs=outputs)


def _with_relu(graph: Graph, node: Node) -> Graph:
    data = node.inputs[:1]
    cost = apply("Relu", "", [graph.tensors[data[0]]], {}, node.outputs).cost.repeated(node.repeat, 0)
    relu = replace(node, op_type="Relu", domain="", inputs=data, attributes={}, cost=cost)
    return replace(graph, nodes=tuple(relu if one is node else one for one in graph.nodes))
