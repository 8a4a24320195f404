"""The loop nest of a contraction, read off the shapes of its operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from costmodel.columns import Column
from costmodel.dims import Dim, Shape, floor_div, product
from costmodel.graph import Node, TensorSpec
from costmodel.kernels.kernel import Kind, Loops

Tensors = Mapping[str, TensorSpec]
Found = tuple[Kind, Loops]


@dataclass(frozen=True, slots=True)
class _Convolution:
    """Which of an operator's inputs is its weight, and how it goes about.

    transposed: every input position is multiplied with the whole window. last: channels are the last dim.
    scattered: the taps are not next to each other, whatever its dilations say.
    """

    weight: int = 1
    transposed: bool = False
    last: bool = False
    scattered: bool = False

    def read(self, node: Node, tensors: Tensors) -> Found | None:
        data, weight, out = (
            _shape(tensors, name) for name in (node.inputs[0], node.inputs[self.weight], node.outputs[0])
        )
        if data is None or weight is None or out is None or len(weight) < 3:
            return None
        attributes = node.attributes
        if self.last or attributes.get("channels_last"):
            data, out = (data[0], data[-1], *data[1:-1]), (out[0], out[-1], *out[1:-1])
        groups = attributes.get("group", 1)
        taps = tuple(tap for tap in weight[2:] if isinstance(tap, int))
        if len(taps) != len(weight) - 2:
            return None
        if self.transposed:
            cin, cout, size, strides = floor_div(data[1], groups), weight[1], data[2:], (1,) * len(taps)
        else:
            cin, cout, size = weight[1], floor_div(out[1], groups), out[2:]
            strides = tuple(attributes.get("strides") or (1,) * len(taps))
        dilated = self.scattered or any(step != 1 for step in attributes.get("dilations") or ())
        loops = Loops(data[0], groups, cin, cout, taps, strides, size, dilated)
        if _is_one(groups):
            return (Kind.POINTWISE if loops.window == 1 else Kind.SPATIAL), loops
        return (Kind.DEPTHWISE if _is_one(cin) and _is_one(cout) else Kind.GROUPED), loops


@dataclass(frozen=True, slots=True)
class _Product:
    """Which of an operator's inputs is its right operand: (..., rows, cin) x (..., cin, cout).

    packed: that one is a weight in a form of its own.
    """

    right: int = 1
    packed: bool = False

    def read(self, node: Node, tensors: Tensors) -> Found | None:
        left, right = (tensors.get(node.inputs[index]) for index in (0, self.right))
        out = _shape(tensors, node.outputs[0])
        if left is None or right is None or not left.shape or not right.shape or not out:
            return None
        flipped = -1 if not node.attributes.get("transA") else 0 if node.attributes.get("transBatchA") else -2
        inner = left.shape[flipped if len(left.shape) > 1 else -1]
        if self.packed or _is_weight(right):
            return Kind.DENSE, _matrices(1, product(out[:-1]), inner, out[-1])
        if _is_weight(left) and len(out) > 1:
            return Kind.DENSE, _matrices(1, product(out[:-2]) * out[-1], inner, out[-2])
        return Kind.MATMUL, _matrices(product(out[:-2]), out[-2] if len(out) > 1 else 1, inner, out[-1])


def _matrices(batch: Dim, rows: Dim, cin: Dim, cout: Dim) -> Loops:
    return Loops(batch, 1, cin, cout, (1,), (1,), (rows,))


# What is one loop nest: for each domain, how its operators of that form are read.
_FORMS: tuple[tuple[_Convolution | _Product, str, str], ...] = (
    (_Convolution(), "", "Conv ConvInteger"),
    (_Convolution(), "com.microsoft", "FusedConv"),
    (_Convolution(), "com.microsoft.nchwc", "Conv"),
    (_Convolution(scattered=True), "", "DeformConv"),
    (_Convolution(weight=3), "", "QLinearConv"),
    (_Convolution(weight=3), "com.microsoft", "QLinearConv"),
    (_Convolution(transposed=True), "", "ConvTranspose"),
    (_Convolution(transposed=True), "com.microsoft", "ConvTransposeWithDynamicPads"),
    (_Convolution(last=True), "com.microsoft", "NhwcConv NhwcFusedConv"),
    (_Convolution(last=True), "com.ms.internal.nhwc", "Conv"),
    (_Convolution(transposed=True, last=True), "com.ms.internal.nhwc", "ConvTranspose"),
    (_Product(), "", "Gemm MatMul MatMulInteger"),
    (
        _Product(),
        "com.microsoft",
        "DynamicQuantizeMatMul FusedGemm FusedMatMul FusedMatMulActivation GemmFastGelu GemmFloat8 MatMulInteger16 "
        "MatMulIntegerToFloat TransposeMatMul",
    ),
    (_Product(right=3), "", "QLinearMatMul"),
    (_Product(right=3), "com.microsoft", "QGemm"),
    (
        _Product(packed=True),
        "com.microsoft",
        "MatMulBlockQuantizedFp4Weight MatMulBlockQuantizedFp8Weight MatMulBnb4 MatMulFpQ4 MatMulNBits",
    ),
)
_READERS: dict[str, Callable[[Node, Tensors], Found | None]] = {
    f"{domain}:{op}" if domain else op: form.read for form, domain, ops in _FORMS for op in ops.split()
}


def loops_of(node: Node, tensors: Tensors) -> Found | None:
    """The kind and the loops of a contraction; None where the operator is none, or its shapes are not known.

    A population has one kind: a convolution is dense or depthwise only where it is in every network. One whose
    groups are 1 in some networks only is GROUPED or DEPTHWISE in all, and so counted for those as well.
    """
    read = _READERS.get(node.qualified_type)
    return None if read is None else read(node, tensors)


def _shape(tensors: Tensors, name: str) -> Shape | None:
    spec = tensors.get(name)
    return None if spec is None else spec.shape


def _is_weight(spec: TensorSpec) -> bool:
    """Whether an operand is one stored matrix for the whole batch."""
    return spec.is_stored and _is_one(product((spec.shape or ())[:-2]))


def _is_one(dim: Dim) -> bool:
    """Whether a dim is 1, in every network of a population."""
    if isinstance(dim, Column):
        return dim.low <= 1 <= dim.high and bool(np.all(dim.values == 1))
    return bool(dim == 1)
