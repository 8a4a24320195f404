"""A graph of the IR as a PyTorch network: each operator one call of torch, on weights that are given.

Covers the operators that the zoo uses, on images (2-D convolutions and poolings). HardSigmoid has torch's slope of
1/6 where ONNX's default is 0.2: one kernel, as networks that are written in PyTorch have it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from calibration.measure.backend import RefusedError
from costmodel.graph import Graph, Node

Call = Callable[..., Any]
Numbers = Mapping[str, list[Any]]  # elements of small constants, by tensor

_EPSILON = 1e-5  # ONNX's default for normalisations


class TorchNetwork(torch.nn.Module):
    """The graph as a module: it takes the graph's inputs and gives its outputs.

    weights: arrays by tensor name, for every constant whose elements the graph does not have. Raises RefusedError
    for an operator that is not covered.
    """

    def __init__(self, graph: Graph, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        numbers = {
            name: list(tensor.value.ravel()) for name, tensor in graph.tensors.items() if tensor.value is not None
        }
        self._inputs, self._outputs = graph.inputs, graph.outputs
        self._shapes = {name: tensor.shape for name, tensor in graph.tensors.items()}
        self._steps = [_step(node, numbers) for node in graph.nodes]
        used = {name for _, inputs, _, _ in self._steps for name in inputs}
        self._constants = {name: tensor for name, tensor in weights.items() if name in used}
        kept = {*self._outputs, *self._constants}
        for index in range(len(self._steps) - 1, -1, -1):  # each tensor goes after the last that reads it
            call, inputs, outputs, _ = self._steps[index]
            dead = tuple(name for name in dict.fromkeys((*inputs, *outputs)) if name not in kept)
            kept.update(dead)
            self._steps[index] = (call, inputs, outputs, dead)

    def place(self, device: str, dtype: torch.dtype, layout: torch.memory_format) -> TorchNetwork:
        """Move the weights to a device, an element type, and of images' filters into a layout; gives itself."""
        for name, tensor in self._constants.items():
            kind = dtype if tensor.is_floating_point() else tensor.dtype
            form = layout if tensor.dim() == 4 else torch.contiguous_format
            self._constants[name] = tensor.to(device=device, dtype=kind, memory_format=form)
        return self

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The graph's outputs."""
        return self._run(inputs, is_checked=False)

    def check(self, *inputs: Tensor) -> None:
        """Run once. Raises RefusedError where a tensor has another shape than in the graph: what no maker reads."""
        self._run(inputs, is_checked=True)

    def _run(self, inputs: Sequence[Tensor], *, is_checked: bool) -> tuple[Tensor, ...]:
        found: dict[str, Tensor] = dict(zip(self._inputs, inputs, strict=True))
        found.update(self._constants)
        for call, names, outputs, dead in self._steps:
            result = call(*[found[name] for name in names])
            if len(outputs) == 1:
                found[outputs[0]] = result
            else:
                found.update(zip(outputs, result, strict=True))
            if is_checked:
                self._check_shapes(found, outputs)
            for name in dead:
                del found[name]
        return tuple(found[name] for name in self._outputs)

    def _check_shapes(self, found: Mapping[str, Tensor], names: Sequence[str]) -> None:
        for name in names:
            shape, own = self._shapes.get(name), tuple(found[name].shape)
            if shape is not None and own != shape:
                raise RefusedError(f"{name} would have the shape {own} and not {shape}; its operator is not covered so")


_Step = tuple[Call, tuple[str, ...], tuple[str, ...], tuple[str, ...]]


def _step(node: Node, numbers: Numbers) -> _Step:
    """What a node calls, the tensors that it passes, and those that it gets; numbers are bound into the call."""
    maker = _OPERATORS.get(node.qualified_type)
    if maker is None:
        raise RefusedError(f"operator {node.qualified_type} ({node.name}) is not covered")
    tensors = tuple(name for name in node.inputs if name and (name not in numbers or node.op_type in _ARITHMETIC))
    return maker(node, numbers), tensors, node.outputs, ()


def _given(node: Node, numbers: Numbers, index: int) -> list[Any]:
    """The elements of an input that is a small constant."""
    name = node.inputs[index] if index < len(node.inputs) else ""
    if name not in numbers:
        raise RefusedError(f"operator {node.qualified_type} ({node.name}): input {index} is not known ahead of the run")
    return numbers[name]


def _window(node: Node) -> tuple[list[int], list[int], list[int] | None]:
    """Strides, the padding of both ends, and where these differ what to pad before (left, right, top, bottom)."""
    if len(node.attributes["kernel_shape"]) != 2:
        raise RefusedError(f"operator {node.qualified_type} ({node.name}): only 2-D windows are covered")
    top, left, bottom, right = node.attributes.get("pads") or (0, 0, 0, 0)
    strides = list(node.attributes.get("strides") or (1, 1))
    if (top, left) == (bottom, right):
        return strides, [top, left], None
    return strides, [0, 0], [left, right, top, bottom]


def _conv(node: Node, numbers: Numbers) -> Call:
    strides, padding, ahead = _window(node)
    dilations, groups = list(node.attributes.get("dilations") or (1, 1)), int(node.attributes.get("group", 1))

    def call(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        x = F.pad(x, ahead) if ahead else x
        return F.conv2d(x, weight, bias, strides, padding, dilations, groups)

    return call


def _conv_transpose(node: Node, numbers: Numbers) -> Call:
    strides, padding, ahead = _window(node)
    extra, groups = list(node.attributes.get("output_padding") or (0, 0)), int(node.attributes.get("group", 1))
    if ahead:
        raise RefusedError(f"operator ConvTranspose ({node.name}): uneven pads are not covered")
    return lambda x, weight, bias=None: F.conv_transpose2d(x, weight, bias, strides, padding, extra, groups)


def _max_pool(node: Node, numbers: Numbers) -> Call:
    strides, padding, ahead = _window(node)
    kernel, ceil = list(node.attributes["kernel_shape"]), bool(node.attributes.get("ceil_mode", 0))

    def call(x: Tensor) -> Tensor:
        x = F.pad(x, ahead, value=float("-inf")) if ahead else x
        return F.max_pool2d(x, kernel, strides, padding, ceil_mode=ceil)

    return call


def _avg_pool(node: Node, numbers: Numbers) -> Call:
    strides, padding, ahead = _window(node)
    kernel, ceil = list(node.attributes["kernel_shape"]), bool(node.attributes.get("ceil_mode", 0))
    counted = bool(node.attributes.get("count_include_pad", 0))
    if ahead:
        raise RefusedError(f"operator AveragePool ({node.name}): uneven pads are not covered")
    return lambda x: F.avg_pool2d(x, kernel, strides, padding, ceil, counted)


def _batch_norm(node: Node, numbers: Numbers) -> Call:
    epsilon = float(node.attributes.get("epsilon", _EPSILON))
    return lambda x, weight, bias, mean, variance: F.batch_norm(x, mean, variance, weight, bias, eps=epsilon)


def _layer_norm(node: Node, numbers: Numbers) -> Call:
    epsilon = float(node.attributes.get("epsilon", _EPSILON))
    return lambda x, weight, bias: F.layer_norm(x, weight.shape, weight, bias, epsilon)


def _gemm(node: Node, numbers: Numbers) -> Call:
    if not node.attributes.get("transB"):
        raise RefusedError(f"operator Gemm ({node.name}): only dense layers are covered")
    return lambda x, weight, bias=None: F.linear(x, weight, bias)


def _attention(node: Node, numbers: Numbers) -> Call:
    heads = int(node.attributes["q_num_heads"])

    def call(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        q, k, v = (x.reshape(*x.shape[:2], heads, -1).transpose(1, 2) for x in (q, k, v))
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)

    return call


def _clip(node: Node, numbers: Numbers) -> Call:
    low, high = (float(_given(node, numbers, index)[0]) for index in (1, 2))
    return lambda x: torch.clamp(x, low, high)


def _reshape(node: Node, numbers: Numbers) -> Call:
    wanted = [int(size) for size in _given(node, numbers, 1)]
    return lambda x: x.reshape([size or x.shape[axis] for axis, size in enumerate(wanted)])


def _expand(node: Node, numbers: Numbers) -> Call:
    wanted = [int(size) for size in _given(node, numbers, 1)]

    def call(x: Tensor) -> Tensor:
        new = len(wanted) - x.dim()
        return x.expand([-1 if size == 1 and axis >= new else size for axis, size in enumerate(wanted)])

    return call


def _split(node: Node, numbers: Numbers) -> Call:
    sizes, axis = [int(size) for size in _given(node, numbers, 1)], int(node.attributes.get("axis", 0))
    return lambda x: torch.split(x, sizes, axis)


def _slice(node: Node, numbers: Numbers) -> Call:
    (start,), (end,), (axis,) = ([int(n) for n in _given(node, numbers, index)] for index in (1, 2, 3))
    return lambda x: x[(slice(None),) * axis + (slice(start, end),)]


def _pad(node: Node, numbers: Numbers) -> Call:
    pads = [int(pad) for pad in _given(node, numbers, 1)]
    half = len(pads) // 2
    ends = [pads[axis + half * side] for axis in reversed(range(half)) for side in (0, 1)]
    return lambda x: F.pad(x, ends)


def _mean(node: Node, numbers: Numbers) -> Call:
    axes, keep = [int(axis) for axis in _given(node, numbers, 1)], bool(node.attributes.get("keepdims", 1))
    return lambda x: x.mean(axes, keep)


def _resize(node: Node, numbers: Numbers) -> Call:
    mode = {"nearest": "nearest", "linear": "bilinear"}.get(node.attributes.get("mode", "nearest"))
    if mode is None:
        raise RefusedError(f"operator Resize ({node.name}): mode {node.attributes['mode']} is not covered")
    if len(node.inputs) > 3:
        sizes = [int(size) for size in _given(node, numbers, 3)][2:]
        return lambda x: F.interpolate(x, size=sizes, mode=mode)
    scales = [float(scale) for scale in _given(node, numbers, 2)][2:]
    return lambda x: F.interpolate(x, scale_factor=scales, mode=mode)


def _plain(call: Call) -> Callable[[Node, Numbers], Call]:
    return lambda node, numbers: call


def _along(call: Callable[[Sequence[Any], int], Tensor], default: int) -> Callable[[Node, Numbers], Call]:
    """An operator of its inputs and an axis."""

    def maker(node: Node, numbers: Numbers) -> Call:
        axis = int(node.attributes.get("axis", default))
        return lambda *inputs: call(inputs, axis)

    return maker


_ARITHMETIC = ("Add", "Mul")  # whose constants are operands, small or not
_OPERATORS: dict[str, Callable[[Node, Numbers], Call]] = {
    "Add": _plain(torch.add),
    "Attention": _attention,
    "AveragePool": _avg_pool,
    "BatchNormalization": _batch_norm,
    "Clip": _clip,
    "Concat": _along(lambda parts, axis: torch.cat(list(parts), axis), 0),
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Expand": _expand,
    "Flatten": _along(lambda x, axis: torch.flatten(x[0], axis), 1),
    "Gather": _along(lambda x, axis: torch.index_select(x[0], axis, x[1]), 0),
    "Gelu": _plain(F.gelu),
    "Gemm": _gemm,
    "GlobalAveragePool": _plain(lambda x: F.adaptive_avg_pool2d(x, 1)),
    "HardSigmoid": _plain(F.hardsigmoid),
    "HardSwish": _plain(F.hardswish),
    "LRN": lambda node, numbers: lambda x: F.local_response_norm(x, int(node.attributes["size"])),
    "LayerNormalization": _layer_norm,
    "LeakyRelu": lambda node, numbers: lambda x: F.leaky_relu(x, float(node.attributes.get("alpha", 0.01))),
    "MatMul": _plain(torch.matmul),
    "MaxPool": _max_pool,
    "Mul": _plain(torch.mul),
    "PRelu": _plain(lambda x, slope: F.prelu(x, slope.flatten())),
    "Pad": _pad,
    "ReduceMean": _mean,
    "Relu": _plain(F.relu),
    "Reshape": _reshape,
    "Resize": _resize,
    "Sigmoid": _plain(torch.sigmoid),
    "Slice": _slice,
    "Softmax": _along(lambda x, axis: torch.softmax(x[0], axis), -1),
    "Split": _split,
    "Swish": _plain(F.silu),
    "Transpose": lambda node, numbers: lambda x: x.permute(tuple(node.attributes["perm"])),
}
