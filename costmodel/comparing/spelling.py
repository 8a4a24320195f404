"""One form for what exporters spell in several ways, and the facts of a layer in it.

1. ReduceMean over all positions, and AveragePool with a window as large as its input: GlobalAveragePool.
2. Slices of one tensor: Split. MatMul with a weight: Gemm. Sum of two: Add. ConvInteger and fused ones: Conv.
3. Clip from 0 without an upper end: Relu; others are named with their ends.
4. A transpose that swaps groups and channels (n, groups, channels, h, w): Shuffle.
5. An Expand that leaves the size as it is: no layer (layers.py), and what it expands in its place.
6. Dims of 1 behind the channels are left out where a layer mixes no positions, and all of them in a transpose.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from costmodel.dims import Shape, product, show_shape
from costmodel.graph import Node, TensorSpec
from costmodel.kernels import Kernel, Kind, Loops
from costmodel.kernels.flow import Flow
from costmodel.kernels.patterns import units

_MEANS = frozenset({"ReduceMean", "AveragePool", "GlobalAveragePool"})
_PRODUCTS = frozenset({Kind.DENSE, Kind.MATMUL})
_CONVOLUTIONS = frozenset({Kind.POINTWISE, Kind.SPATIAL, Kind.GROUPED, Kind.DEPTHWISE})
_SWAPPED = 5  # rank of the tensor that a channel shuffle transposes
_SAME_OP = {
    "Slice": "Split",
    "Sum": "Add",
    "MatMul": "Gemm",
    "FusedConv": "Conv",
    "FusedGemm": "Gemm",
    "FusedMatMul": "Gemm",
}
# What is part of a layer without being its activation.
_PLUMBING = frozenset({"BatchNormalization", "Add", "Sum"})

Found = tuple[str, dict[str, str], dict[str, str]]


class Speller:
    """Tells the facts of a graph's layers. same: for storages that hold a copy of another one, that one."""

    def __init__(self, flow: Flow, same: Mapping[str, str]) -> None:
        self._flow, self._same = flow, same

    @cached_property
    def _op_of(self) -> dict[str, str]:
        """For each operator the name of the unit that it belongs to: Swish for a Sigmoid and a Mul."""
        return {node.name: unit.op for unit in units(self._flow.graph) for node in unit.nodes}

    @cached_property
    def _readers(self) -> set[str]:
        graph = self._flow.graph
        return {*graph.outputs, *(name for node in graph.nodes for name in node.inputs)}

    def facts(self, kernel: Kernel, nodes: Sequence[Node]) -> Found:
        """A layer's op, what was chosen for it, and what follows from what it reads."""
        op, own, read = self._form(kernel, nodes)
        main = self._op_of[nodes[0].name]
        extras = [node for node in nodes[1:] if self._is_activation(node, main)]
        if extras:
            own["activation"] = ", ".join(dict.fromkeys(self._activation(node) for node in extras))
        spec = next((self._spec(node.outputs[0]) for node in reversed(nodes) if self._runs(node)), None)
        if spec is not None and spec.dtype != "float32":
            read["element type"] = spec.dtype
        if not (isinstance(kernel.repeat, int) and kernel.repeat == 1):
            own["runs"] = str(kernel.repeat)
        return op, own, read

    def _form(self, kernel: Kernel, nodes: Sequence[Node]) -> Found:
        first = nodes[0]
        if kernel.loops is not None and kernel.kind in _CONVOLUTIONS:
            return self._convolution(first, kernel.kind, kernel.loops, nodes)
        if kernel.loops is not None and kernel.kind in _PRODUCTS:
            return _product(first, kernel.loops)
        source, result = self._data(first), self._written(nodes)
        if kernel.op in _MEANS and _is_global(source, result):
            return "GlobalAveragePool", {}, {"input": _show(source), "output": _show(_trimmed(result))}
        if kernel.kind is Kind.POOL:
            return kernel.op, _window(first), {"input": _show(source), "output": _show(result)}
        transpose = next((node for node in nodes if node.op_type == "Transpose"), None)
        if transpose is not None and (kernel.op == "Shuffle" or self._swaps(transpose)):
            inner = self._shape(transpose.inputs[0])
            groups = {"groups": str(inner[1])} if inner is not None and len(inner) > 1 else {}
            return "Shuffle", groups, {"elements": "?" if inner is None else str(product(inner))}
        return self._other(kernel, nodes)

    def _convolution(self, node: Node, kind: Kind, loops: Loops, nodes: Sequence[Node]) -> Found:
        depthwise = kind is Kind.DEPTHWISE
        channels = str(loops.groups * loops.cout)
        strides = node.attributes.get("strides") or (1,) * len(loops.taps)
        own = {
            "kernel": _by(loops.taps),
            "strides": _by(strides),
            "groups": "depthwise" if depthwise else str(loops.groups),
        }
        if loops.dilated:
            own["dilations"] = _by(node.attributes.get("dilations") or ())
        read = {"channels": channels} if depthwise else {"channels in": str(loops.groups * loops.cin)}
        if not depthwise:
            own["channels out"] = channels
        read |= {"input": _positions(self._data(node)), "output": _positions(self._written(nodes))}
        op = "ConvTranspose" if "Transpose" in node.op_type else "Conv"
        return op, own, read

    def _other(self, kernel: Kernel, nodes: Sequence[Node]) -> Found:
        """Any other operator: by its inputs and outputs, and by its operations where its form has no other spelling."""
        first = nodes[0]
        run = [node for node in nodes if self._runs(node)] or [nodes[-1]]
        inner = {name for node in nodes for name in node.outputs}
        outside = dict.fromkeys(name for node in run for name in node.inputs if name and name not in inner)
        op = self._op_of[first.name]
        op = self._activation(first) if op in ("Clip", "Relu") else _SAME_OP.get(op, op)
        form = _squeezed if op == "Transpose" else _trimmed
        last = run if op == "Split" else run[-1:]
        outputs = [name for node in last for name in node.outputs if name in self._readers]
        inputs = [name for name in outside if not self._is_constant(name)]
        read = {
            end: ", ".join(sorted(_show(form(self._shape(name))) for name in names))
            for end, names in (("input", inputs), ("output", outputs))
        }
        if kernel.kind is Kind.OTHER:
            read["operations"] = str(kernel.cost.element_ops)
        return op, {}, read

    def _is_activation(self, node: Node, main: str) -> bool:
        op = self._op_of[node.name]
        return op != main and op not in _PLUMBING and not self._flow.is_view(node)

    def _activation(self, node: Node) -> str:
        op = self._op_of[node.name]
        if op != "Clip":
            return op
        low, high = (self._bound(node, place, name) for place, name in ((1, "min"), (2, "max")))
        if low == "0" and not high:
            return "Relu"
        return f"Clip({low}..{high})"

    def _bound(self, node: Node, place: int, name: str) -> str:
        """An end of a Clip: an attribute before opset 11, an input since; "" where there is none."""
        value: Any = node.attributes.get(name)
        if value is None and len(node.inputs) > place and node.inputs[place]:
            spec = self._spec(node.inputs[place])
            if spec is None or spec.value is None:
                return "?"
            value = np.asarray(spec.value).reshape(-1)[0]
        if value is None or abs(float(value)) > 1e30:  # the largest float is what exporters write for no end
            return ""
        return f"{float(value):g}"

    def _swaps(self, node: Node) -> bool:
        shape, order = self._shape(node.inputs[0]), tuple(node.attributes.get("perm") or ())
        return shape is not None and len(shape) == _SWAPPED and order == (0, 2, 1, 3, 4)

    def _data(self, node: Node) -> Shape | None:
        return next((self._shape(name) for name in node.inputs if name and not self._is_constant(name)), None)

    def _written(self, nodes: Sequence[Node]) -> Shape | None:
        return next((self._shape(node.outputs[0]) for node in reversed(nodes) if self._runs(node)), None)

    def _runs(self, node: Node) -> bool:
        return not self._flow.is_view(node)

    def _shape(self, name: str) -> Shape | None:
        spec = self._spec(name)
        return None if spec is None else spec.shape

    def _spec(self, name: str) -> TensorSpec | None:
        return self._flow.graph.tensors.get(name)

    def _is_constant(self, name: str) -> bool:
        place = self._flow.place(name)
        spec = self._spec(self._same.get(place, name))
        return spec is not None and spec.is_constant


def _product(node: Node, loops: Loops) -> Found:
    own = {"channels out": str(loops.cout)}
    read = {"channels in": str(loops.cin), "input": f"{loops.positions} rows"}
    op = _SAME_OP.get(node.op_type, node.op_type)
    return op, own, read


def _window(node: Node) -> dict[str, str]:
    taps = tuple(node.attributes.get("kernel_shape") or ())
    return {"kernel": _by(taps), "strides": _by(node.attributes.get("strides") or (1,) * len(taps))}


def _is_global(source: Shape | None, result: Shape | None) -> bool:
    """Whether a mean leaves one number a channel (rank 3 and more: images, channels, positions)."""
    if source is None or result is None or len(source) < 3:
        return False
    return bool(product(result) == source[0] * source[1]) and bool(product(source[2:]) != 1)


def _trimmed(shape: Shape | None) -> Shape | None:
    """Without dims of 1 at the end."""
    if shape is None:
        return None
    count = len(shape)
    while count > 2 and isinstance(shape[count - 1], int) and shape[count - 1] == 1:
        count -= 1
    return shape[:count]


def _squeezed(shape: Shape | None) -> Shape | None:
    """Without dims of 1, which a transpose may have or not."""
    return None if shape is None else tuple(size for size in shape if not (isinstance(size, int) and size == 1))


def _positions(shape: Shape | None) -> str:
    """The images and the spatial dims of an activation: channels are facts of their own."""
    return "?" if shape is None or len(shape) < 2 else show_shape((shape[0], *shape[2:]))


def _show(shape: Shape | None) -> str:
    return "?" if shape is None else show_shape(shape)


def _by(sizes: Iterable[object]) -> str:
    return "x".join(map(str, sizes))
