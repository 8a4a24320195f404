"""Copies between layouts, for runtimes whose convolutions keep channels in blocks (NCHWc).

Which operators work in blocks is ONNX Runtime's (its NchwcTransformer, and the graphs that version 1.31 has after
it). Whether a tensor lies in blocks is 1 or 0, in a population one of them a network.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from costmodel.cost import Cost
from costmodel.dims import Dim, equal, floor_div, minimum
from costmodel.dtypes import size_in_bytes
from costmodel.graph import Node, TensorSpec
from costmodel.kernels.flow import Flow, same_shape
from costmodel.kernels.kernel import Kernel, Kind, Loops

OP = "Reorder"

_ALIGNED = 4  # channels that are copied at once into blocks
_IN_PLACE = frozenset({Kind.ELEMENTWISE, Kind.TRANSCENDENTAL})


def in_blocks(loops: Loops | None, op: str, block: int) -> bool:
    """Whether a contraction works in blocks, in every network of a population. All do where there are no blocks."""
    return not block or equal(_suits(loops, op, block), 1)


def reordered(flow: Flow, kernels: Sequence[Kernel], block: int) -> Iterator[Kernel]:
    """The kernels, before each one those that copy what it reads into its layout, and at the end for the caller."""
    state: dict[str, Dim] = {}  # storage -> whether it was written in blocks
    made: dict[tuple[str, bool], Dim] = {}  # storage, into blocks or out of them -> whether the copy exists

    def copies(name: str, wanted: Dim, repeat: Dim) -> Iterator[Kernel]:
        now = state.get(name, 0)
        for into, needed in ((True, wanted * (1 - now)), (False, now * (1 - wanted))):
            new = needed * (1 - made.get((name, into), 0))
            if not (isinstance(new, int) and new == 0):
                made[name, into] = made.get((name, into), 0) + new
                yield _copy(flow.graph.tensors[name], new, repeat, into)

    for kernel in kernels:
        result: Dim = 0
        if kernel.kind is not Kind.VIEW:
            reads = _reads(flow, kernel)
            for name in reads:
                if flow.place(name) != name:  # renamed: its elements lie as they are counted
                    yield from copies(flow.place(name), 0, kernel.repeat)
            images = [name for name in reads if _is_image(flow.graph.tensors[name])]
            result, wanted = _layout(flow, kernel, [state.get(name, 0) for name in images], block)
            for name, want in zip(images, wanted, strict=True):
                yield from copies(name, want, kernel.repeat)
        yield kernel
        for node in kernel.operators:
            if not flow.is_view(node):
                state.update((name, result) for name in node.outputs if name)
    for name in flow.graph.outputs:
        yield from copies(flow.place(name), 0, 1)


def _reads(flow: Flow, kernel: Kernel) -> list[str]:
    """The tensors that a kernel reads from outside, the main one's first; a view by its storage if shaped alike."""
    tensors = flow.graph.tensors
    inner = {name for node in kernel.operators for name in node.outputs}
    found: dict[str, None] = {}
    for node in kernel.operators:
        for name in node.inputs if not flow.is_view(node) else ():
            place = flow.place(name)
            if place in tensors and place not in inner:
                alike = place == name or same_shape(tensors[place], tensors[name])
                found[place if alike else name] = None
    return list(found)


def _layout(flow: Flow, kernel: Kernel, states: Sequence[Dim], block: int) -> tuple[Dim, list[Dim]]:
    """Whether the kernel writes blocks, and whether it wants to read them, input by input."""
    main = kernel.operators[0]
    channels = _channels(flow, main)
    if kernel.loops is not None:
        suits = _suits(kernel.loops, main.qualified_type, block)
        direct = _few(kernel.loops.cin, block) if equal(kernel.loops.groups, 1) else 0
        return suits, [suits * (1 - direct) if i == 0 else suits for i in range(len(states))]
    if kernel.kind is Kind.POOL or main.op_type.startswith("Global"):
        result: Dim = _whole(channels, block)
    elif main.op_type == "Concat":
        result = 1
        for name, now in zip(main.inputs, states, strict=False):
            spec = flow.graph.tensors[name]
            result = result * now * _whole((spec.shape or (0, 0))[1], block)
    elif kernel.kind in _IN_PLACE and _keeps_shape(flow, main):
        result = 1
        for now in states:
            result = result * now
    else:
        result = 0
    return result if states else 0, [result] * len(states)


def _suits(loops: Loops | None, op: str, block: int) -> Dim:
    """Whether a convolution works in blocks: 1 or 0."""
    if loops is None or op != "Conv" or len(loops.size) != 2:
        return 0
    if equal(loops.groups, 1):
        few = _few(loops.cin, block)
        return few + (1 - few) * _whole(loops.cin, _ALIGNED)
    if equal(loops.cin, 1) and equal(loops.cout, 1):
        return _whole(loops.groups, _ALIGNED)
    return _whole(loops.cin, block) * _whole(loops.cout, block)


def _few(channels: Dim, block: int) -> Dim:
    """1 where there are too few channels for a block: a convolution reads them as they are. Otherwise 0."""
    return 1 - minimum(floor_div(channels, block), 1)


def _whole(channels: Dim, block: int) -> Dim:
    """1 where the channels are whole blocks, otherwise 0."""
    return 1 - minimum(channels % block, 1)


def _keeps_shape(flow: Flow, node: Node) -> bool:
    """Whether all that is no constant has the shape of the result."""
    specs = [flow.graph.tensors[name] for name in (*node.inputs, node.outputs[0]) if name in flow.graph.tensors]
    stored = any(spec.is_stored and not equal(spec.elements, 1) for spec in specs)
    return not stored and all(same_shape(spec, specs[-1]) for spec in specs if not spec.is_constant)


def _channels(flow: Flow, node: Node) -> Dim:
    spec = flow.graph.tensors.get(node.outputs[0])
    return 0 if spec is None or not _is_image(spec) else (spec.shape or ())[1]


def _is_image(spec: TensorSpec) -> bool:
    return spec.shape is not None and len(spec.shape) == 4 and not spec.is_constant


def _copy(spec: TensorSpec, launches: Dim, repeat: Dim, into: bool) -> Kernel:
    elements = spec.elements * launches * repeat
    cost = Cost(input_elements=elements, output_elements=elements, bytes=2 * size_in_bytes(elements, spec.dtype))
    name = f"{spec.name}:{'blocked' if into else 'plain'}"
    return Kernel(name, OP, Kind.MOVEMENT, (), cost, launches, None, repeat)
