"""ReXNet (Han et al., CVPR 2021, arXiv 2007.00992).

Layers are named as in timm's rexnet_100.
"""

from __future__ import annotations

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import channels_of, classifier, conv_bn, depthwise_bn, whole_channels
from costmodel.zoo.registry import network

_STAGES = ((1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (5, 2))  # blocks, and stride of the first
_FIRST, _GROWTH = 16, 180  # channels of the first block, and how many more the last one has


def _gate(g: GraphBuilder, x: TensorSpec) -> TensorSpec:
    """Squeeze-excite by 12 with a normalisation inside."""
    channels = channels_of(x)
    with g.scope("se"):
        s = g.conv(g.global_avg_pool(x), channels // 12, bias=True, name="fc1")
        s = g.relu(g.batch_norm(s, "bn"))
        return g.mul(x, g.sigmoid(g.conv(s, channels, bias=True, name="fc2")))


def linear_bottleneck(
    g: GraphBuilder, x: TensorSpec, channels: int, *, expansion: int, stride: int, se: bool
) -> TensorSpec:
    """An inverted residual that grows; its shortcut is added to the first channels."""
    inputs = whole_channels(x)
    y = x
    if expansion != 1:
        with g.scope("conv_exp"):
            y = conv_bn(g, y, inputs * expansion, act="swish", names="conv bn act")
    with g.scope("conv_dw"):
        y = depthwise_bn(g, y, stride=stride, names="conv bn")
    if se:
        y = _gate(g, y)
    y = g.relu6(y, "act_dw")
    with g.scope("conv_pwl"):
        y = conv_bn(g, y, channels, names="conv bn")
    if stride != 1 or inputs > channels:
        return y
    if inputs == channels:
        return g.add(y, x)
    added, grown = g.split(y, (inputs, channels - inputs))
    return g.concat((g.add(added, x), grown))


@network("rexnet")
def rexnet(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000, width: float = 1.0) -> TensorSpec:
    """ReXNet, any width from 1.0 on: channels grow by the same number with every block (Section 4)."""
    with g.scope("stem"):
        x = conv_bn(g, x, round(32 * width), 3, stride=2, act="swish", names="conv bn act")
    blocks = sum(count for count, _ in _STAGES)
    index = 0
    for stage, (count, first_stride) in enumerate(_STAGES):
        for repeat in range(count):
            with g.scope(f"features.{index}"):
                x = linear_bottleneck(
                    g,
                    x,
                    round((_FIRST + index * _GROWTH / blocks) * width),
                    expansion=6 if index else 1,
                    stride=1 if repeat else first_stride,
                    se=stage > 1,
                )
            index += 1
    with g.scope(f"features.{index}"):
        x = conv_bn(g, x, int(1280 * width), act="swish", names="conv bn act")
    return classifier(g, x, classes, name="head.fc")
