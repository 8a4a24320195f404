"""MobileNet V2 (Sandler et al., CVPR 2018, arXiv 1801.04381).

Layers are named as in torchvision.
"""

from __future__ import annotations

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import channels_of, classifier, conv_bn, depthwise_bn, nearest_multiple, residual
from costmodel.zoo.registry import network

# Table 2: expansion, output channels, repeats, stride of the first.
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def inverted_residual(
    g: GraphBuilder, x: TensorSpec, channels: int, *, expansion: int, stride: int, expand_always: bool = False
) -> TensorSpec:
    """Figure 4d: 1x1 expansion, 3x3 depthwise, linear 1x1 projection, and a shortcut where shapes allow.

    expand_always: an expansion by 1 is a convolution, too.
    """
    y = x
    layers = 0
    with g.scope("conv"):
        if expansion != 1 or expand_always:
            with g.scope("0"):
                y = conv_bn(g, y, channels_of(x) * expansion, act="relu6")
            layers = 1
        with g.scope(str(layers)):
            y = depthwise_bn(g, y, stride=stride, act="relu6")
        y = conv_bn(g, y, channels, names=f"{layers + 1} {layers + 2}")
    return residual(g, x, y, stride)


@network("mobilenet_v2")
def mobilenet_v2(
    g: GraphBuilder,
    x: TensorSpec,
    *,
    classes: Dim = 1000,
    width: float = 1.0,
    expand_always: bool = False,
    divisor: int = 8,
    thin: bool = False,
) -> TensorSpec:
    """MobileNet V2: inverted residuals with linear bottlenecks, any width.

    The last 1x1 convolution never has fewer than 1280 channels, as in TensorFlow and torchvision.
    expand_always: the first block has an expansion by 1; so it is in the Caffe network that ncnn
    measures, and in PaddleClas. divisor: channels are rounded to its multiples; it is 1 in PaddleClas.
    thin: instead of these two, the rules that give the mult-adds of widths below 1 in Table 8 of the
    ShuffleNet V2 paper ("our impl."): channels are rounded down, but the first convolution keeps its 32,
    and the first block has an expansion by 1.
    """

    def scaled(channels: int) -> int:
        return max(1, int(channels * width)) if thin else nearest_multiple(channels * width, divisor)

    with g.scope("features"):
        with g.scope("0"):
            x = conv_bn(g, x, 32 if thin else scaled(32), 3, stride=2, act="relu6")
        index = 1
        for expansion, channels, repeats, first_stride in STAGES:
            for repeat in range(repeats):
                with g.scope(str(index)):
                    x = inverted_residual(
                        g,
                        x,
                        scaled(channels),
                        expansion=expansion,
                        stride=1 if repeat else first_stride,
                        expand_always=expand_always or thin,
                    )
                index += 1
        with g.scope(str(index)):
            x = conv_bn(g, x, nearest_multiple(1280 * max(1.0, width), divisor), act="relu6")
    return classifier(g, x, classes, name="classifier.1")
