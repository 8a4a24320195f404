"""MobileNet V1 (Howard et al., 2017, arXiv 1704.04861)."""

from __future__ import annotations

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import classifier, conv_bn, depthwise_bn
from costmodel.zoo.registry import network

# Table 1: output channels and stride of each depthwise separable block.
BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))
_FEWEST = 8  # TensorFlow's mobilenet_v1 (min_depth)


@network("mobilenet_v1")
def mobilenet_v1(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000, width: float = 1.0) -> TensorSpec:
    """MobileNet V1: 3x3 depthwise and 1x1 convolutions in turn, any width."""
    with g.scope("conv1"):
        x = conv_bn(g, x, _scaled(32, width), 3, stride=2)
    for index, (channels, stride) in enumerate(BLOCKS, start=1):
        with g.scope(f"block{index}"):
            x = depthwise_bn(g, x, stride=stride, names="depthwise bn1 relu1")
            x = conv_bn(g, x, _scaled(channels, width), names="pointwise bn2 relu2")
    return classifier(g, x, classes)


def _scaled(channels: int, width: float) -> int:
    """Channels times width, rounded down, at least 8: the rule of TensorFlow's mobilenet_v1."""
    return max(_FEWEST, int(channels * width))
