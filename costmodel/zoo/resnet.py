"""ResNet (He et al., CVPR 2016, arXiv 1512.03385). Layers are named as in torchvision's resnet50."""

from __future__ import annotations

from collections.abc import Callable

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim, equal
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import channels_of, classifier, conv_bn
from costmodel.zoo.registry import network

# A block: (g, x, inner channels, stride, whether a convolution replaces the identity) -> output.
Block = Callable[[GraphBuilder, TensorSpec, int, int, bool], TensorSpec]

Units = tuple[int, int, int, int]


def basic_block(g: GraphBuilder, x: TensorSpec, channels: int, stride: int, project: bool) -> TensorSpec:
    """Figure 5, left: two 3x3 convolutions and the shortcut."""
    y = conv_bn(g, x, channels, 3, stride=stride, names="conv1 bn1 relu1")
    y = conv_bn(g, y, channels, 3, names="conv2 bn2")
    return _with_shortcut(g, x, y, stride, project)


def bottleneck(
    g: GraphBuilder, x: TensorSpec, channels: int, stride: int, project: bool, *, stride_in_1x1: bool = False
) -> TensorSpec:
    """Figure 5, right: 1x1, 3x3 and, four times as wide, 1x1 convolution, and the shortcut."""
    first, second = (stride, 1) if stride_in_1x1 else (1, stride)
    y = conv_bn(g, x, channels, stride=first, names="conv1 bn1 relu1")
    y = conv_bn(g, y, channels, 3, stride=second, names="conv2 bn2 relu2")
    y = conv_bn(g, y, 4 * channels, names="conv3 bn3")
    return _with_shortcut(g, x, y, stride, project)


def _with_shortcut(g: GraphBuilder, x: TensorSpec, y: TensorSpec, stride: int, project: bool) -> TensorSpec:
    channels = channels_of(y)
    if project or stride != 1 or not equal(channels_of(x), channels):
        with g.scope("downsample"):
            x = conv_bn(g, x, channels, stride=stride, names="0 1")
    return g.relu(g.add(y, x))


def _resnet(
    g: GraphBuilder, x: TensorSpec, classes: Dim, block: Block, units: Units, project_first: bool = False
) -> TensorSpec:
    """Table 1: 7x7 convolution, max pooling, four stages of blocks, classifier."""
    x = conv_bn(g, x, 64, 7, stride=2, names="conv1 bn1 relu")
    x = g.max_pool(x, 3, stride=2, padding=1, name="maxpool")
    for stage, count in enumerate(units):
        for index in range(count):
            stride = 2 if stage and index == 0 else 1
            with g.scope(f"layer{stage + 1}"), g.scope(str(index)):
                x = block(g, x, 64 << stage, stride, project_first and stage + index == 0)
    return classifier(g, x, classes)


def _deep(g: GraphBuilder, x: TensorSpec, classes: Dim, units: Units, stride_in_1x1: bool) -> TensorSpec:
    def block(g: GraphBuilder, x: TensorSpec, channels: int, stride: int, project: bool) -> TensorSpec:
        return bottleneck(g, x, channels, stride, project, stride_in_1x1=stride_in_1x1)

    return _resnet(g, x, classes, block, units)


@network("resnet18")
def resnet18(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000, project_first: bool = False) -> TensorSpec:
    """ResNet-18.

    project_first: the first shortcut has a 1x1 convolution; so it is in the network that ncnn measures.
    """
    return _resnet(g, x, classes, basic_block, (2, 2, 2, 2), project_first)


@network("resnet34")
def resnet34(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000) -> TensorSpec:
    """ResNet-34."""
    return _resnet(g, x, classes, basic_block, (3, 4, 6, 3))


@network("resnet50")
def resnet50(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000, stride_in_1x1: bool = False) -> TensorSpec:
    """ResNet-50 with the stride in the 3x3 convolutions (v1.5); stride_in_1x1 gives the paper's v1."""
    return _deep(g, x, classes, (3, 4, 6, 3), stride_in_1x1)


@network("resnet101")
def resnet101(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000, stride_in_1x1: bool = False) -> TensorSpec:
    """ResNet-101 with the stride in the 3x3 convolutions (v1.5); stride_in_1x1 gives the paper's v1."""
    return _deep(g, x, classes, (3, 4, 23, 3), stride_in_1x1)


@network("resnet152")
def resnet152(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000, stride_in_1x1: bool = False) -> TensorSpec:
    """ResNet-152 with the stride in the 3x3 convolutions (v1.5); stride_in_1x1 gives the paper's v1."""
    return _deep(g, x, classes, (3, 8, 36, 3), stride_in_1x1)
