"""ResNeSt (Zhang et al., 2020, arXiv 2004.08955).

Layers are named as in timm's resnest50d.
"""

from __future__ import annotations

from dataclasses import replace

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import conv_bn
from costmodel.zoo.registry import network
from costmodel.zoo.resnet import UNITS, VD, Style, add_shortcut, resnet


def split_attention(g: GraphBuilder, x: TensorSpec, channels: int, radix: int) -> TensorSpec:
    """Figure 2: a 3x3 convolution to `radix` splits, and their sum weighted by channel attention.

    The attention is a softmax over the splits, or with a single split a sigmoid.
    """
    x = conv_bn(g, x, channels * radix, 3, groups=radix, names="conv bn0 act0")
    splits = g.split(x, (channels,) * radix) if radix > 1 else (x,)
    total = splits[0]
    for part in splits[1:]:
        total = g.add(total, part, "sum")
    a = g.conv(g.global_avg_pool(total), max(channels * radix // 4, 32), bias=True, name="fc1")
    a = g.relu(g.batch_norm(a, "bn1"), "act1")
    a = g.conv(a, channels * radix, bias=True, name="fc2")
    if radix == 1:
        return g.mul(x, g.sigmoid(a, "rsoftmax"))
    batch = (x.shape or ())[0]
    with g.scope("rsoftmax"):
        a = g.transpose(g.reshape(a, (batch, 1, radix, channels), "group"), (0, 2, 1, 3))
        a = g.reshape(g.softmax(a, axis=1), (batch, channels * radix, 1, 1), "join")
    weighted = [g.mul(part, weight) for part, weight in zip(splits, g.split(a, (channels,) * radix), strict=True)]
    total = weighted[0]
    for part in weighted[1:]:
        total = g.add(total, part)
    return total


def _register(name: str, depth: int, summary: str, *, radix: int, style: Style = VD, pool_first: bool = False) -> None:
    def block(g: GraphBuilder, x: TensorSpec, channels: int, stride: int, style: Style, _project: bool) -> TensorSpec:
        """A bottleneck whose stride is an average pooling, before or after the split attention."""
        y = conv_bn(g, x, channels, names="conv1 bn1 act1")
        if stride > 1 and pool_first:
            y = g.avg_pool(y, 3, stride=stride, padding=1, name="avd_first")
        with g.scope("conv2"):
            y = split_attention(g, y, channels, radix)
        if stride > 1 and not pool_first:
            y = g.avg_pool(y, 3, stride=stride, padding=1, name="avd_last")
        y = conv_bn(g, y, 4 * channels, names="conv3 bn3")
        return add_shortcut(g, x, y, stride, style)

    def build(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000) -> TensorSpec:
        return resnet(g, x, classes, block, UNITS[depth], style)

    build.__doc__ = summary
    network(name)(build)


_register("resnest50", 50, "ResNeSt-50: split attention over two splits.", radix=2)
_register(
    "resnest101", 101, "ResNeSt-101: split attention over two splits.", radix=2, style=replace(VD, stem=(64, 64, 128))
)
_register("resnest50_fast_1s1x64d", 50, "ResNeSt-50-fast with one split.", radix=1, pool_first=True)
