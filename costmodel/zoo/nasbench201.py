"""NAS-Bench-201 (Dong and Yang, ICLR 2020, arXiv 2001.00326). Layers are named as in its inference network."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim
from costmodel.errors import UsageError
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import channels_of, classifier
from costmodel.zoo.registry import network

# Operations into nodes 1, 2 and 3 of a cell, each from nodes 0, 1, ... in order.
Cell = tuple[tuple[str, ...], ...]

_ZERO = "none"
_NODES = 3
_RESNET_LIKE = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|"


def relu_conv_bn(g: GraphBuilder, x: TensorSpec, channels: Dim, kernel: int, *, stride: int = 1) -> TensorSpec:
    """ReLU, convolution and batch normalisation, in this order."""
    with g.scope("op"):
        return g.batch_norm(g.conv(g.relu(x, "0"), channels, kernel, stride=stride, name="1"), "2")


_OPERATIONS: dict[str, Callable[[GraphBuilder, TensorSpec], TensorSpec]] = {
    _ZERO: lambda g, x: zeros(g, x),
    "skip_connect": lambda g, x: x,
    "nor_conv_1x1": lambda g, x: relu_conv_bn(g, x, channels_of(x), 1),
    "nor_conv_3x3": lambda g, x: relu_conv_bn(g, x, channels_of(x), 3),
    "avg_pool_3x3": lambda g, x: g.avg_pool(x, 3, padding=1, name="op"),
}


def zeros(g: GraphBuilder, x: TensorSpec) -> TensorSpec:
    """x times 0, which is how the authors' code makes the zeros of `none`."""
    return g.mul(x, g.values((0.0,), x.dtype, "zero.factor"), "zero")


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


def runs(ops: Cell) -> list[list[bool]]:
    """Whether a runtime runs each operation of a cell.

    It leaves out what does not reach the output, and what is known to be zero: `none`, and a skip or a
    pooling of a node into which nothing else goes. A convolution of such a node is run on zeros.
    """
    filled = [True]
    for node in ops:
        filled.append(any(_fills(op, filled[source]) for source, op in enumerate(node)))
    reached = [False] * _NODES + [True]
    kept: list[list[bool]] = []
    for index in range(_NODES, 0, -1):
        node = ops[index - 1]
        keep = [reached[index] and _fills(op, filled[source]) for source, op in enumerate(node)]
        for source, kept_here in enumerate(keep):
            reached[source] |= kept_here
        kept.insert(0, keep)
    return kept


def _fills(op: str, filled: bool) -> bool:
    return op != _ZERO and (filled or op.startswith("nor_conv"))


def cell(g: GraphBuilder, x: TensorSpec, ops: Cell, kept: Sequence[Sequence[bool]]) -> TensorSpec:
    """Figure 1, bottom: each node is the sum of the operations that enter it."""
    nodes: list[TensorSpec | None] = [x]
    layer = 0
    with g.scope("layers"):
        for node, keep in zip(ops, kept, strict=True):
            total: TensorSpec | None = None
            for op, source, kept_here in zip(node, tuple(nodes), keep, strict=True):
                with g.scope(str(layer)):
                    if kept_here:
                        y = _OPERATIONS[op](g, zeros(g, x) if source is None else source)
                        total = y if total is None else g.add(total, y)
                layer += 1
            nodes.append(total)
    last = nodes[-1]
    return zeros(g, x) if last is None else last


def reduction(g: GraphBuilder, x: TensorSpec) -> TensorSpec:
    """The residual block of stride 2 between stages, which doubles the channels."""
    channels = 2 * channels_of(x)
    with g.scope("conv_a"):
        y = relu_conv_bn(g, x, channels, 3, stride=2)
    with g.scope("conv_b"):
        y = relu_conv_bn(g, y, channels, 3)
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
    eager: bool = False,
) -> TensorSpec:
    """A network of NAS-Bench-201: three stages of equal cells, by default of its ResNet-like cell.

    arch: the cell as `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`: the operations into its nodes 1, 2 and 3, each
    with the node it reads; the operations are none, skip_connect, nor_conv_1x1, nor_conv_3x3, avg_pool_3x3.
    channels, cells: of the first stage, in each stage. eager: every operation runs, as in the authors' code
    and counts, even where its result is zero or not used; otherwise as `runs` says.
    """
    ops = parse(arch)
    kept = [[True] * len(node) for node in ops] if eager else runs(ops)
    with g.scope("stem"):
        x = g.batch_norm(g.conv(x, channels, 3, name="0"), "1")
    with g.scope("cells"):
        for index in range(3 * cells + 2):
            with g.scope(str(index)):
                x = reduction(g, x) if index % (cells + 1) == cells else cell(g, x, ops, kept)
    with g.scope("lastact"):
        x = g.relu(g.batch_norm(x, "0"), "1")
    return classifier(g, x, classes, name="classifier")
