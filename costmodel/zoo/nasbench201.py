"""NAS-Bench-201 (Dong and Yang, ICLR 2020, arXiv 2001.00326).

Layers are named as in its inference network.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim
from costmodel.errors import UsageError
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import channels_of, classifier, relu_conv_bn
from costmodel.zoo.registry import network

# Operations into nodes 1, 2 and 3 of a cell, each from nodes 0, 1, ... in order.
Cell = tuple[tuple[str, ...], ...]

_NODES = 3
_RESNET_LIKE = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|"


def _conv(g: GraphBuilder, x: TensorSpec, channels: Dim, kernel: int, stride: int = 1) -> TensorSpec:
    with g.scope("op"):
        return relu_conv_bn(g, x, channels, kernel, stride=stride, names="0 1 2")


def zeros(g: GraphBuilder, x: TensorSpec) -> TensorSpec:
    """x times 0, which is how the authors' code makes the zeros of `none`."""
    return g.mul(x, g.values((0.0,), x.dtype, "zero.factor"), "zero")


_OPERATIONS: dict[str, Callable[[GraphBuilder, TensorSpec], TensorSpec]] = {
    "none": zeros,
    "skip_connect": lambda g, x: x,
    "nor_conv_1x1": lambda g, x: _conv(g, x, channels_of(x), 1),
    "nor_conv_3x3": lambda g, x: _conv(g, x, channels_of(x), 3),
    "avg_pool_3x3": lambda g, x: g.avg_pool(x, 3, padding=1, name="op"),
}


def parse(arch: str) -> Cell:
    """The operations that `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|` names. Raises UsageError for another text."""
    nodes = [tuple(edge.partition("~")[::2] for edge in node.strip("|").split("|")) for node in arch.split("+")]
    sources = [tuple(source for _, source in node) for node in nodes]
    known = all(op in _OPERATIONS for node in nodes for op, _ in node)
    if not known or sources != [tuple(map(str, range(node))) for node in range(1, _NODES + 1)]:
        raise UsageError(
            f"arch is {arch[:120]!r}; write |op~0|+|op~0|op~1|+|op~0|op~1|op~2| with ops {', '.join(_OPERATIONS)}"
        )
    return tuple(tuple(op for op, _ in node) for node in nodes)


def cell(g: GraphBuilder, x: TensorSpec, ops: Cell) -> TensorSpec:
    """Figure 1, bottom: each node is the sum of the operations that enter it."""
    nodes = [x]
    layer = 0
    with g.scope("layers"):
        for node in ops:
            results = []
            for source, op in enumerate(node):
                with g.scope(str(layer)):
                    results.append(_OPERATIONS[op](g, nodes[source]))
                layer += 1
            nodes.append(reduce(g.add, results))
    return nodes[-1]


def reduction(g: GraphBuilder, x: TensorSpec) -> TensorSpec:
    """The residual block of stride 2 between stages, which doubles the channels."""
    channels = 2 * channels_of(x)
    with g.scope("conv_a"):
        y = _conv(g, x, channels, 3, stride=2)
    with g.scope("conv_b"):
        y = _conv(g, y, channels, 3)
    with g.scope("downsample"):
        # Rounded up, so that odd sizes fit: at the benchmark's 32x32 there is nothing to round.
        x = g.conv(g.avg_pool(x, 2, stride=2, ceil_mode=True, name="0"), channels, name="1")
    return g.add(x, y)


@network("nasbench201", resolution=32)
def nasbench201(
    g: GraphBuilder,
    x: TensorSpec,
    *,
    classes: Dim = 10,
    arch: str = _RESNET_LIKE,
    channels: Dim = 16,
    cells: int = 5,
) -> TensorSpec:
    """A network of NAS-Bench-201: three stages of equal cells, by default of its ResNet-like cell.

    Every operation is there, as in the authors' code and counts, even where its result is zero or not used: what
    need not be run is the runtime's business.
    arch: the cell as `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`: the operations into its nodes 1, 2 and 3, each
    with the node it reads; the operations are none, skip_connect, nor_conv_1x1, nor_conv_3x3, avg_pool_3x3.
    channels, cells: of the first stage, in each stage.
    """
    ops = parse(arch)
    with g.scope("stem"):
        x = g.batch_norm(g.conv(x, channels, 3, name="0"), "1")
    with g.scope("cells"):
        for index in range(3 * cells + 2):
            with g.scope(str(index)):
                x = reduction(g, x) if index % (cells + 1) == cells else cell(g, x, ops)
    with g.scope("lastact"):
        x = g.relu(g.batch_norm(x, "0"), "1")
    return classifier(g, x, classes, name="classifier")
