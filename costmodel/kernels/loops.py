"""The loop nest of a contraction, read off the shapes of its operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from costmodel.columns import Column
from costmodel.dims import Dim, Shape, floor_div, product
from costmodel.graph import Node, TensorSpec
from costmodel.kernels.kernel import Kind, Loops

Tensors = Mapping[str, TensorSpec]


def loops_of(node: Node, tensors: Tensors) -> tuple[Kind, Loops] | None:
    """The kind and the loops of a contraction; None where the operator is none, or its shapes are not known."""
    read = _READERS.get(node.op_type)
    return None if read is None else read(node, tensors)


def _conv(node: Node, tensors: Tensors) -> tuple[Kind, Loops] | None:
    data, weight, out = (_shape(tensors, name) for name in (*node.inputs[:2], node.outputs[0]))
    if data is None or weight is None or out is None or len(weight) < 3:
        return None
    spread = node.attributes.get("dilations") or ()
    groups = node.attributes.get("group", 1)
    taps = tuple(tap for tap in weight[2:] if isinstance(tap, int))
    if len(taps) != len(weight) - 2:
        return None
    strides = tuple(node.attributes.get("strides") or (1,) * len(taps))
    if node.op_type == "ConvTranspose":
        # Every input position is multiplied with the whole window: the loops run over the input.
        cin, cout, size, source = floor_div(data[1], groups), weight[1], data[2:], data[2:]
        strides = (1,) * len(taps)
    else:
        cin, cout, size, source = weight[1], floor_div(out[1], groups), out[2:], data[2:]
    loops = Loops(data[0], groups, cin, cout, taps, strides, size, source, any(step != 1 for step in spread))
    if _is_one(groups):
        kind = Kind.POINTWISE if loops.window == 1 else Kind.SPATIAL
    else:
        kind = Kind.DEPTHWISE if _is_one(cin) and _is_one(cout) else Kind.GROUPED
    return kind, loops


def _product(node: Node, tensors: Tensors) -> tuple[Kind, Loops] | None:
    """Gemm, MatMul: (..., rows, cin) x (..., cin, cout)."""
    left, right = (tensors.get(name) for name in node.inputs[:2])
    out = _shape(tensors, node.outputs[0])
    if left is None or right is None or left.shape is None or not left.shape or out is None or not out:
        return None
    inner = left.shape[0] if node.attributes.get("transA") else left.shape[-1]
    if right.is_stored:
        rows, cout = product(out[:-1]), out[-1]
        return Kind.DENSE, Loops(1, 1, inner, cout, (1,), (1,), (rows,), (rows,))
    rows = out[-2] if len(out) > 1 else 1
    return Kind.MATMUL, Loops(product(out[:-2]), 1, inner, out[-1], (1,), (1,), (rows,), (rows,))


_READERS: dict[str, Callable[[Node, Tensors], tuple[Kind, Loops] | None]] = {
    "Conv": _conv,
    "FusedConv": _conv,
    "ConvTranspose": _conv,
    "Gemm": _product,
    "FusedGemm": _product,
    "MatMul": _product,
    "FusedMatMul": _product,
}


def _shape(tensors: Tensors, name: str) -> Shape | None:
    spec = tensors.get(name)
    return None if spec is None else spec.shape


def _is_one(dim: Dim) -> bool:
    """Whether a dim is 1, in every network of a population."""
    if isinstance(dim, Column):
        return bool(np.all(dim.values == 1))
    return bool(dim == 1)
