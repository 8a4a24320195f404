"""DenseNet (Huang et al., CVPR 2017, arXiv 1608.06993).

Layers are named as in torchvision's densenet121.
"""

from __future__ import annotations

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import bn_relu_conv, channels_of, classifier, conv_bn
from costmodel.zoo.registry import network

_BOTTLENECK = 4  # channels of a layer's 1x1 convolution, in growth rates


def dense_layer(g: GraphBuilder, x: TensorSpec, growth: int) -> TensorSpec:
    """Section 3, "Bottleneck layers": its channels are appended to its input's."""
    y = bn_relu_conv(g, x, _BOTTLENECK * growth, names="norm1 relu1 conv1")
    return g.concat((x, bn_relu_conv(g, y, growth, 3, names="norm2 relu2 conv2")))


def transition(g: GraphBuilder, x: TensorSpec) -> TensorSpec:
    """Between blocks: half of the channels, and of the height and width."""
    x = bn_relu_conv(g, x, channels_of(x) // 2)
    return g.avg_pool(x, 2, stride=2, name="pool")


def _densenet(
    g: GraphBuilder, x: TensorSpec, classes: Dim, blocks: tuple[int, int, int, int], growth: int = 32
) -> TensorSpec:
    """Table 1. blocks: layers in each. growth: channels that a layer adds."""
    with g.scope("features"):
        x = conv_bn(g, x, 2 * growth, 7, stride=2, names="conv0 norm0 relu0")
        x = g.max_pool(x, 3, stride=2, padding=1, name="pool0")
        for block, layers in enumerate(blocks, start=1):
            for layer in range(1, layers + 1):
                with g.scope(f"denseblock{block}"), g.scope(f"denselayer{layer}"):
                    x = dense_layer(g, x, growth)
            if block < len(blocks):
                with g.scope(f"transition{block}"):
                    x = transition(g, x)
        x = g.relu(g.batch_norm(x, "norm5"), "relu5")
    return classifier(g, x, classes, name="classifier")


@network("densenet121", smallest=29)
def densenet121(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000) -> TensorSpec:
    """DenseNet-121."""
    return _densenet(g, x, classes, (6, 12, 24, 16))


@network("densenet161", smallest=29)
def densenet161(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000) -> TensorSpec:
    """DenseNet-161, whose growth rate is 48."""
    return _densenet(g, x, classes, (6, 12, 36, 24), growth=48)


@network("densenet169", smallest=29)
def densenet169(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000) -> TensorSpec:
    """DenseNet-169."""
    return _densenet(g, x, classes, (6, 12, 32, 32))


@network("densenet201", smallest=29)
def densenet201(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000) -> TensorSpec:
    """DenseNet-201."""
    return _densenet(g, x, classes, (6, 12, 48, 32))


@network("densenet264", smallest=29)
def densenet264(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000) -> TensorSpec:
    """DenseNet-264."""
    return _densenet(g, x, classes, (6, 12, 64, 48))
