"""NASNet-A (Zoph et al., CVPR 2018, arXiv 1707.07012) and PNASNet-5 (Liu et al., ECCV 2018, arXiv 1712.00559).

Layers are named as in timm's nasnetalarge and pnasnet5large.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import channels_of, classifier, relu_conv_bn
from costmodel.zoo.registry import network


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell that a search found.

    pairs: each adds up two operations, (operation, node it reads) twice. Node 0 is the previous cell's
    output, node 1 the one before that, both fitted to the cell's channels; the pairs make nodes 2, 3, ...
    outputs: the nodes whose concatenation is the cell's output.
    """

    pairs: tuple[tuple[str, int, str, int], ...]
    outputs: tuple[int, ...]


# NASNet paper, Figure 4.
_NORMAL = Cell(
    (
        ("sep5", 0, "sep3", 1),
        ("sep5", 1, "sep3", 1),
        ("avg3", 0, "none", 1),
        ("avg3", 1, "avg3", 1),
        ("sep3", 0, "none", 0),
    ),
    (1, 2, 3, 4, 5, 6),
)
_REDUCTION = Cell(
    (
        ("sep5", 0, "sep7", 1),
        ("max3", 0, "sep7", 1),
        ("avg3", 0, "sep5", 1),
        ("none", 3, "avg3", 2),
        ("sep3", 2, "max3", 0),
    ),
    (3, 4, 5, 6),
)
# PNASNet paper, Figure 1, left: the cell for both strides.
_PNAS = Cell(
    (
        ("sep5", 1, "max3", 1),
        ("sep7", 0, "max3", 0),
        ("sep5", 0, "sep3", 0),
        ("sep3", 4, "max3", 0),
        ("sep3", 1, "none", 0),
    ),
    (2, 3, 4, 5, 6),
)


def separable_twice(g: GraphBuilder, x: TensorSpec, channels: int, kernel: int, stride: int) -> TensorSpec:
    """ReLU, depthwise and 1x1 convolution and batch normalisation, twice; the stride is in the first."""
    for index in (1, 2):
        x = g.relu(x, f"act_{index}")
        with g.scope(f"separable_{index}"):
            x = g.depthwise(x, kernel, stride=stride if index == 1 else 1, name="depthwise_conv2d")
            x = g.conv(x, channels, name="pointwise_conv2d")
        x = g.batch_norm(x, f"bn_sep_{index}")
    return x


def operation(g: GraphBuilder, x: TensorSpec, kind: str, channels: int, stride: int) -> TensorSpec:
    """An operation of a cell: `sep`, `avg` or `max` and the size of its window, or `none`.

    A 1x1 convolution follows a pooling that does not have the channels, and stands for a `none` that has
    not the channels or the size.
    """
    if kind == "none":
        return x if stride == 1 and channels_of(x) == channels else relu_conv_bn(g, x, channels, stride=stride)
    kernel = int(kind[3:])
    if kind.startswith("sep"):
        return separable_twice(g, x, channels, kernel, stride)
    pool = g.avg_pool if kind.startswith("avg") else g.max_pool
    x = pool(x, kernel, stride=stride, padding=kernel // 2, name="pool")
    return x if channels_of(x) == channels else g.batch_norm(g.conv(x, channels, name="conv"), "bn")


def factorized_reduction(g: GraphBuilder, x: TensorSpec, channels: int) -> TensorSpec:
    """Half the size: two 1x1 convolutions on every second pixel, the second of them one pixel further on."""
    x = g.relu(x, "act")
    first = g.avg_pool(x, 1, stride=2, name="path_1.avgpool")
    second = g.pad(x, (0, 0, -1, -1, 0, 0, 1, 1), "path_2.pad")
    second = g.avg_pool(second, 1, stride=2, name="path_2.avgpool")
    first = g.conv(first, channels // 2, name="path_1.conv")
    second = g.conv(second, channels - channels // 2, name="path_2.conv")
    return g.batch_norm(g.concat((first, second)), "final_path_bn")


@dataclass(frozen=True, slots=True)
class Output:
    """A cell's output, and how often the image was halved until there."""

    tensor: TensorSpec
    halvings: int


def build_cell(g: GraphBuilder, x: Output, before: Output | None, cell: Cell, channels: int, stride: int) -> Output:
    """One cell. before: what the cell before the previous one made; None: the cell reads x twice."""
    with g.scope("conv_1x1"):
        nodes = [relu_conv_bn(g, x.tensor, channels)]
    nodes.append(x.tensor if before is None else _fitted(g, before, channels, x.halvings))
    for index, pair in enumerate(cell.pairs):
        sides = []
        for side, kind, source in (("left", *pair[:2]), ("right", *pair[2:])):
            with g.scope(f"comb_iter_{index}_{side}"):
                # Nodes 0 and 1 have the size of the input, the others that of the output.
                sides.append(operation(g, nodes[source], kind, channels, stride if source < 2 else 1))
        nodes.append(g.add(sides[0], sides[1], f"comb_iter_{index}"))
    made = g.concat([nodes[index] for index in cell.outputs])
    return Output(made, x.halvings + (stride == 2))


def _fitted(g: GraphBuilder, before: Output, channels: int, halvings: int) -> TensorSpec:
    with g.scope("conv_prev_1x1"):
        if before.halvings != halvings:
            return factorized_reduction(g, before.tensor, channels)
        if channels_of(before.tensor) != channels:
            return relu_conv_bn(g, before.tensor, channels)
    return before.tensor


# A cell of a network: its name, what it is, channels, stride.
Step = tuple[str, Cell, int, int]


def _network(
    g: GraphBuilder, x: TensorSpec, classes: Dim, stem: int, steps: Sequence[Step], skip_reduction: bool = False
) -> TensorSpec:
    """A 3x3 convolution, cells, classifier.

    skip_reduction: a cell after one of stride 2 reads what that cell read second instead of first (NASNet-A
    Large); not in the stem.
    """
    x = g.batch_norm(g.conv(x, stem, 3, stride=2, padding=0, name="conv0.conv"), "conv0.bn")
    last, before = Output(x, 1), None
    for name, cell, channels, stride in steps:
        with g.scope(name):
            made = build_cell(g, last, before, cell, channels, stride)
        keep = skip_reduction and stride == 2 and "stem" not in name
        last, before = made, before if keep else last
    return classifier(g, g.relu(last.tensor, "act"), classes, name="last_linear")


def _nasnet_a(repeats: int, channels: int) -> list[Step]:
    """NASNet paper, Figure 2, right: two reduction cells, and between stages another each."""
    steps: list[Step] = [("cell_stem_0", _REDUCTION, channels // 4, 2), ("cell_stem_1", _REDUCTION, channels // 2, 2)]
    for stage in range(3):
        width = channels << stage
        if stage:
            steps.append((f"reduction_cell_{stage - 1}", _REDUCTION, width, 2))
        steps += [(f"cell_{stage * repeats + index}", _NORMAL, width, 1) for index in range(repeats)]
    return steps


def _pnasnet(repeats: int, channels: int) -> list[Step]:
    """As NASNet-A with one cell for all; a stage's first has the stride."""
    steps: list[Step] = [("cell_stem_0", _PNAS, channels // 4, 2), ("cell_stem_1", _PNAS, channels // 2, 2)]
    for index in range(3 * repeats):
        stage, position = divmod(index, repeats)
        steps.append((f"cell_{index}", _PNAS, channels << stage, 2 if stage and position == 0 else 1))
    return steps


@network("nasnet_a_mobile", smallest=3)
def nasnet_a_mobile(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000) -> TensorSpec:
    """NASNet-A (4 @ 1056)."""
    return _network(g, x, classes, 32, _nasnet_a(4, 44))


@network("nasnet_a_large", resolution=331, smallest=3)
def nasnet_a_large(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000) -> TensorSpec:
    """NASNet-A (6 @ 4032)."""
    return _network(g, x, classes, 96, _nasnet_a(6, 168), skip_reduction=True)


@network("pnasnet5_mobile", smallest=3)
def pnasnet5_mobile(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000) -> TensorSpec:
    """PNASNet-5 (N = 3, F = 54)."""
    return _network(g, x, classes, 32, _pnasnet(3, 54))


@network("pnasnet5_large", resolution=331, smallest=3)
def pnasnet5_large(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000) -> TensorSpec:
    """PNASNet-5 (N = 4, F = 216)."""
    return _network(g, x, classes, 96, _pnasnet(4, 216))
