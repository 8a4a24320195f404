"""MnasNet (Tan et al., CVPR 2019, arXiv 1807.11626).

Layers are named as in torchvision.
"""

from __future__ import annotations

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import channels_of, classifier, conv_bn, depthwise_bn, nearest_multiple, residual
from costmodel.zoo.registry import network

# MnasNet-B1, the one without squeeze-excite: kernel, expansion, channels, repeats, stride of the first.
_STAGES = (
    (3, 3, 24, 3, 2),
    (5, 3, 40, 3, 2),
    (5, 6, 80, 3, 2),
    (3, 6, 96, 2, 1),
    (5, 6, 192, 4, 2),
    (3, 6, 320, 1, 1),
)


def mbconv(g: GraphBuilder, x: TensorSpec, channels: int, *, kernel: int, expanded: int, stride: int) -> TensorSpec:
    """Figure 7c: 1x1 expansion, depthwise, linear 1x1 projection, and a shortcut where shapes allow.

    expanded: channels within.
    """
    with g.scope("layers"):
        y = conv_bn(g, x, expanded)
        y = depthwise_bn(g, y, kernel, stride=stride, names="3 4 5")
        y = conv_bn(g, y, channels, names="6 7")
    return residual(g, x, y, stride)


@network("mnasnet")
def mnasnet(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000, width: float = 1.0) -> TensorSpec:
    """MnasNet-B1 (torchvision's mnasnet1_0), any width, channels rounded to multiples of 8.

    The last 1x1 convolution has 1280 channels at every width.
    """
    with g.scope("layers"):
        x = conv_bn(g, x, nearest_multiple(32 * width), 3, stride=2)
        x = depthwise_bn(g, x, names="3 4 5")
        x = conv_bn(g, x, nearest_multiple(16 * width), names="6 7")
        for stage, (kernel, expansion, channels, repeats, first_stride) in enumerate(_STAGES, start=8):
            for repeat in range(repeats):
                with g.scope(f"{stage}.{repeat}"):
                    x = mbconv(
                        g,
                        x,
                        nearest_multiple(channels * width),
                        kernel=kernel,
                        expanded=channels_of(x) * expansion,
                        stride=1 if repeat else first_stride,
                    )
        x = conv_bn(g, x, 1280, names="14 15 16")
    return classifier(g, x, classes, name="classifier.1")
