"""IGCV3 (Sun et al., BMVC 2018, arXiv 1806.00178).

MobileNet V2 with grouped, interleaved 1x1 convolutions.
"""

from __future__ import annotations

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import channels_of, classifier, conv_bn, depthwise_bn, residual
from costmodel.zoo.registry import network

# IGCV3-D: expansion, output channels, repeats, stride of the first.
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 4, 2),
    (6, 32, 6, 2),
    (6, 64, 8, 2),
    (6, 96, 6, 1),
    (6, 160, 6, 2),
    (6, 320, 1, 1),
)
_GROUPS = 2
_LAST = 1280


def interleaved_residual(g: GraphBuilder, x: TensorSpec, channels: int, *, expansion: int, stride: int) -> TensorSpec:
    """Grouped 1x1 expansion, shuffle, 3x3 depthwise, grouped linear 1x1 projection, shuffle back.

    Only the depthwise convolution has an activation, and an expansion by 1 is a convolution, too, as in the
    authors' code (homles11/IGCV3).
    """
    with g.scope("expand"):
        y = conv_bn(g, x, channels_of(x) * expansion, groups=_GROUPS, names="0 1")
        y = g.channel_shuffle(y, _GROUPS)
    with g.scope("depthwise"):
        y = depthwise_bn(g, y, stride=stride, act="relu6")
    with g.scope("project"):
        y = conv_bn(g, y, channels, groups=_GROUPS, names="0 1")
        y = g.channel_shuffle(y, channels // _GROUPS)
    return residual(g, x, y, stride)


def _even(value: float) -> int:
    """value to the nearest whole number, and up to an even one, for the two groups: the authors' rule."""
    whole = round(value)
    return max(_GROUPS, whole + whole % _GROUPS)


@network("igcv3")
def igcv3(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000, width: float = 1.0) -> TensorSpec:
    """IGCV3-D, any width; the last 1x1 convolution never has fewer than 1280 channels."""
    with g.scope("stem"):
        x = conv_bn(g, x, _even(32 * width), 3, stride=2, act="relu6")
    for stage, (expansion, channels, repeats, first_stride) in enumerate(_STAGES):
        for index in range(repeats):
            with g.scope(f"stage{stage}"), g.scope(str(index)):
                stride = 1 if index else first_stride
                x = interleaved_residual(g, x, _even(channels * width), expansion=expansion, stride=stride)
    with g.scope("last"):
        x = conv_bn(g, x, _even(_LAST * max(1.0, width)), act="relu6")
    return classifier(g, x, classes)
