"""MobileNet V3 (Howard et al., ICCV 2019, arXiv 1905.02244).

Layers are named as in torchvision.
"""

from __future__ import annotations

from dataclasses import dataclass

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import channels_of, conv_bn, depthwise_bn, nearest_multiple, residual, squeeze_excite
from costmodel.zoo.registry import network


@dataclass(frozen=True, slots=True)
class Bneck:
    """A row of Tables 1 and 2: kernel, channels within and out, squeeze-excite, activation, stride."""

    kernel: int
    expanded: int
    channels: int
    se: bool
    act: str
    stride: int


_RE, _HS = "relu", "hard_swish"

# Table 1.
_LARGE = (
    Bneck(3, 16, 16, False, _RE, 1),
    Bneck(3, 64, 24, False, _RE, 2),
    Bneck(3, 72, 24, False, _RE, 1),
    Bneck(5, 72, 40, True, _RE, 2),
    Bneck(5, 120, 40, True, _RE, 1),
    Bneck(5, 120, 40, True, _RE, 1),
    Bneck(3, 240, 80, False, _HS, 2),
    Bneck(3, 200, 80, False, _HS, 1),
    Bneck(3, 184, 80, False, _HS, 1),
    Bneck(3, 184, 80, False, _HS, 1),
    Bneck(3, 480, 112, True, _HS, 1),
    Bneck(3, 672, 112, True, _HS, 1),
    Bneck(5, 672, 160, True, _HS, 2),
    Bneck(5, 960, 160, True, _HS, 1),
    Bneck(5, 960, 160, True, _HS, 1),
)

# The last three rows of Table 1 in the paper's first version (arXiv 1905.02244v1).
_FIRST_VERSION = (
    Bneck(5, 672, 160, True, _HS, 1),
    Bneck(5, 672, 160, True, _HS, 2),
    Bneck(5, 960, 160, True, _HS, 1),
)

# Table 2.
_SMALL = (
    Bneck(3, 16, 16, True, _RE, 2),
    Bneck(3, 72, 24, False, _RE, 2),
    Bneck(3, 88, 24, False, _RE, 1),
    Bneck(5, 96, 40, True, _HS, 2),
    Bneck(5, 240, 40, True, _HS, 1),
    Bneck(5, 240, 40, True, _HS, 1),
    Bneck(5, 120, 48, True, _HS, 1),
    Bneck(5, 144, 48, True, _HS, 1),
    Bneck(5, 288, 96, True, _HS, 2),
    Bneck(5, 576, 96, True, _HS, 1),
    Bneck(5, 576, 96, True, _HS, 1),
)


def bneck(g: GraphBuilder, x: TensorSpec, row: Bneck, width: float, first_version: bool) -> TensorSpec:
    """Figure 4: an inverted residual with squeeze-excite after its depthwise convolution.

    There is no expansion to as many channels as there are. first_version: see mobilenet_v3_large.
    """
    expanded, channels = nearest_multiple(row.expanded * width), nearest_multiple(row.channels * width)
    act_last = first_version and row.se
    y = x
    layer = 0
    with g.scope("block"):
        if channels_of(x) != expanded:
            with g.scope("0"):
                y = conv_bn(g, y, expanded, act=row.act)
            layer = 1
        with g.scope(str(layer)):
            y = depthwise_bn(g, y, row.kernel, stride=row.stride, act=row.act, names="0 1" if act_last else "0 1 2")
        if row.se:
            layer += 1
            squeezed = expanded // 4 if first_version else nearest_multiple(expanded // 4)
            y = squeeze_excite(g, y, squeezed, gate="hard_sigmoid", name=str(layer))
        if act_last:
            y = getattr(g, row.act)(y, f"{layer - 1}.2")
        with g.scope(str(layer + 1)):
            y = conv_bn(g, y, channels, names="0 1")
    return residual(g, x, y, row.stride)


def _mobilenet_v3(
    g: GraphBuilder,
    x: TensorSpec,
    classes: Dim,
    width: float,
    rows: tuple[Bneck, ...],
    features: int,
    first_version: bool = False,
) -> TensorSpec:
    """Stem, rows, a 1x1 convolution to 6 times their output, pooling, and two dense layers."""
    with g.scope("features"):
        with g.scope("0"):
            x = conv_bn(g, x, nearest_multiple(16 * width), 3, stride=2, act=_HS)
        for index, row in enumerate(rows, start=1):
            with g.scope(str(index)):
                x = bneck(g, x, row, width, first_version)
        with g.scope(str(len(rows) + 1)):
            x = conv_bn(g, x, 6 * nearest_multiple(rows[-1].channels * width), act=_HS)
    x = g.global_avg_pool(x, "avgpool")
    if first_version:
        x = g.hard_swish(x, "avgpool.1")
    x = g.flatten(x)
    with g.scope("classifier"):
        x = g.hard_swish(g.linear(x, nearest_multiple(features * width), name="0"), "1")
        return g.linear(x, classes, name="3")


@network("mobilenet_v3_large")
def mobilenet_v3_large(
    g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000, width: float = 1.0, first_version: bool = False
) -> TensorSpec:
    """MobileNet V3-Large (Table 1), any width, channels rounded to multiples of 8 as in torchvision.

    first_version: as the paper's first version (arXiv v1) has it and as d-li14/mobilenetv3.pytorch built it,
    which is what ncnn measures: the last stride is one row later and its row narrower, a squeeze-excite
    comes before the activation and is exactly a quarter as wide, and the pooled features get one more hard
    swish.
    """
    rows = _LARGE[:-3] + _FIRST_VERSION if first_version else _LARGE
    return _mobilenet_v3(g, x, classes, width, rows, 1280, first_version)


@network("mobilenet_v3_small")
def mobilenet_v3_small(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000, width: float = 1.0) -> TensorSpec:
    """MobileNet V3-Small (Table 2), any width, channels rounded to multiples of 8 as in torchvision."""
    return _mobilenet_v3(g, x, classes, width, _SMALL, 1024)
