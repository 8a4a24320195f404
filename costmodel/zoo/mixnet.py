"""MixNet (Tan and Le, BMVC 2019, arXiv 1907.09595).

Layers are named as in timm's mixnet_s.
"""

from __future__ import annotations

from dataclasses import dataclass

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import (
    channels_of,
    classifier,
    conv_bn,
    depthwise_bn,
    nearest_multiple,
    residual,
    squeeze_excite,
    whole_channels,
)
from costmodel.zoo.registry import network


@dataclass(frozen=True, slots=True)
class Block:
    """A row of Figure 5.

    kernels: of the depthwise convolution, 3x3, 5x5, ... on equal shares of the channels. expand_splits,
    project_splits: shares of the channels that the 1x1 convolutions work on apart. se: divisor of the input
    channels that gives the squeeze-excite's width, or 0 for none.
    """

    channels: int
    expansion: int
    kernels: int
    expand_splits: int = 1
    project_splits: int = 1
    stride: int = 1
    se: int = 0
    act: str = "swish"
    repeats: int = 1


_S = (
    Block(24, 6, 1, 2, 2, 2, act="relu"),
    Block(24, 3, 1, 2, 2, act="relu"),
    Block(40, 6, 3, stride=2, se=2),
    Block(40, 6, 2, 2, 2, se=2, repeats=3),
    Block(80, 6, 3, 1, 2, 2, se=4),
    Block(80, 6, 2, 1, 2, se=4, repeats=2),
    Block(120, 6, 3, 2, 2, se=2),
    Block(120, 3, 4, 2, 2, se=2, repeats=2),
    Block(200, 6, 5, stride=2, se=2),
    Block(200, 6, 4, 1, 2, se=2, repeats=2),
)
_M = (
    Block(32, 6, 3, 2, 2, 2, act="relu"),
    Block(32, 3, 1, 2, 2, act="relu"),
    Block(40, 6, 4, stride=2, se=2),
    Block(40, 6, 2, 2, 2, se=2, repeats=3),
    Block(80, 6, 3, stride=2, se=4),
    Block(80, 6, 4, 2, 2, se=4, repeats=3),
    Block(120, 6, 1, se=2),
    Block(120, 3, 4, 2, 2, se=2, repeats=3),
    Block(200, 6, 4, stride=2, se=2),
    Block(200, 6, 4, 1, 2, se=2, repeats=3),
)


def _shares(total: int, count: int) -> tuple[int, ...]:
    """Equal shares; the first has the rest."""
    each = total // count
    return (total - (count - 1) * each, *[each] * (count - 1))


def _mixed(
    g: GraphBuilder, x: TensorSpec, channels: int, kernels: tuple[int, ...], *, stride: int = 1, name: str
) -> TensorSpec:
    """MixConv (Figure 2): shares of the channels, each with a kernel of its own, depthwise where it is not 1."""
    if len(kernels) == 1:
        (kernel,) = kernels
        return g.conv(x, channels, kernel, stride=stride, groups=1 if kernel == 1 else channels, name=name)
    inputs = whole_channels(x)
    with g.scope(name):
        parts = g.split(x, _shares(inputs, len(kernels)))
        outputs = []
        for index, (part, width, kernel) in enumerate(
            zip(parts, _shares(channels, len(kernels)), kernels, strict=True)
        ):
            groups = 1 if kernel == 1 else width
            outputs.append(g.conv(part, width, kernel, stride=stride, groups=groups, name=str(index)))
        return g.concat(outputs)


def unit(g: GraphBuilder, x: TensorSpec, row: Block, channels: int, stride: int) -> TensorSpec:
    """An inverted residual with mixed convolutions and squeeze-excite."""
    inputs = whole_channels(x)
    inner = inputs * row.expansion
    y = _mixed(g, x, inner, (1,) * row.expand_splits, name="conv_pw")
    y = getattr(g, row.act)(g.batch_norm(y, "bn1"), "act1")
    y = _mixed(g, y, inner, tuple(range(3, 3 + 2 * row.kernels, 2)), stride=stride, name="conv_dw")
    y = getattr(g, row.act)(g.batch_norm(y, "bn2"), "act2")
    if row.se:
        y = squeeze_excite(g, y, inputs // row.se, act=row.act)
    y = g.batch_norm(_mixed(g, y, channels, (1,) * row.project_splits, name="conv_pwl"), "bn3")
    return residual(g, x, y, stride)


def mixnet(
    g: GraphBuilder, x: TensorSpec, classes: Dim, stem: int, rows: tuple[Block, ...], factor: float
) -> TensorSpec:
    """Figure 5: a stem and a depthwise separable block, the rows, a 1x1 convolution. factor: of all widths."""
    x = conv_bn(g, x, nearest_multiple(stem * factor), 3, stride=2, names="conv_stem bn1 act1")
    with g.scope("blocks.0.0"):
        y = depthwise_bn(g, x, names="conv_dw bn1 act1")
        x = g.add(conv_bn(g, y, channels_of(x), names="conv_pw bn2"), x)
    index = 1
    for row in rows:
        for repeat in range(row.repeats):
            with g.scope(f"blocks.{index}"):
                x = unit(g, x, row, nearest_multiple(row.channels * factor), 1 if repeat else row.stride)
            index += 1
    x = conv_bn(g, x, 1536, names="conv_head bn2 act2")
    return classifier(g, x, classes, name="classifier")


@network("mixnet_s")
def mixnet_s(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000) -> TensorSpec:
    """MixNet-S: depthwise convolutions with kernels from 3x3 to 11x11 side by side."""
    return mixnet(g, x, classes, 16, _S, 1.0)


@network("mixnet_m")
def mixnet_m(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000) -> TensorSpec:
    """MixNet-M: depthwise convolutions with kernels from 3x3 to 9x9 side by side."""
    return mixnet(g, x, classes, 24, _M, 1.0)


@network("mixnet_l")
def mixnet_l(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000) -> TensorSpec:
    """MixNet-L: MixNet-M 1.3 times as wide."""
    return mixnet(g, x, classes, 24, _M, 1.3)
