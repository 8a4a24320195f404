"""ProxylessNAS (Cai et al., ICLR 2019, arXiv 1812.00332).

The network found for mobile phones. Layers are named after those of the authors' mit-han-lab/proxylessnas.
"""

from __future__ import annotations

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import classifier, conv_bn, depthwise_bn, residual
from costmodel.zoo.registry import network

# Figure 4: kernel and expansion of each block, by stage; output channels; stride of the first block.
_STAGES = (
    (((5, 3), (3, 3)), 32, 2),
    (((7, 3), (3, 3), (5, 3), (5, 3)), 40, 2),
    (((7, 6), (5, 3), (5, 3), (5, 3)), 80, 2),
    (((5, 6), (5, 3), (5, 3), (5, 3)), 96, 1),
    (((7, 6), (7, 6), (7, 3), (7, 3)), 192, 2),
    (((7, 6),), 320, 1),
)


def mbconv(g: GraphBuilder, x: TensorSpec, channels: int, *, kernel: int, expanded: int, stride: int) -> TensorSpec:
    """Inverted residual: 1x1 to `expanded` channels unless it is 0, depthwise, 1x1; a shortcut where shapes allow."""
    y = x
    if expanded:
        with g.scope("inverted_bottleneck"):
            y = conv_bn(g, y, expanded, act="relu6", names="conv bn act")
    with g.scope("depth_conv"):
        y = depthwise_bn(g, y, kernel, stride=stride, act="relu6", names="conv bn act")
    with g.scope("point_linear"):
        y = conv_bn(g, y, channels, names="conv bn")
    return residual(g, x, y, stride) if expanded else y


@network("proxylessnas")
def proxylessnas(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000, first_channels: int = 16) -> TensorSpec:
    """ProxylessNAS-Mobile.

    first_channels: output of the first block; it is 32 in the network that ncnn measures, where the
    second block nevertheless has 3 x 16 channels within.
    """
    with g.scope("first_conv"):
        x = conv_bn(g, x, 32, 3, stride=2, act="relu6", names="conv bn act")
    with g.scope("blocks.0"):
        x = mbconv(g, x, first_channels, kernel=3, expanded=0, stride=1)
    index, width = 1, 16
    for blocks, channels, first_stride in _STAGES:
        for repeat, (kernel, expansion) in enumerate(blocks):
            stride = 1 if repeat else first_stride
            with g.scope(f"blocks.{index}"):
                x = mbconv(g, x, channels, kernel=kernel, expanded=width * expansion, stride=stride)
            index, width = index + 1, channels
    with g.scope("feature_mix_layer"):
        x = conv_bn(g, x, 1280, act="relu6", names="conv bn act")
    return classifier(g, x, classes, name="classifier")
